"""Parts of a module written anew: imports with what is needed, all else as it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from pytest_repro.scaffold.extract.imports import absolute, bound_name, import_text, is_future, is_star
from pytest_repro.scaffold.extract.text import Edit, Source
from pytest_repro.scaffold.extract.units import Unit, is_import

OWN_FILE = "REPRO_FILE"
"""Stands for the file that the code was taken from, beside which its data may lie."""


class NotPossibleError(Exception):
    """The case cannot stand alone; its text says why."""


def written(source: Source, units: Sequence[Unit], needed: AbstractSet[str], package: str) -> str:
    """Writes parts of a module, in order.

    Args:
        source: Of the module.
        units: The parts.
        needed: Names that are used: imports of others are left out.
        package: Dotted name of the package that relative imports start from, empty outside of any.

    Raises:
        NotPossibleError: One imports from a package that the module does not lie in.
    """
    pieces: list[str] = []
    previous: Unit | None = None
    for unit in units:
        text = _unit_text(source, unit, needed, package)
        if not text.strip():
            continue
        if previous is not None:
            pieces.append(_gap(previous, unit))
        pieces.append(text.rstrip() + "\n")
        previous = unit
    return "".join(pieces)


def _unit_text(source: Source, unit: Unit, needed: AbstractSet[str], package: str) -> str:
    node = unit.only
    if isinstance(node, ast.Import | ast.ImportFrom) and not is_future(node):
        has_dots = isinstance(node, ast.ImportFrom) and absolute(node, package).startswith(".")
        if has_dots:
            raise NotPossibleError(f"line {node.lineno} imports from a package that the file does not lie in")
        is_whole = is_star(node) or all(bound_name(node, each) in needed for each in node.names)
        if is_whole and not (isinstance(node, ast.ImportFrom) and node.level):
            return unit_text(source, unit)
        return import_text(node, needed, package)
    return unit_text(source, unit, (*_inner_imports(source, unit, package), *_own_file(source, unit)))


def _inner_imports(source: Source, unit: Unit, package: str) -> Iterator[Edit]:
    """Relative imports inside functions and conditions, made absolute where they stand on one line."""
    for outer in unit.nodes:
        for node in ast.walk(outer):
            if isinstance(node, ast.ImportFrom) and node.level:
                target = absolute(node, package)
                if target.startswith("."):
                    raise NotPossibleError(
                        f"line {node.lineno} imports from a package that the file does not lie in"
                    )
                start = source.offset(node.lineno, node.col_offset)
                end = source.offset(node.names[0].lineno, node.names[0].col_offset)
                is_open = "(" in source.lines(node.lineno, node.names[0].lineno)[node.col_offset :]
                yield Edit(start=start, end=end, text=f"from {target} import {'(' if is_open else ''}")


def _own_file(source: Source, unit: Unit) -> Iterator[Edit]:
    for outer in unit.nodes:
        for node in ast.walk(outer):
            if isinstance(node, ast.Name) and node.id == "__file__":
                start, end = source.span(node)
                yield Edit(start=start, end=end, text=OWN_FILE)


def _gap(above: Unit, below: Unit) -> str:
    if is_import(above) and is_import(below):
        return ""
    is_large = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in (above.nodes[-1], below.nodes[0])
    )
    if is_large:
        return "\n\n"
    return "" if below.first - above.last <= 1 else "\n"


def unit_text(source: Source, unit: Unit, edits: Sequence[Edit] = ()) -> str:
    """Returns the lines of a part with its own edits made, and further ones."""
    text = source.lines(unit.first, unit.last, (*unit.edits, *edits))
    return text if text.endswith("\n") else text + "\n"
