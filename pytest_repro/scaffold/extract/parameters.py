"""Lists of parameters shortened to the set that failed, with the same id.

What a set is called is known without running anything where its values stand there as literals or where
its id is given. Where the bracket of a node id fits more than one set, nothing is shortened: the case is
chosen by its id when it is run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from pytest_repro.scaffold.extract.text import Edit, Source

Resolve = Callable[[str], "ast.expr | None"]
"""Gives the list that a global name stands for."""

_MOST_COMBINATIONS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """One set of values.

    Attributes:
        node: Its expression.
        id: What the bracket says of it; None where a value would have to be known.
        guess: The same, with values taken for what pytest calls by their argument and number.
        is_own: Whether it is sure to have the same id when it stands alone.
    """

    node: ast.expr
    id: str | None
    guess: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parametrize:
    """A call of `parametrize`: its list as it stands there, its sets, the list of their ids if given.

    `computed` is what is given in the place of such a list.
    """

    values: ast.expr
    sets: tuple[_Set, ...]
    ids: ast.List | ast.Tuple | None
    computed: ast.expr | None = None


def shortened(
    source: Source, marks: Sequence[ast.expr], bracket: str | None, resolve: Resolve
) -> tuple[Edit, ...]:
    """Returns the edits that leave one set of parameters in each call of `parametrize`.

    Args:
        source: Where the marks stand.
        marks: Marks of the test, the nearest to it first, as pytest takes them.
        bracket: What the node id has in brackets; None without.
        resolve: Gives the list that a global name stands for.
    """
    calls = [mark for mark in marks if is_parametrize(mark)] if bracket else []
    read = [_read(call, resolve) for call in calls]
    chosen = _chosen(read, bracket) if bracket and read else None
    if chosen is None:
        return ()
    return tuple(
        edit
        for call, one in zip(read, chosen, strict=True)
        if call is not None and one is not None
        for edit in _edits(source, call, one)
    )


def shortened_fixture(
    source: Source, mark: ast.Call, name: str, bracket: str, resolve: Resolve
) -> tuple[Edit, ...]:
    """Returns the edits that leave one set of parameters in a fixture; none where more than one may be meant.

    Args:
        source: Where the fixture stands.
        mark: The call that makes it one.
        name: Its name.
        bracket: What the node id has in brackets.
        resolve: Gives the list that a global name stands for.
    """
    call = _lists(
        (name,),
        next((each.value for each in mark.keywords if each.arg == "params"), None),
        _ids_of(mark),
        resolve,
    )
    if call is None or any(one.id is None for one in call.sets):
        return ()
    chosen = [one for one in call.sets if re.search(rf"(?:^|-){re.escape(one.id or '')}(?:-|$)", bracket)]
    return tuple(_edits(source, call, (chosen[0], chosen[0].id or ""))) if len(chosen) == 1 else ()


def _ids_of(mark: ast.Call) -> ast.expr | None:
    return next((each.value for each in mark.keywords if each.arg == "ids"), None)


def is_parametrize(mark: ast.expr) -> bool:
    """Whether a mark gives arguments their values."""
    return (
        isinstance(mark, ast.Call)
        and isinstance(mark.func, ast.Attribute)
        and mark.func.attr == "parametrize"
    )


def direct_names(marks: Sequence[ast.expr]) -> set[str]:
    """Returns arguments that marks give a value, so that no fixture of that name is asked."""
    names: set[str] = set()
    for mark in marks:
        if isinstance(mark, ast.Call) and is_parametrize(mark) and _given(mark, 4, "indirect") is None:
            names.update(_argument_names(_given(mark, 0, "argnames")))
    return names


def _given(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if position < len(call.args):
        return call.args[position]
    return next((each.value for each in call.keywords if each.arg == name), None)


def _argument_names(node: ast.expr | None) -> tuple[str, ...]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return tuple(name.strip() for name in node.value.split(",") if name.strip())
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(str(each.value) for each in node.elts if isinstance(each, ast.Constant))
    return ()


def _read(mark: ast.expr, resolve: Resolve) -> _Parametrize | None:
    """Reads a call; None where its list is not a plain one."""
    if not isinstance(mark, ast.Call):
        return None
    names = _argument_names(_given(mark, 0, "argnames"))
    return _lists(names, _given(mark, 1, "argvalues"), _given(mark, 3, "ids"), resolve)


def _lists(
    names: Sequence[str], values: ast.expr | None, given: ast.expr | None, resolve: Resolve
) -> _Parametrize | None:
    shown = resolve(values.id) if isinstance(values, ast.Name) else values
    ids = given if isinstance(given, ast.List | ast.Tuple) else None
    if (
        values is None
        or not names
        or not isinstance(shown, ast.List | ast.Tuple)
        or any(isinstance(each, ast.Starred) for each in shown.elts)
        or (ids is not None and len(ids.elts) != len(shown.elts))
    ):
        return None
    is_computed = given is not None and ids is None and not _is_none(given)
    sets = tuple(
        _set(names, index, each, ids.elts[index] if ids else None, is_computed=is_computed)
        for index, each in enumerate(shown.elts)
    )
    return _Parametrize(values=values, sets=sets, ids=ids, computed=given if is_computed else None)


def _set(
    names: Sequence[str], index: int, node: ast.expr, given: ast.expr | None, *, is_computed: bool
) -> _Set:
    values, own = _values(names, node)
    named = own if own is not None else given
    if named is not None and not _is_none(named):
        text = _literal_id(named)
        return _Set(node=node, id=text, guess=text or "", is_own=True)
    texts = _ids(names, index, values)
    guess = "-".join(f"{name}{index}" if text is None else text for name, text in texts)
    is_known = not is_computed and all(text is not None for _, text in texts)
    is_numbered = not is_computed and any(map(_is_numbered, values))
    return _Set(node=node, id=guess if is_known else None, guess=guess, is_own=is_known and not is_numbered)


def _values(names: Sequence[str], node: ast.expr) -> tuple[list[ast.expr], ast.expr | None]:
    """Returns the values of a set, and the id that `pytest.param` gives it."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "param":
        own = next((each.value for each in node.keywords if each.arg == "id"), None)
        return list(node.args), own
    if len(names) > 1 and isinstance(node, ast.Tuple | ast.List):
        return list(node.elts), None
    return [node], None


def _ids(names: Sequence[str], index: int, values: Sequence[ast.expr]) -> list[tuple[str, str | None]]:
    if len(values) != len(names):
        return [(name, None) for name in names]
    return [
        (name, f"{name}{index}" if _is_numbered(value) else _literal_id(value))
        for name, value in zip(names, values, strict=True)
    ]


def _is_numbered(value: ast.expr) -> bool:
    """Whether pytest calls a value by its argument and the number of its set."""
    return isinstance(
        value, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    )


def _literal_id(node: ast.expr) -> str | None:
    if isinstance(node, ast.Lambda):
        return "<lambda>"
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(value, str):
        return value.encode("unicode_escape").decode("ascii")
    if isinstance(value, bytes):
        return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in value)
    return str(value) if value is None or isinstance(value, bool | int | float | complex) else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _chosen(calls: Sequence[_Parametrize | None], bracket: str) -> list[tuple[_Set, str] | None] | None:
    """Returns the set of each call, with its part of the bracket; None where more than one choice fits."""
    for is_guessing in (False, True):
        for around in ("{}", "(?:.+-)?{}", "{}(?:-.+)?"):
            found = list(islice(_fitting(calls, bracket, around, is_guessing=is_guessing), 2))
            if len(found) == 1:
                return found[0]
            if found:
                break
    found = list(islice(_fitting(calls, bracket, "{}", is_guessing=None), 2))
    return found[0] if len(found) == 1 else None


def _fitting(
    calls: Sequence[_Parametrize | None], bracket: str, around: str, *, is_guessing: bool | None
) -> Iterator[list[tuple[_Set, str] | None]]:
    options = [[None] if call is None else list(call.sets) for call in calls]
    patterns = [[_pattern(one, is_guessing=is_guessing) for one in each] for each in options]
    indices = product(*(range(len(each)) for each in options))
    for chosen in islice(indices, _MOST_COMBINATIONS):
        parts = [patterns[position][index] for position, index in enumerate(chosen)]
        if any(part is None for part in parts):
            continue
        match = re.fullmatch(around.format("-".join(f"({part})" for part in parts)), bracket, re.DOTALL)
        if match:
            yield [
                None if (one := options[position][index]) is None else (one, match[position + 1])
                for position, index in enumerate(chosen)
            ]


def _pattern(one: _Set | None, *, is_guessing: bool | None) -> str | None:
    if one is None:
        return ".*"
    if one.id is not None:
        return re.escape(one.id)
    if is_guessing is None:
        return ".*"
    return re.escape(one.guess) if is_guessing else None


def _edits(source: Source, call: _Parametrize, chosen: tuple[_Set, str]) -> Iterator[Edit]:
    one, text = chosen
    start, end = source.span(call.values)
    # Standing alone it would be called by another number.
    named = "" if one.is_own or call.computed is not None else f", ids=[{text!r}]"
    yield Edit(start=start, end=end, text=f"[{source.segment(one.node)}]{named}")
    if call.computed is not None and not one.is_own:
        start, end = source.span(call.computed)
        yield Edit(start=start, end=end, text=f"[{text!r}]")
    if call.ids is not None:
        start, end = source.span(call.ids)
        kept = call.ids.elts[call.sets.index(one)]
        yield Edit(start=start, end=end, text=f"[{source.segment(kept)}]")
