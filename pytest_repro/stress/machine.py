"""Which accelerators a machine has, by what their drivers tell without any library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_MODEL = re.compile(r"^Model:\s*(?P<name>.+?)\s*$", re.MULTILINE)


def devices_of_machine(root: Path = Path("/")) -> list[str]:
    """Returns the names of all accelerators whose drivers are loaded, such as `NVIDIA H200`, in their order.

    Args:
        root: Of the file system.
    """
    return [*_nvidia(root), *_tenstorrent(root), *_amd(root)]


def _nvidia(root: Path) -> Iterator[str]:
    for path in _entries(root / "proc/driver/nvidia/gpus"):
        found = _MODEL.search(_text(path / "information"))
        yield found["name"] if found else "NVIDIA GPU"


def _tenstorrent(root: Path) -> Iterator[str]:
    """tt-kmd has one file a device, and tells the kind of its card below /sys."""
    for path in _entries(root / "dev/tenstorrent"):
        if path.name.isdecimal():
            kind = _text(root / f"sys/class/tenstorrent/tenstorrent!{path.name}/tt_card_type").strip()
            yield f"Tenstorrent {kind or 'device'}"


def _amd(root: Path) -> Iterator[str]:
    for path in _entries(root / "sys/class/kfd/kfd/topology/nodes"):
        # Processors are nodes too; they have no name there.
        name = _text(path / "name").strip()
        if name:
            yield f"AMD {name}"


def _entries(folder: Path) -> list[Path]:
    def order(path: Path) -> tuple[int, str]:
        return (int(path.name) if path.name.isdecimal() else -1, path.name)

    try:
        return sorted(folder.iterdir(), key=order)
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
