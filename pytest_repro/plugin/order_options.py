"""Options of orders: which tests run in which order, and which of them a failure needs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.order.order_file import OrderEntry, parse_order
from pytest_repro.plugin.option_reader import OptionReader, destination
from pytest_repro.plugin.session import is_worker, run_folder_of

ORDER_VALUES = (
    (
        "repro-order",
        "FILE",
        "Run exactly the tests that FILE (`-`: standard input) names, one node id a line, in its order.",
    ),
    (
        "repro-order-missing",
        "WHICH",
        "Tests of --repro-order that are not here: `error` (default), or `drop` says so and goes on.",
    ),
    (
        "repro-bisect-time",
        "TIME",
        "End --repro-bisect after TIME (such as 90s, 5m, 1h) with what it knows by then.",
    ),
)
BISECT = "repro-bisect"
BISECT_LAST = ""
"""Value of `--repro-bisect` without a node id: the last test of the order."""

STANDARD_INPUT = "-"

_PIPED = pytest.StashKey[bytes]()

TRIAL_OPTION = "--repro-trial"
"""Given by a bisection to its processes: they tell of the last test of their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order that was asked for.

    Attributes:
        entries: Lines of the file.
        drops_missing: Whether lines that name no test here are left out.
    """

    entries: tuple[OrderEntry, ...]
    drops_missing: bool


def add_order_options(parser: pytest.Parser, group: Any) -> None:
    """Declares the options."""
    for name, metavar, text in ORDER_VALUES:
        group.addoption(f"--{name}", dest=destination(name), metavar=metavar, default=None, help=text)
        parser.addini(destination(name), f"{text} As --{name}.", default=None)
    group.addoption(
        f"--{BISECT}",
        dest=destination(BISECT),
        metavar="NODEID",
        nargs="?",
        const=BISECT_LAST,
        default=None,
        help="Find the tests that must run before NODEID, or the last one, for it to fail.",
    )
    group.addoption(
        TRIAL_OPTION, dest="repro_trial", action="store_true", default=False, help=argparse.SUPPRESS
    )


def read_piped_order(config: pytest.Config) -> None:
    """Reads an order from standard input, if it is to come from there: later pytest captures it.

    Args:
        config: Of a process that has not loaded any conftest.
    """
    given = config.known_args_namespace.repro_order
    name = config.getini("repro_order") if given is None else given
    if name == STANDARD_INPUT and not is_worker(config) and sys.stdin is not None:
        with contextlib.suppress(OSError):  # nothing is given, or somebody else has captured it
            config.stash[_PIPED] = sys.stdin.buffer.read()


def piped_order(config: pytest.Config) -> bytes | None:
    """Returns what `read_piped_order` has read, or None."""
    return config.stash.get(_PIPED, None)


def read_order(config: pytest.Config) -> OrderRequest | None:
    """Reads the order of this session, None without one.

    Raises:
        OptionError: It cannot be read, or contradicts something else on the command line.
    """
    read = OptionReader(config)
    name = read.value("repro-order", str)
    if is_worker(config):
        # The controller refuses orders among workers.
        return None
    if name is None:
        read.refuse_alone("repro-order-missing", "--repro-order FILE", without="an order")
    if config.getoption(destination(BISECT)) is None and run_folder_of(config) is None:
        read.refuse_alone("repro-bisect-time", "--repro-bisect", without="a bisection")
    if name is None:
        return None
    if config.getoption("dist", "no") != "no" or config.getoption("tx", None):
        raise OptionError(
            "--repro-order cannot be combined with -n: an order needs one process",
            next_step="Drop -n, or add -n 0.",
        )
    _refuse_repeating(config, is_from_ini=config.getoption("repro_order") is None)
    missing = read.value("repro-order-missing", _error_or_drop) or "error"
    data = _read(config, name)
    return OrderRequest(entries=parse_order(data, name=name), drops_missing=missing == "drop")


def _refuse_repeating(config: pytest.Config, *, is_from_ini: bool) -> None:
    order = "repro_order in the ini file" if is_from_ini else "--repro-order"
    for option in ("repro-stress", "repro-stress-time", "repro-replay"):
        name = destination(option)
        is_given = config.getoption(name) is not None
        if not (is_given or config.getini(name)):
            continue
        if is_given and not is_from_ini:
            next_step = "Add --verify-runs N in its place: the whole order runs N times."
        else:
            left_out = "repro_order" if is_from_ini else name
            next_step = f"Add -o {left_out}= to leave out what the ini file asks for."
        other = f"--{option}" if is_given else f"{name} in the ini file"
        raise OptionError(
            f"{order} cannot be combined with {other}: that repeats each test by itself", next_step=next_step
        )
    if (config.getoption("count", 1) or 1) != 1:
        raise OptionError(
            "--repro-order cannot be combined with --count: both say how often tests run",
            next_step="Drop --count; a test that stands in the file twice runs twice.",
        )


def _error_or_drop(text: str) -> str:
    if text.strip() not in ("error", "drop"):
        raise ValueError("error or drop")
    return text.strip()


def _read(config: pytest.Config, name: str) -> bytes:
    piped = piped_order(config) if name == STANDARD_INPUT else None
    if piped is not None:
        return piped
    try:
        return (config.invocation_params.dir / name).read_bytes()
    except OSError as error:
        raise OptionError(
            f"The order file cannot be read: {error.strerror or error}",
            place=name,
            next_step="Give a file with one node id a line.",
        ) from error
