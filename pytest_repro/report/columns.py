"""Cells as aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, width: int | None = None) -> list[str]:
    """Returns a line for each row; wide characters count as what they take on a terminal.

    Args:
        rows: Cells that hold no control characters, equally many in each row.
        width: Of the terminal: the last cell is cut to the room that the others, which are whole always,
            leave it. None where nothing is cut.
    """
    from rich.cells import cell_len, set_cell_size

    # Not rich's own table, which takes a second for a thousand rows.
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    left = None if width is None else max(1, width - sum(widths) - len(_GAP) * len(widths))
    lines = []
    for *first, last in rows:
        cells = [cell + " " * (room - cell_len(cell)) for cell, room in zip(first, widths, strict=True)]
        is_cut = left is not None and cell_len(last) > left
        cells.append(set_cell_size(last, left - 1) + "…" if is_cut and left is not None else last)
        lines.append(_GAP.join(cells).rstrip())
    return lines
