"""Options of orders: which tests run in which order, and which of them a failure needs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
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
        "Run exactly the tests that FILE names, one node id a line, in its order and in one process.",
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
    _refuse_repeating(config)
    missing = read.value("repro-order-missing", _error_or_drop) or "error"
    data = _read(config.invocation_params.dir, name)
    return OrderRequest(entries=parse_order(data, name=name), drops_missing=missing == "drop")


def _refuse_repeating(config: pytest.Config) -> None:
    for option in ("repro-stress", "repro-stress-time", "repro-replay"):
        if config.getoption(destination(option)) is not None:
            raise OptionError(
                f"--repro-order cannot be combined with --{option}: that repeats each test by itself",
                next_step="Add --verify-runs N in its place: the whole order runs N times.",
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


def _read(start: Path, name: str) -> bytes:
    try:
        return (start / name).read_bytes()
    except OSError as error:
        raise OptionError(
            f"The order file cannot be read: {error.strerror or error}",
            place=name,
            next_step="Give a file with one node id a line.",
        ) from error
