"""Options of the command line and the ini file, resolved once: flag over ini over default."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_repro.clock import parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.plugin.internals.rootdir import misled_rootdir
from pytest_repro.plugin.isolated_job import is_isolated
from pytest_repro.plugin.limit_options import LIMIT_VALUES, add_limit_options
from pytest_repro.plugin.match_option import read_match
from pytest_repro.plugin.option_reader import OptionReader, at_least_one, destination
from pytest_repro.plugin.order_options import OrderRequest, add_order_options, read_order
from pytest_repro.plugin.record_options import RECORD_VALUES, check_record_options
from pytest_repro.plugin.session import RUN_OPTION, is_worker, run_folder_of
from pytest_repro.plugin.timing_options import read_timing
from pytest_repro.plugin.verify_options import VERIFY_FLAGS, VERIFY_LISTS, VERIFY_VALUES, is_gate_asked_for

if TYPE_CHECKING:
    from pytest_repro.stress.devices import DeviceRequest
    from pytest_repro.stress.plan import StressPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All that a session was asked to do.

    Attributes:
        stress: Plan of the stress run, or None.
        timing: Automatic phases: True on, False everything off, None only phases made by hand.
        profile: Whether the lines inside of the phases are sampled; then `timing` is True.
        json_path: Where the session's summary is also written, or None.
        devices: Devices that a stress run shares out among its workers, or None.
        order: Tests to be run in their order, or None.
    """

    stress: StressPlan | None
    timing: bool | None
    profile: bool
    json_path: str | None
    devices: DeviceRequest | None
    order: OrderRequest | None = None


def add_options(parser: pytest.Parser) -> None:
    """Declares all options; each can stand in the ini file under its name without the dashes."""
    group = parser.getgroup("repro", "reproduce, time and verify (pytest-repro)")
    for name, metavar, text in _VALUES:
        group.addoption(f"--{name}", dest=destination(name), metavar=metavar, default=None, help=text)
        parser.addini(destination(name), f"{text} As --{name}.", default=None)
    for name, metavar, text in VERIFY_LISTS:
        group.addoption(
            f"--{name}", dest=destination(name), metavar=metavar, action="append", default=None, help=text
        )
        parser.addini(destination(name), f"{text} As --{name}.", type="linelist", default=None)
    for name, text in _FLAGS:
        group.addoption(f"--{name}", dest=destination(name), action="store_true", default=None, help=text)
        parser.addini(destination(name), f"{text} As --{name}.", type="bool", default=None)
    for name, positive, text in _NEGATIONS:
        group.addoption(
            f"--{name}", dest=destination(positive), action="store_false", default=None, help=text
        )
    add_limit_options(parser, group)
    add_order_options(parser, group)
    group.addoption(RUN_OPTION, dest="repro_run", metavar="FOLDER", default=None, help=argparse.SUPPRESS)
    reseed_text = "Seed the random number generators before each iteration."
    parser.addini(destination("repro-reseed"), reseed_text, type="bool", default=None)


_VALUES = (
    ("repro-stress", "N", "Run each selected test N times and group its failures by signature."),
    (
        "repro-stress-time",
        "TIME",
        "Repeat tests until TIME (such as 90s, 5m, 1h) is over, all tests together.",
    ),
    ("repro-stop", "K", "Stop a test after its K-th failing iteration and go on with the others."),
    ("repro-seed", "SEED", "Number that the seeds of all iterations derive from (a new one each session)."),
    ("repro-replay", "I", "Run exactly iteration I again; take the seed from the failing session's summary."),
    (
        "repro-lane",
        "LANE",
        "How much of pytest's protocol an iteration goes through: auto (default), fast or full.",
    ),
    (
        "repro-overlap",
        "WHICH",
        "With workers: `none` never runs a test beside itself, `any` (default) spreads its iterations.",
    ),
    (
        "repro-match",
        "SIGNATURE",
        "Only these failures count: a signature file, a signature's key, or a regular expression.",
    ),
    (
        "repro-hang-time",
        "TIME",
        "End an iteration that takes longer than TIME, from outside, and go on (with -n or --repro-isolate).",
    ),
    (
        "repro-triage",
        "COMMAND",
        "Run COMMAND, with {pid} in it, before a hanging process is ended.",
    ),
    (
        "repro-devices",
        "WHICH",
        "Give each worker a device of its own: auto, devices such as 0,1,2, NAME=0,1,2, or none (default).",
    ),
    (
        "repro-reset",
        "COMMAND",
        "Run after a crash, a hang or a device error, such as 'tt-smi -r {device}'; also {worker}.",
    ),
    (
        "repro-reset-on",
        "REGEX",
        "Reset after these errors too, beside those of ttnn and CUDA that are known.",
    ),
    ("repro-reset-limit", "TIME", "Time that one reset may take (default 60s)."),
    ("repro-json", "PATH", "Also write the session's summary to PATH, for programs."),
    *RECORD_VALUES,
    *VERIFY_VALUES,
)

_FLAGS = (
    ("repro-timing", "Time transfers and operations of torch, jax and ttnn as phases, with fences."),
    ("repro-profile", "As --repro-timing, and sample the lines inside of the phases with pyinstrument."),
    ("repro-stress-items", "Make one pytest item per iteration, through pytest-repeat."),
    ("repro-isolate", "Run each iteration in a process of its own, with many hash seeds."),
    *VERIFY_FLAGS,
)

_NEGATIONS = (
    ("no-repro-timing", "repro-timing", "Record no phases at all, not even those made by hand."),
    ("no-repro-reseed", "repro-reseed", "Leave the random number generators alone between iterations."),
)


_ONLY_STRESSED = (
    "repro-stop",
    "repro-seed",
    "repro-match",
    "repro-lane",
    "repro-overlap",
    "repro-isolate",
    "repro-hang-time",
    "repro-triage",
    "repro-stress-items",
    "repro-devices",
    "repro-reset",
    "repro-reset-on",
    "repro-reset-limit",
)


def resolve(config: pytest.Config) -> Options:
    """Reads all options of this session.

    Raises:
        OptionError: A value cannot be read, or options contradict each other.
    """
    read = OptionReader(config)
    iterations = read.value("repro-stress", at_least_one)
    budget_ns = read.value("repro-stress-time", parse_duration_ns)
    replay = read.value("repro-replay", at_least_one)
    stress = devices = None
    if iterations is not None or budget_ns is not None or replay is not None:
        import secrets

        from pytest_repro.stress.plan import StressPlan

        as_items = bool(read.flag("repro-stress-items")) and replay is None
        isolate = bool(read.flag("repro-isolate"))
        overlap = read.value("repro-overlap", _one_of("any", "none")) != "none"
        if not is_worker(config):
            # To a worker of xdist, the controller has handed the count on that it set itself.
            _refuse_count(config)
            _refuse_debugger(config, isolate=isolate)
        if as_items:
            _refuse_items(config, iterations=iterations, overlap=overlap)
        from pytest_repro.plugin.reset_options import read_resets
        from pytest_repro.stress.devices import parse_devices

        devices = read.value("repro-devices", parse_devices)
        seed = read.value("repro-seed", _whole_number)
        reseed = read.flag("repro-reseed")
        if replay is not None and seed is None and reseed is not False:
            raise OptionError(
                f"--repro-replay {replay} needs the seed of the session in which iteration {replay} failed",
                next_step="Add --repro-seed SEED; the summary of that session prints the whole command.",
            )
        stress = StressPlan(
            iterations=iterations,
            budget_ns=budget_ns,
            stop_after=read.value("repro-stop", at_least_one),
            max_failures=config.getoption("maxfail") or None,
            lane=read.value("repro-lane", _one_of("auto", "fast", "full")) or "auto",
            # A replay is told its hash seed from outside, and so runs where it is.
            isolate=isolate and replay is None,
            overlap=overlap,
            as_items=as_items,
            base_seed=secrets.randbits(32) if seed is None else seed,
            reseed=reseed is not False,
            only_iteration=replay,
            hang_ns=read.value("repro-hang-time", parse_duration_ns),
            triage=read.value("repro-triage", _triage),
            # A worker is told by the controller: a file may not be there.
            match=None if is_worker(config) else read_match(config, read),
            resets=read_resets(config, read, leases=devices is not None, parse_time=parse_duration_ns),
        )
    elif not is_isolated():
        for name in _ONLY_STRESSED:
            read.refuse_alone(name, "--repro-stress N")
    _refuse_misleading_path(config)
    is_own_session = not (is_isolated() or is_worker(config)) and run_folder_of(config) is None
    if is_own_session and not is_gate_asked_for(config):
        only_gate = (*VERIFY_VALUES[1:], *VERIFY_LISTS, *VERIFY_FLAGS, *LIMIT_VALUES)
        for name in (name for name, *_ in only_gate):
            read.refuse_alone(name, "--verify-runs N", without="the gate")
    timing, profile = read_timing(config, read)
    if stress is None and not timing and is_own_session and not is_gate_asked_for(config):
        for name in ("repro-json", *(name for name, *_ in RECORD_VALUES)):
            partner = "--repro-stress N, --verify-runs N, --repro-timing or --repro-profile"
            read.refuse_alone(name, partner, without="a session that is recorded")
    if config.getoption("collectonly", default=False):
        # What would be run is shown as it is without repetitions.
        stress = devices = None
    check_record_options(config)
    order = None if is_isolated() else read_order(config)
    return Options(
        stress=stress,
        timing=timing,
        profile=profile,
        json_path=read.value("repro-json", str),
        devices=devices,
        order=order,
    )


def _triage(text: str) -> tuple[str, ...]:
    from pytest_repro.stress.watchdog import parse_triage

    return parse_triage(text)


def _refuse_count(config: pytest.Config) -> None:
    if (config.getoption("count", 1) or 1) != 1:
        raise OptionError(
            "--repro-stress cannot be combined with --count: both repeat tests", next_step="Drop --count."
        )


def _refuse_debugger(config: pytest.Config, *, isolate: bool) -> None:
    is_distributed = config.getoption("dist", "no") != "no"
    for option, name in (("usepdb", "--pdb"), ("trace", "--trace")):
        if not config.getoption(option, default=False):
            continue
        if is_distributed:
            raise OptionError(
                f"{name} cannot be combined with -n: workers have no terminal",
                next_step="Drop -n, or use -n 0.",
            )
        if isolate:
            raise OptionError(
                f"{name} cannot be combined with --repro-isolate: its processes have no terminal",
                next_step="Drop one of them.",
            )


def _refuse_items(config: pytest.Config, *, iterations: int | None, overlap: bool) -> None:
    if iterations is None:
        raise OptionError(
            "--repro-stress-items needs a number of iterations: items are made before the first one runs",
            next_step="Add --repro-stress N.",
        )
    if not config.pluginmanager.has_plugin("repeat") and not config.pluginmanager.has_plugin("pytest_repeat"):
        raise OptionError(
            "--repro-stress-items makes its items through pytest-repeat, which is not loaded",
            next_step="Install pytest-repeat, or drop -p no:repeat.",
        )
    if not overlap:
        raise OptionError(
            "--repro-overlap none cannot be combined with --repro-stress-items: xdist spreads the items",
            next_step="Drop one of them.",
        )


def _refuse_misleading_path(config: pytest.Config) -> None:
    """An option's value would work as long as there is no such file, and then move pytest's rootdir."""
    if is_worker(config):
        return
    for name in ("repro-json", "repro-order"):
        path = config.getoption(destination(name))
        meant = None if path is None else misled_rootdir(config, path)
        if meant is not None:
            raise OptionError(
                f"--{name} {path} made pytest take {config.rootpath} for its rootdir in the place of {meant}",
                next_step=f"Write --{name}={path}.",
            )


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.strip() not in names:
            raise ValueError(" or ".join(names))
        return text.strip()

    return parse


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text.strip()):
        raise ValueError("a whole number from 0 on")
    return int(text)
