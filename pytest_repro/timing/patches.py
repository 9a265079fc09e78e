"""Replaces attributes of a library's modules and classes, and puts the originals back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Patches:
    """Attributes that were replaced, in order."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, object, object]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        """Replaces an attribute, if it is there.

        Args:
            owner: Module or class.
            name: Name of the attribute.
            make: Gets the original, as the owner hands it out, and returns what stands in for it.
        """
        original = getattr(owner, name, None)
        if original is None:
            return
        replacement = make(original)
        # An attribute that the owner inherits is deleted again: `_MISSING` says so.
        own = vars(owner).get(name, _MISSING)
        setattr(owner, name, replacement)
        self._undo.append((owner, name, own, replacement))

    def undo(self) -> None:
        """Puts the originals back, last replaced first.

        Where somebody else replaced the replacement since, theirs stays: it may be waiting to put ours
        back, and ours only passes calls on from now on.
        """
        while self._undo:
            owner, name, own, replacement = self._undo.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if own is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


_MISSING = object()
