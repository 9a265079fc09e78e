"""Acts right after a library was imported, and never imports one itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class ImportWatch:
    """Lets other finders find a module, and acts when it has been executed.

    Several watches can wait for one module; each acts once for each time that it is executed.

    Args:
        names: Modules to wait for; asked at each import, so it may shrink and grow.
        act: Called with the name of a module that was just executed.
    """

    def __init__(self, names: Collection[str], act: Callable[[str], None]) -> None:
        self._names = names
        self._act = act
        self._is_searching = False
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begins to watch; nothing happens if it does already."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Ends watching, also of modules that were found but not executed yet."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        while self._undo:
            self._undo.pop()()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the module's spec as the other finders make it."""
        if name not in self._names or self._is_searching:
            return None
        self._is_searching = True
        try:
            for finder in [finder for finder in sys.meta_path if finder is not self]:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self._watch(name, spec.loader)
                    return spec
        finally:
            self._is_searching = False
        return None

    def _watch(self, name: str, loader: Any) -> None:
        # On the loader object, which belongs to this one module: the module's spec stays the finder's own.
        if not hasattr(loader, "__dict__") or isinstance(loader, type):
            return
        own = vars(loader)
        original = loader.exec_module
        before = own.get("exec_module")

        def undo() -> None:
            if before is None:
                own.pop("exec_module", None)
            else:
                own["exec_module"] = before

        def exec_module(module: ModuleType) -> None:
            undo()
            if undo in self._undo:
                self._undo.remove(undo)
            original(module)
            self._act(name)

        own["exec_module"] = exec_module
        self._undo.append(undo)
