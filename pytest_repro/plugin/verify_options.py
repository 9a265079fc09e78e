"""Options of the gate; it needs them before any conftest is loaded, and so before all options are known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.certificate_options import (
    CERTIFICATE_LISTS,
    CERTIFICATE_VALUES,
    CertificateOptions,
    read_certificate_options,
)
from pytest_repro.plugin.limit_options import read_limits
from pytest_repro.plugin.option_reader import OptionReader, at_least_one
from pytest_repro.plugin.session import IN_RUN_VARIABLE

if TYPE_CHECKING:
    from pytest_repro.verify.limits import Limit

MARK = "repro_verify"
"""Mark by which a test talks to the gate."""

NO_GATE = "no"
"""Value of `--verify-runs` that takes back what an ini file or `PYTEST_ADDOPTS` asks for."""

AUTO = "auto"
"""Value of `--verify-runs` that leaves the number to what is on record of the tests."""

VERIFY_VALUES = (
    (
        "verify-runs",
        "N",
        (
            "Run pytest N times, or as often as proves something (auto), in fresh processes and say whether "
            "the tests are stable."
        ),
    ),
    (
        "verify-confidence",
        "P",
        "Confidence, such as 0.99 or 99%%, of what the runs are to prove (default 0.95).",
    ),
    *CERTIFICATE_VALUES,
)
VERIFY_LISTS = CERTIFICATE_LISTS
VERIFY_FLAGS = (("verify-keep-going", "Do all runs of --verify-runs, also after a failing one."),)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What the gate was asked for.

    Attributes:
        runs: Number of runs, None where the recorded failure rates decide.
        confidence: Of what the runs are to prove, from 0 to 1.
        is_seed_fixed: Whether stress runs inside all start from the same seed.
        keep_going: Whether the gate goes on after a run that fails or does not count.
        json_path: Where the summary is also written, or None.
        limits: On what tests may take and must reach.
        certificate: What base and fix are compared by, or None.
    """

    runs: int | None
    confidence: float
    is_seed_fixed: bool
    keep_going: bool
    json_path: str | None
    limits: tuple[Limit, ...] = ()
    certificate: CertificateOptions | None = None


def is_gate_asked_for(config: pytest.Config) -> bool:
    """Tells whether the command line or the ini file asks for the gate; `no` on the command line does not."""
    given = config.getoption("verify_runs", default=None)
    if given is None and config.getoption("repro_replay", default=None) is not None:
        # The ini file asks for the gate, the command line for one iteration.
        return False
    asked = config.getini("verify_runs") if given is None else given
    if IN_RUN_VARIABLE in os.environ and not _is_given_by_hand(config):
        # A pytest that a test of a run starts.
        return False
    return bool(asked) and asked.strip() != NO_GATE


def _is_given_by_hand(config: pytest.Config) -> bool:
    """Tells whether the command line itself asks for the gate, and no ini file or variable behind it."""
    arguments = config.invocation_params.args
    return any(argument.startswith(("--verify-runs", "@")) for argument in arguments)


def read_verify_options(config: pytest.Config) -> VerifyOptions:
    """Reads the options of a gate that was asked for.

    Raises:
        OptionError: A value cannot be read, or something else on the command line contradicts the gate.
    """
    from pytest_repro.stats import DEFAULT_CONFIDENCE
    from pytest_repro.verify.required import parse_confidence

    read = OptionReader(config)
    runs = read.value("verify-runs", _number_of_runs)
    assert runs is not None
    _refuse_standard_input(config)
    refuse_what_changes_runs(config, option="--verify-runs")
    confidence = read.value("verify-confidence", parse_confidence) or DEFAULT_CONFIDENCE
    return VerifyOptions(
        runs=runs or None,
        confidence=confidence,
        is_seed_fixed=read.value("repro-seed", str) is not None,
        keep_going=bool(read.flag("verify-keep-going")),
        json_path=read.value("repro-json", str),
        limits=read_limits(config),
        certificate=read_certificate_options(config, runs=runs or None, confidence=confidence),
    )


def _number_of_runs(text: str) -> int:
    """Reads a number of runs; 0 stands for `auto`."""
    if text.strip() == AUTO:
        return 0
    try:
        return at_least_one(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {AUTO}") from error


_REFUSED = (
    ("usepdb", "--pdb", "its runs have no terminal", "Drop one of them."),
    ("trace", "--trace", "its runs have no terminal", "Drop one of them."),
    ("lf", "--lf", "a run changes what the next selects", "Name the tests instead."),
    ("stepwise", "--stepwise", "a run changes what the next selects", "Name the tests instead."),
    ("stepwise_skip", "--sw-skip", "a run changes what the next selects", "Name the tests instead."),
    ("looponfail", "--looponfail", "its runs would never end", "Drop one of them."),
)


def refuse_what_changes_runs(config: pytest.Config, *, option: str) -> None:
    """Refuses what cannot be handed on to many fresh processes.

    Args:
        config: Of the process that was asked.
        option: What was asked for.

    Raises:
        OptionError: It is there.
    """
    for name, other, why, next_step in _REFUSED:
        if config.getoption(name, default=False):
            raise OptionError(f"{option} cannot be combined with {other}: {why}", next_step=next_step)
    plugins: Any = config.invocation_params.plugins or ()
    unnamed = [plugin for plugin in plugins if not isinstance(plugin, str)]
    if unnamed:
        raise OptionError(
            f"{option} cannot hand {unnamed[0]!r}, given to pytest.main(), on to a fresh process",
            next_step="Give plugins by name, with -p.",
        )


def _refuse_standard_input(config: pytest.Config) -> None:
    if config.getoption("repro_order", default=None) == "-":
        raise OptionError(
            "--verify-runs cannot be combined with --repro-order=-: each run would have to read it anew",
            next_step="Write the order to a file and give its name.",
        )
