"""What pytest hands to a function by the names of its arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef

_ASKS = frozenset({"usefixtures", "getfixturevalue", "lazy_fixture", "lf", "lfc", "fixture_ref"})


def fixture_name(node: ast.AST) -> str | None:
    """Returns the name under which a function is a fixture; None where it is none."""
    if not isinstance(node, Function):
        return None
    decorator = _decorator(node)
    if decorator is None:
        return None
    given = _keyword(decorator, "name")
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else node.name


def fixture_mark(node: ast.stmt) -> ast.Call | None:
    """Returns the call of the decorator that makes a function a fixture; None where there is none."""
    decorator = _decorator(node) if isinstance(node, Function) else None
    return decorator if isinstance(decorator, ast.Call) else None


def is_autouse(node: ast.stmt) -> bool:
    """Whether a function is a fixture that each test gets, or may be one."""
    decorator = _decorator(node) if isinstance(node, Function) else None
    given = _keyword(decorator, "autouse") if decorator is not None else None
    return given is not None and not (isinstance(given, ast.Constant) and not given.value)


def requests(node: ast.AST) -> Iterator[str]:
    """Yields names of fixtures that a function, or what stands in a class, asks for."""
    for each in ast.walk(node):
        if isinstance(each, Function):
            yield from _arguments(each)
        elif isinstance(each, ast.Call) and _last_name(each.func) in _ASKS:
            names = [*_texts(each.args)]
            yield from names
            if len(names) < len(each.args):
                # By a name that is made or handed in: any text may be it.
                yield from (text for text in _texts(ast.walk(node)) if text.isidentifier())


def _texts(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _arguments(node: Function) -> Iterator[str]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without_default = positional[: len(positional) - len(arguments.defaults)]
    yield from (each.arg for each in without_default)
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            yield each.arg


def _decorator(node: Function) -> ast.expr | None:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _last_name(called).endswith("fixture"):
            return decorator
    return None


def _keyword(decorator: ast.expr, name: str) -> ast.expr | None:
    keywords: Iterable[ast.keyword] = decorator.keywords if isinstance(decorator, ast.Call) else ()
    return next((each.value for each in keywords if each.arg == name), None)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
