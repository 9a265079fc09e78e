"""Which global names a piece of code binds and uses, as Python itself resolves them."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The global names of a piece of code.

    Attributes:
        binds: Names that it gives a value.
        uses: Names whose value it asks for, at once or when its functions are called.
    """

    binds: frozenset[str]
    uses: frozenset[str]


def names_in(text: str) -> Names:
    """Returns the global names of module-level code.

    Raises:
        SyntaxError: It is no Python of this interpreter.
    """
    table = symtable.symtable(text, "<case>", "exec")
    binds: set[str] = set()
    uses: set[str] = set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            uses.add(symbol.get_name())
    for child in table.get_children():
        for name, is_bound in _globals_of(child):
            uses.add(name)
            if is_bound:
                binds.add(name)
    tree = ast.parse(text)
    inlined = _only_in_comprehensions(tree)
    uses.update(_annotated(tree))
    return Names(binds=frozenset(binds - inlined), uses=frozenset(uses - inlined))


def _only_in_comprehensions(tree: ast.AST) -> frozenset[str]:
    """Returns names that comprehensions alone bind: from 3.12 on (PEP 709) they stand among the module's."""
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    inside = [node for outer in ast.walk(tree) if isinstance(outer, kinds) for node in ast.walk(outer)]
    targets = [node.target for node in inside if isinstance(node, ast.comprehension)]
    bound = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    within = {id(node) for node in inside}
    others = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in within}
    return frozenset(bound - others)


def _globals_of(table: symtable.SymbolTable) -> Iterator[tuple[str, bool]]:
    is_class = table.get_type() == "class"
    for symbol in table.get_symbols():
        if symbol.is_global():
            yield symbol.get_name(), symbol.is_declared_global() and symbol.is_assigned()
        elif is_class and symbol.is_assigned() and symbol.is_referenced():
            # `x = x` in the body of a class reads the global before the class has its own.
            yield symbol.get_name(), False
    for child in table.get_children():
        yield from _globals_of(child)


def _annotated(tree: ast.AST) -> Iterator[str]:
    """Yields the names of annotations, which may be strings and are then no part of a symbol table."""
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.expr):
                yield from _in_annotation(annotation)


def _in_annotation(annotation: ast.expr) -> Iterator[str]:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                quoted = ast.parse(node.value.strip(), mode="eval")
            except (SyntaxError, ValueError):
                continue
            yield from (inner.id for inner in ast.walk(quoted) if isinstance(inner, ast.Name))
