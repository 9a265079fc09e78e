"""Imports with just the names that are needed, and without dots."""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet

Import = ast.Import | ast.ImportFrom

_LINE = 100


def is_future(node: ast.stmt) -> bool:
    """Whether a statement changes how the whole module is read."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def is_star(node: ast.stmt) -> bool:
    """Whether a statement imports names that it does not say."""
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def bound_name(node: Import, alias: ast.alias) -> str:
    """Returns the name that one part of an import gives a value."""
    if alias.asname:
        return alias.asname
    return alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name


def import_text(node: Import, needed: AbstractSet[str], package: str) -> str:
    """Writes an import anew.

    Args:
        node: The import.
        needed: Names that are used; the others are left out, and with all of them the import.
        package: Dotted name of the package that relative imports start from, empty outside of any.
    """
    aliases = [each for each in node.names if each.name == "*" or bound_name(node, each) in needed]
    names = [f"{each.name} as {each.asname}" if each.asname else each.name for each in aliases]
    if not names:
        return ""
    if isinstance(node, ast.Import):
        return "".join(f"import {name}\n" for name in names)
    head = f"from {absolute(node, package)} import "
    line = head + ", ".join(names)
    if len(line) <= _LINE:
        return line + "\n"
    return head + "(\n" + "".join(f"    {name},\n" for name in names) + ")\n"


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Returns the module that names are imported from; relative still where there is no such package."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    if len(parts) < node.level:
        return "." * node.level + (node.module or "")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
