"""From which folders of a checkout this Python imports, and what is installed from a folder."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pytest_repro.verify.certificate.relocation import below


def import_roots(
    search: Sequence[str], *, checkout: Path, start: Path, prefixes: Iterable[str], starts_there: bool
) -> tuple[str, ...]:
    """Returns the folders of the checkout that modules are imported from, relative to its top.

    Args:
        search: `sys.path`, before any test has changed it.
        checkout: Top of the checkout.
        start: Working directory.
        prefixes: Folders of the interpreter; what is installed below one of them is none of the project's.
        starts_there: Whether `python -m` has put the working directory first, as it will again.
    """
    own = [Path(prefix) for prefix in prefixes if below(checkout, Path(prefix)) is not None]
    kept = search[1:] if starts_there and search and Path(search[0]) == start else search
    found = {
        inside.as_posix(): None
        for entry in (*kept, *_editable_roots(checkout))
        if Path(entry).is_absolute()
        and (inside := below(checkout, Path(entry))) is not None
        and not any(Path(entry).is_relative_to(prefix) for prefix in own)
    }
    return tuple(found)


def installed_from(folder: Path) -> tuple[str, ...]:
    """Returns the names of what this Python has installed from a folder."""
    importlib.invalidate_caches()
    return tuple(sorted({name for name, _, source in _sources() if below(folder, source) is not None}))


def _editable_roots(checkout: Path) -> Iterator[str]:
    """Yields where packages lie that are installed in editable mode; not all of them stand in `sys.path`."""
    for _, names, source in _sources():
        if below(checkout, source) is None:
            continue
        for name in names:
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError, AttributeError):
                continue
            if spec is not None and spec.origin is not None and spec.has_location:
                file = Path(spec.origin)
                yield str(file.parent.parent if spec.submodule_search_locations else file.parent)


def _sources() -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """Yields name, top-level packages and source folder of what was installed from a folder (PEP 610)."""
    for distribution in metadata.distributions():
        try:
            told = json.loads(distribution.read_text("direct_url.json") or "{}")
            url = urlsplit(told["url"])
            name = distribution.metadata["Name"]
        except (KeyError, TypeError, ValueError, OSError):
            continue
        if url.scheme == "file" and "dir_info" in told:
            packages = (distribution.read_text("top_level.txt") or "").split()
            yield name, tuple(packages), Path(unquote(url.path))
