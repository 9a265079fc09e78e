"""A module in parts that are kept or left out as wholes, and small questions about such a part."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_repro.scaffold.extract.text import Definition, Edit, Source, removal


@dataclass(slots=True, eq=False)
class Unit:
    """Statements of a module that share lines.

    Attributes:
        nodes: The statements.
        first: First line, with decorators and the comments right above.
        last: Last line.
        edits: What is taken out of it.
        binds: Names that it gives a value.
        uses: Names that it asks for.
        requested: Fixtures that the test itself asks for.
    """

    nodes: list[ast.stmt]
    first: int
    last: int
    edits: tuple[Edit, ...] = ()
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    requested: frozenset[str] = frozenset()

    @property
    def only(self) -> ast.stmt | None:
        """The statement, if it is one."""
        return self.nodes[0] if len(self.nodes) == 1 else None


def defined_in(nodes: Sequence[ast.stmt], name: str) -> tuple[Definition | None, Sequence[ast.stmt]]:
    """Finds a function or class in statements and in the conditions among them.

    Returns:
        The one that is defined last, None where there is none; and the statements beside it, itself
        among them, empty where it stands at the top.
    """
    for node in reversed(nodes):
        if isinstance(node, Definition):
            if node.name == name:
                return node, ()
            continue
        for body in reversed(_bodies(node)):
            found, around = defined_in(body, name)
            if found is not None:
                return found, around or body
    return None, ()


def _bodies(node: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(node, ast.Try):
        return [node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody]
    if isinstance(node, ast.If):
        return [node.body, node.orelse]
    return [node.body] if isinstance(node, ast.With) else []


def without_tests(source: Source, body: Sequence[ast.stmt], kept: ast.stmt) -> list[Edit]:
    """Returns the edits that take all tests but one out of the body of a condition."""
    removed = [
        removal(source, each, body)
        for each in body
        if each is not kept and isinstance(each, Definition) and each.name.lower().startswith("test")
    ]
    return [edit for edit in removed if edit is not None]


def decorators(node: ast.stmt) -> list[ast.expr]:
    """Returns the decorators of a function or class, top first."""
    return list(node.decorator_list) if isinstance(node, Definition) else []


def class_marks(node: ast.ClassDef) -> list[ast.expr]:
    """Returns what a class gives its tests as `pytestmark`."""
    return [
        mark
        for each in node.body
        if isinstance(each, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in each.targets)
        for mark in listed(each.value)
    ]


def listed(node: ast.expr) -> list[ast.expr]:
    """Returns the parts of a list, or what stands in the place of one."""
    return list(node.elts) if isinstance(node, ast.List | ast.Tuple) else [node]


def is_import(unit: Unit) -> bool:
    """Whether a part does nothing but import."""
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in unit.nodes)


def root_of(node: ast.stmt) -> str | None:
    """Returns the name at the root of what a statement works on."""
    if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
        return next((root for each in node.body if (root := root_of(each)) is not None), None)
    target: ast.expr | None = None
    if isinstance(node, ast.Expr | ast.AugAssign | ast.AnnAssign):
        target = node.value if isinstance(node, ast.Expr) else node.target
    elif isinstance(node, ast.Assign | ast.Delete):
        target = node.targets[0]
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        target = target.func if isinstance(target, ast.Call) else target.value
    return target.id if isinstance(target, ast.Name) else None
