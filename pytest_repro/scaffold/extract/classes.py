"""A test class with the failing test and what that needs of the class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from pytest_repro.scaffold.extract.fixtures import fixture_name, is_autouse
from pytest_repro.scaffold.extract.text import Edit, Source, removal

_SPECIAL = frozenset(
    {
        *("setup", "setup_method", "setup_class", "teardown", "teardown_method", "teardown_class"),
        *("setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown"),
        *("runTest", "pytestmark", "pytest_generate_tests", "longMessage", "maxDiff"),
    }
)
_PLAIN_BASES = frozenset({"object", "TestCase", "IsolatedAsyncioTestCase"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def member_named(node: ast.ClassDef, name: str) -> ast.stmt | None:
    """Returns the function or class of this name that stands in the body of a class."""
    found = [each for each in node.body if isinstance(each, Function | ast.ClassDef) and each.name == name]
    return found[-1] if found else None


def trimmed(
    source: Source, node: ast.ClassDef, path: Sequence[str], fixtures: AbstractSet[str]
) -> tuple[Edit, ...]:
    """Returns the edits that leave the failing test in a class, with what it needs there.

    Args:
        source: Of the module.
        node: The class, or one that it inherits from.
        path: Names of classes in it, then that of the test.
        fixtures: Names of fixtures that are asked for.
    """
    kept = set(_kept(node, path, fixtures))
    edits = [removal(source, each, node.body) for each in node.body if each not in kept]
    target = member_named(node, path[0]) if path else None
    if isinstance(target, ast.ClassDef):
        edits += trimmed(source, target, path[1:], fixtures)
    if not kept:
        return ()
    return tuple(edit for edit in edits if edit is not None)


def kept_members(node: ast.ClassDef, path: Sequence[str], fixtures: AbstractSet[str]) -> list[ast.stmt]:
    """Returns what stays of the body of a class."""
    kept = set(_kept(node, path, fixtures))
    return [each for each in node.body if each in kept]


def _kept(node: ast.ClassDef, path: Sequence[str], fixtures: AbstractSet[str]) -> Iterable[ast.stmt]:
    target = member_named(node, path[0]) if path else None
    has_foreign_base = any(ast.unparse(base).rpartition(".")[2] not in _PLAIN_BASES for base in node.bases)
    kept = [each for each in node.body if each is target or _is_needed(each, fixtures)]
    if has_foreign_base or target is None:
        # What a base asks for by `self.name` is not seen here.
        kept += [each for each in node.body if each not in kept and not _is_test(each)]
    seen = 0
    while seen < len(kept):
        used = set(mentioned(kept[seen]))
        called = set(mentioned(kept[seen], with_texts=False))
        kept += [
            each
            for each in node.body
            if each not in kept and (called if _is_test(each) else used) & set(_bound(each))
        ]
        seen += 1
    return kept


def _is_needed(node: ast.stmt, fixtures: AbstractSet[str]) -> bool:
    if is_autouse(node) or fixture_name(node) in fixtures:
        return True
    names = set(_bound(node))
    if names & fixtures and not isinstance(node, Function | ast.ClassDef):
        return True  # what a hook of the module asks a class for
    if not names:
        # Something that is done when the class is made; its docstring is not.
        return not isinstance(node, ast.Pass) and not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )
    return bool(names & _SPECIAL) or any(name.startswith("__") and name.endswith("__") for name in names)


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, Function | ast.ClassDef) and node.name.lower().startswith("test")


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, Function | ast.ClassDef):
        yield node.name
        return
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif isinstance(each, Function | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.alias):
            yield (each.asname or each.name).partition(".")[0]


def mentioned(node: ast.stmt, *, with_texts: bool = True) -> Iterator[str]:
    """Yields names that a statement uses, also as attributes and, unless told otherwise, in texts."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            yield each.attr
        elif isinstance(each, ast.Name):
            yield each.id
        elif with_texts and isinstance(each, ast.Constant) and _is_name(each.value):
            yield str(each.value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()
