"""What must be on record before anybody may say that a failure cannot be fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_repro.errors import ReportError
from pytest_repro.model import Signature
from pytest_repro.report.attempts import Attempt, attempts_of, has_failed, worked_ns
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.session_view import SessionView, read_session
from pytest_repro.report.words import counted, seconds
from pytest_repro.scaffold.signatures import SIGNATURE_FILE, Known, read_known
from pytest_repro.signature import signature_from_dict
from pytest_repro.timing.backend import TO_DEVICE, TO_TORCH
from pytest_repro.timing.summary import HOST
from pytest_repro.timing.units import humanise_bytes

FORMAT_VERSION = 1

LEAST_ATTEMPTS = 5
"""States of the code, beside the first, that were tried."""

LEAST_TIME_NS = 20 * 60 * 10**9
"""Time that was worked."""

LEAST_RUNS = 5
"""Runs of a gate; two are enough where the failure is marked deterministic."""

FOR_A_PERSON = (
    "other code paths and mechanisms were searched for",
    "for each attempt it is written down why it failed",
    "the code that cannot be changed is cited, with the mathematics",
)
"""What no record can show."""

_MOST_READ = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be on record.

    Attributes:
        name: What it is.
        fact: What is there.
        session: Id of the session that shows it; None where there is none.
        is_met: Whether that is enough.
        next_step: What to do where it is not.
    """

    name: str
    fact: str
    session: str | None
    is_met: bool
    next_step: str


def find_failure(name: str, *, places: Sequence[Path]) -> Known:
    """Returns the failure that a reproduction's folder is about.

    Args:
        name: Of the folder, or its path.
        places: Where folders are looked for.

    Raises:
        ReportError: There is no such folder, or it knows no failure.
        ScaffoldError: Its record cannot be read.
    """
    folders = [Path(name), *(place / name for place in places)]
    found = next((folder for folder in folders if (folder / SIGNATURE_FILE).is_file()), None)
    known = None if found is None else read_known(found)
    if known is None:
        raise ReportError(
            f"--failure {name}: no folder of this name has a {SIGNATURE_FILE} with a failure in it",
            place=", ".join(map(str, dict.fromkeys(places))),
            next_step="Give a folder that repro-scaffold has made from a log.",
        )
    return known


def evidence_of(entries: Sequence[SessionEntry], *, known: Known | None = None) -> list[Check]:
    """Holds the records against the list.

    Args:
        entries: Oldest first.
        known: The failure, None where any counts.
    """
    views = [read_session(entry) for entry in entries[-_MOST_READ:]]
    attempts = attempts_of(entries)
    return [
        _reproduced(views, attempts, known),
        _profiled(views),
        _sized(views),
        _sides(views),
        _attempts(attempts),
        _stability(views),
        _time(entries),
    ]


def _first(views: Sequence[SessionView], fits: Callable[[SessionView], bool]) -> SessionView | None:
    return next((view for view in views if fits(view)), None)


def _id(view: SessionView | None) -> str | None:
    return None if view is None else view.entry.id


def _reproduced(views: Sequence[SessionView], attempts: Sequence[Attempt], known: Known | None) -> Check:
    """The failure was seen in the first state of the code, or by a certificate in its base."""
    of_base = {entry.id for attempt in attempts[:1] for entry in attempt.entries}

    def is_shown(view: SessionView) -> bool:
        is_certificate = view.entry.kind == "certificate"
        if not has_failed(view.entry) or not (is_certificate or view.entry.id in of_base):
            return False
        return known is None or any(not known.differences(one) for one in _signatures(view))

    shown = _first(views, is_shown)
    other = _first(views, lambda view: has_failed(view.entry))
    fact = (
        "the failure was seen before any change" if shown else "no session shows the failure before a change"
    )
    if shown is None and other is not None:
        fact += f"; {other.entry.id} failed, with other code or another failure"
    return Check(
        name="reproduced",
        fact=fact,
        session=_id(shown),
        is_met=shown is not None,
        next_step="run the test at the base: pytest --repro-stress N, or --verify-runs N --verify-base REF",
    )


def _signatures(view: SessionView) -> list[Signature]:
    if view.stress is not None:
        return [bug.signature for bug in view.stress.bugs]
    told = view.summary.get("bugs_of_base")
    found = []
    for record in told if isinstance(told, list) else ():
        try:
            found.append(signature_from_dict(record["signature"]))
        except (KeyError, TypeError):
            continue
    return found


def _profiled(views: Sequence[SessionView]) -> Check:
    shown = _first(views, lambda view: any(one.rows for one in view.breakdowns))
    marked = [] if shown is None else [one.bottleneck for one in shown.breakdowns]
    names = ", ".join(dict.fromkeys(row.name for row in marked if row is not None))
    return Check(
        name="profiled",
        fact=f"phases were timed, most time in {names}" if shown else "no session has timed phases",
        session=_id(shown),
        is_met=shown is not None,
        next_step="repeat the test with --repro-timing",
    )


def _sized(views: Sequence[SessionView]) -> Check:
    def size_of(view: SessionView) -> int:
        return sum(row.size_bytes or 0 for one in view.breakdowns for row in one.rows)

    shown = _first(views, lambda view: size_of(view) > 0)
    fact = "no transfer with its size is on record"
    return Check(
        name="sizes logged",
        fact=fact if shown is None else f"{humanise_bytes(size_of(shown))} moved, as logged",
        session=_id(shown),
        is_met=shown is not None,
        next_step="repeat the test with --repro-timing: transfers of ttnn, torch and jax log their sizes",
    )


def _sides(views: Sequence[SessionView]) -> Check:
    def has_device(view: SessionView) -> bool:
        return any(
            row.is_fenced or row.name in (TO_DEVICE, TO_TORCH) for one in view.breakdowns for row in one.rows
        )

    def has_host(view: SessionView) -> bool:
        is_sampled = any(name.startswith("profile_") for name, _ in view.files)
        return is_sampled or any(row.name == HOST for one in view.breakdowns for row in one.rows)

    device, host = _first(views, has_device), _first(views, has_host)
    told = {"device": device, "host": host}
    lacking = [side for side, view in told.items() if view is None]
    fact = "phases of the device and work of the host were seen"
    if lacking:
        fact = f"nothing on record of the {' and the '.join(lacking)}"
    return Check(
        name="host and device",
        fact=fact,
        session=_id(host or device),
        is_met=not lacking,
        next_step="repeat the test with --repro-profile, which samples the host inside of phases",
    )


def _attempts(attempts: Sequence[Attempt]) -> Check:
    tried = attempts[1:]
    newest = tried[-1].entries[-1].id if tried else None
    lacking = LEAST_ATTEMPTS - len(tried)
    return Check(
        name="attempts",
        fact=f"{counted(len(tried), 'change')} of the code with a session, {LEAST_ATTEMPTS} are needed",
        session=newest,
        is_met=lacking <= 0,
        next_step=f"try {counted(max(lacking, 0), 'more different change')}, and run the test after each",
    )


def _stability(views: Sequence[SessionView]) -> Check:
    def runs_of(view: SessionView) -> int:
        # Those of a certificate's base say nothing of a fix.
        return sum(run.get("side") in (None, "fix") for run in view.runs)

    def is_enough(view: SessionView) -> bool:
        automatic = view.summary.get("auto")
        is_sure = isinstance(automatic, dict) and automatic.get("reason") == "deterministic"
        return runs_of(view) >= (2 if is_sure else LEAST_RUNS)

    gates = [view for view in views if view.entry.kind in ("verify", "certificate")]
    shown = _first(list(reversed(gates)), is_enough)
    most = max((runs_of(view) for view in gates), default=0)
    return Check(
        name="runs",
        fact=f"{counted(most, 'run')} of one gate at most, {LEAST_RUNS} are needed"
        if shown is None
        else f"{counted(runs_of(shown), 'run')} of one gate",
        session=_id(shown),
        is_met=shown is not None,
        next_step=f"pytest --verify-runs {LEAST_RUNS} --verify-keep-going",
    )


def _time(entries: Sequence[SessionEntry]) -> Check:
    worked = worked_ns(entries)
    return Check(
        name="time",
        fact=f"{seconds(worked)} from session to session, pauses above half an hour left out",
        session=entries[-1].id if entries else None,
        is_met=worked >= LEAST_TIME_NS,
        next_step=f"{seconds(LEAST_TIME_NS)} are asked for: go on",
    )


def evidence_lines(checks: Sequence[Check]) -> list[str]:
    """Returns the list, each line yes or no, with what to do next."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        where = f" ({check.session})" if check.session else ""
        lines.append(f"{'yes' if check.is_met else 'no ':<3}  {check.name:<{width}}  {check.fact}{where}")
        if not check.is_met:
            lines.append(f"{'':<5}{'':<{width}}  to do: {check.next_step}")
    lacking = sum(not check.is_met for check in checks)
    lines += [f"by hand: {text}" for text in FOR_A_PERSON]
    told = "nothing is missing on record" if not lacking else f"{lacking} of {len(checks)} are missing"
    return [*lines, told]


def evidence_record(checks: Sequence[Check]) -> dict[str, Any]:
    """Returns the same as plain builtins."""
    return {
        "format_version": FORMAT_VERSION,
        "is_complete": all(check.is_met for check in checks),
        "checks": [
            {
                "name": check.name,
                "is_met": check.is_met,
                "fact": check.fact,
                "session": check.session,
                "next_step": None if check.is_met else check.next_step,
            }
            for check in checks
        ],
        "by_hand": list(FOR_A_PERSON),
    }
