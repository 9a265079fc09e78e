"""Runs exactly the tests that an order file names, in its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path, PurePosixPath

import pytest

from pytest_repro.order.matching import Collected, Matching, Unmatched, match_order
from pytest_repro.order.order_file import OrderEntry
from pytest_repro.plugin.internals.items import FreshItem, copy_item
from pytest_repro.plugin.order_options import OrderRequest
from pytest_repro.report.words import counted

_MOST_TOLD = 5


def begin_order(config: pytest.Config, request: OrderRequest) -> None:
    """Registers what puts the tests into their order, and has pytest collect their files only."""
    config.pluginmanager.register(OrderHooks(config, request), "repro-order")
    if config.args_source is not config.ArgsSource.ARGS:
        files = _files(config, request.entries)
        # Where none is found, pytest collects as it would, and the order says what is missing.
        config.args = files or config.args


class OrderHooks:
    """Registered where an order was asked for.

    Args:
        config: Of the session.
        request: The order.
    """

    def __init__(self, config: pytest.Config, request: OrderRequest) -> None:
        self._config = config
        self._request = request
        self._notes: list[str] = []

    # Around all others, those that come first and those that come last: what they shuffle is put right.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None]:
        """Chooses and orders the tests, after every other plugin."""
        collected = list(items)
        result = yield
        tests = [Collected(nodeid=item.nodeid, path=item.path.as_posix()) for item in collected]
        matching = match_order(self._request.entries, tests)
        self._tell_missing(matching, has_errors=session.testsfailed > 0)
        self._arrange(items, [collected[place] for place in matching.order])
        return result

    def pytest_report_collectionfinish(self) -> list[str]:
        """Says what is not as the file has it."""
        return self._notes

    def _arrange(self, items: list[pytest.Item], ordered: Sequence[pytest.Item]) -> None:
        left_in = {id(item) for item in items}
        chosen = [item for item in ordered if id(item) in left_in]
        wanted = {id(item) for item in chosen}
        others = [item for item in items if id(item) not in wanted]
        if len(chosen) < len(ordered):
            self._notes.append(
                f"order: {counted(len(ordered) - len(chosen), 'test')} of the file left out, as asked for"
            )
        times: Counter[int] = Counter()
        arranged = []
        for item in chosen:
            # pytest tears down what an item set up only if the next one is another object.
            arranged.append(_copied(item) if times[id(item)] else item)
            times[id(item)] += 1
        if repeated := sum(1 for number in times.values() if number > 1):
            word = "runs" if repeated == 1 else "run"
            self._notes.append(
                f"order: {counted(repeated, 'test')} {word} more than once, as often as in the file"
            )
        items[:] = arranged
        if others:
            self._config.hook.pytest_deselected(items=others)

    def _tell_missing(self, matching: Matching, *, has_errors: bool) -> None:
        if not matching.unmatched:
            return
        reasons = _reasons(matching.unmatched)
        number = counted(len(matching.unmatched), "line")
        if has_errors:
            # pytest says which files could not be collected, and ends if it is to.
            self._notes += [
                f"order: {number} of the file left out, as files could not be collected",
                *reasons,
            ]
        elif self._request.drops_missing and matching.order:
            self._notes += [f"order: {number} of the file left out", *reasons]
        else:
            lines = "\n".join(reasons)
            raise pytest.UsageError(
                f"--repro-order names tests that are not here, in {number}:\n{lines}\n"
                "Correct the file, or add --repro-order-missing=drop to go on without them."
            )


def _copied(item: pytest.Item) -> pytest.Item:
    copied = copy_item(item)
    # It has the request of its original, which is spent by the time.
    FreshItem(copied).restore()
    return copied


def _reasons(unmatched: Sequence[Unmatched]) -> list[str]:
    told = [f"  {one.reason}" for one in unmatched[:_MOST_TOLD]]
    more = len(unmatched) - len(told)
    return [*told, *([f"  and {more:,} more"] if more else [])]


def _files(config: pytest.Config, entries: Sequence[OrderEntry]) -> list[str]:
    """Returns the files that an order needs, absolute, each once; what is not here is left out."""
    from pytest_repro.scaffold.source import find_source

    start = config.invocation_params.dir
    roots = [config.rootpath, start, *(start / path for path in config.getini("testpaths"))]
    found: dict[str, Path | None] = {}
    for entry in entries:
        name = entry.nodeid.replace("\\", "/").partition("::")[0]
        if name not in found:
            found[name] = _file_at(roots, PurePosixPath(name))
            if found[name] is None:
                source = find_source(config.rootpath, name)
                found[name] = source.root / source.file if source else None
    return list(dict.fromkeys(str(path) for path in found.values() if path is not None))


def _file_at(roots: Sequence[Path], name: PurePosixPath) -> Path | None:
    """Returns the file below one of the roots that has this path, or an end of it."""
    if name.is_absolute() and Path(name).is_file():
        return Path(name)
    for first in range(len(name.parts)):
        for root in roots:
            path = root.joinpath(*name.parts[first:])
            if path.is_file():
                return path
    return None
