"""A reproduction is run, and what came of it is read: the same failure, another, none, or no trial."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from pytest_repro.errors import LogError
from pytest_repro.logs.reader import read_log_file
from pytest_repro.logs.records import CiFailure, LogReport
from pytest_repro.model import EXIT_INTERRUPTED, EXIT_NOTHING_COLLECTED, EXIT_USAGE, Outcome, Signature
from pytest_repro.processes import end_process
from pytest_repro.scaffold.child_output import child_output
from pytest_repro.scaffold.context import signature_of
from pytest_repro.scaffold.signatures import Known
from pytest_repro.signature import CRASH_MESSAGE, signature_from_dict, signature_to_dict

SCRIPT = "run_test.sh"
PYTHON_VARIABLE = "REPRO_PYTHON"

_INTERNAL_ERROR = 3
_NOT_STARTED = (126, 127)
_SIGNALLED = 128
_NO_MODULE = re.compile(r"No module named '?(?P<name>[\w.]+)")
_SKIPPED = re.compile(r"was not run to its end, so it proves nothing(?P<why>.*)")
_UNKNOWN_OPTION = re.compile(r"error: unrecognized arguments: .*--repro-")
_NO_SOURCE = re.compile(r"The source of .+ is not in ")
_PASSED = re.compile(r"\b[1-9]\d* (?:passed|xpassed)\b")
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")

_NO_PLUGIN = "the interpreter has no pytest-repro: activate an environment that has it, or set REPRO_PYTHON"
_NO_INTERPRETER = "there is no interpreter: activate an environment, or set REPRO_PYTHON"


class Result(str, Enum):
    """What came of a trial."""

    SAME = "fails with the same signature"
    OTHER = "fails differently"
    PASSED = "passes here"
    UNKNOWN = "could not be tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a reproduction.

    Attributes:
        result: What came of it.
        reason: Why it could not be tried, else empty.
        signature: Of the failure that comes nearest to the known one; None without any.
        differs: Fields in which it differs.
        has_other_numbers: Whether its message has other numbers than the known one.
        iterations: How often the test ran, None where it was not stressed.
        log: Where its output is kept, None where there is none.
        output: The beginning of it, at most a million bytes.
        interpreter: What ran it in the place of the folder's own, which could not; None where that one did.
    """

    result: Result
    reason: str = ""
    signature: Signature | None = None
    differs: tuple[str, ...] = ()
    has_other_numbers: bool = False
    iterations: int | None = None
    log: Path | None = None
    output: str = ""
    interpreter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    exit_status: int | None
    log: Path | None
    error: str = ""


def try_folder(
    folder: Path,
    known: Known,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    fallback: str = sys.executable,
) -> Trial:
    """Runs a reproduction, and compares its failure with the known one.

    Where the interpreter that the folder finds lacks pytest-repro or does not exist, it is run again by
    the one that runs this, unless `REPRO_PYTHON` says which one is meant.

    The output is read by the same reader that read the CI's log, so that both signatures lack the same
    things; a stress run tells all its bugs in its summary for programs alone, which is read first.

    Args:
        folder: The reproduction's folder.
        known: What is known of the failure.
        arguments: More arguments for pytest.
        environment: Of the run, that of this process by default.
        limit_s: Ends the run after so many seconds; None for no limit.
        fallback: Interpreter for a folder that finds none with pytest-repro.
    """
    variables = dict(os.environ if environment is None else environment)
    trial = _tried(folder, known, arguments, variables, limit_s)
    if trial.reason not in (_NO_PLUGIN, _NO_INTERPRETER) or variables.get(PYTHON_VARIABLE):
        return trial
    again = _tried(folder, known, arguments, {**variables, PYTHON_VARIABLE: fallback}, limit_s)
    return replace(again, interpreter=fallback)


def _tried(
    folder: Path,
    known: Known,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    limit_s: float | None,
) -> Trial:
    with tempfile.TemporaryDirectory(prefix="repro-") as scratch:
        summary = Path(scratch, "summary.json")
        if known.is_flaky:
            arguments = [*arguments, f"--repro-json={summary}"]
        if known.is_flaky and not known.is_child:
            # Another failure does not end the search for the known one.
            match = Path(scratch, "match.json")
            match.write_text(
                json.dumps({"signature": signature_to_dict(replace(known.signature, file=None))})
            )
            arguments = [*arguments, f"--repro-match={match}"]
        run = _run(folder, arguments, environment, limit_s)
        trial = _read(_of_child(run, Path(scratch)) if known.is_child else run, known, summary)
    return replace(trial, log=run.log, output=_text(run.log))


def _of_child(run: _Run, scratch: Path) -> _Run:
    """Returns the run of the original test, where the reproduction's one has run that in its own pytest."""
    child = child_output(_text(run.log))
    if run.exit_status is None or child is None:
        return run
    log = scratch / "child.log"
    log.write_text(child.text, encoding="utf-8")
    return replace(run, exit_status=child.status, log=log)


def _read(run: _Run, known: Known, summary: Path) -> Trial:
    if run.exit_status is None:
        return Trial(result=Result.UNKNOWN, reason=run.error)
    stressed = _stressed(summary) if known.is_flaky else None
    try:
        report = read_log_file(run.log) if run.log else None
    except LogError as error:
        return Trial(result=Result.UNKNOWN, reason=str(error))
    return _judged(run.exit_status, report, stressed, known, run.log)


def _run(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str], limit_s: float | None
) -> _Run:
    script = (folder / SCRIPT).resolve()
    if not script.is_file():
        return _Run(exit_status=None, log=None, error=f"there is no {SCRIPT} in it")
    before = set(_logs(folder))
    try:
        process = subprocess.Popen(
            ["bash", str(script), *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return _Run(
            exit_status=None, log=None, error=f"{SCRIPT} cannot be started: {error.strerror or error}"
        )
    try:
        status: int | None = process.wait(limit_s)
        late = ""
    except subprocess.TimeoutExpired:
        status, late = None, f"it did not end within {limit_s:.0f} s"
    finally:
        if process.poll() is None:
            end_process(process.pid, by=signal.SIGKILL)
            process.wait()
    new = sorted(set(_logs(folder)) - before, key=_number)
    return _Run(exit_status=status, log=new[-1] if new else None, error=late)


def _logs(folder: Path) -> Iterator[Path]:
    return (folder / "logs").glob("run_*.log")


def _number(path: Path) -> int:
    found = re.search(r"\d+", path.stem)
    return int(found[0]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stressed:
    iterations: int
    signatures: tuple[Signature, ...]


def _stressed(summary: Path) -> _Stressed | None:
    try:
        data = json.loads(summary.read_text(encoding="utf-8"))
        return _Stressed(
            iterations=int(data["iterations_executed"]),
            signatures=tuple(signature_from_dict(bug["signature"]) for bug in data["bugs"]),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _judged(
    status: int, report: LogReport | None, stressed: _Stressed | None, known: Known, log: Path | None
) -> Trial:
    if stressed is not None and (stressed.signatures or stressed.iterations):
        if not stressed.signatures:
            return Trial(result=Result.PASSED, iterations=stressed.iterations)
        signatures = stressed.signatures
        if known.is_child and report is not None and report.failures:
            signatures = tuple(signature_of(each, report) for each in report.failures)
        return replace(_compared(signatures, known), iterations=stressed.iterations)
    failures = report.failures if report else ()
    reason = _not_run(status, failures, report, known, log)
    if reason:
        return Trial(result=Result.UNKNOWN, reason=reason)
    if status == 0:
        return Trial(result=Result.PASSED)
    signatures = tuple(signature_of(each, report) for each in failures if report is not None)
    if not signatures and status >= _SIGNALLED:
        signatures = (Signature(exception=None, message=CRASH_MESSAGE),)
    if not signatures:
        return Trial(
            result=Result.UNKNOWN, reason=f"it ended with exit code {status} and names no failing test"
        )
    trial = _compared(signatures, known)
    is_numbered = trial.result is Result.SAME and bool(failures)
    has_numbers = any(_has_numbers(each, report, known) for each in failures)
    return replace(trial, has_other_numbers=is_numbered and not has_numbers)


def _has_numbers(failure: CiFailure, report: LogReport | None, known: Known) -> bool:
    return _is_known(failure, report, known) and known.has_numbers_of(failure.message or "")


def _not_run(
    status: int,
    failures: Sequence[CiFailure],
    report: LogReport | None,
    known: Known,
    log: Path | None,
) -> str:
    """Returns why the test did not run, empty if it did."""
    text = _text(log)
    skipped = _SKIPPED.search(text)
    reasons = (
        f"the test was skipped{skipped['why']}" if skipped else "",
        _no_session(status, report, text),
        _refused(status, text, has_failures=bool(failures)),
        "the source of the test was not found: set REPRO_SOURCE to it" if _NO_SOURCE.search(text) else "",
        *(_missing_import(each, report, known) for each in failures),
        _unfinished(status, report),
    )
    return next(filter(None, reasons), "")


def _no_session(status: int, report: LogReport | None, text: str) -> str:
    if report is not None and report.session.pytest is not None:
        return ""
    missing = _NO_MODULE.search(text)
    if missing:
        name = missing["name"]
        if name in ("pytest", "pytest_repro"):
            return _NO_PLUGIN
        return f"the interpreter has no {name}: activate an environment that has it, or set REPRO_PYTHON"
    # The script says the same by itself, before it begins a log.
    is_unstarted = status in _NOT_STARTED or (status == EXIT_USAGE and not text)
    return _NO_INTERPRETER if is_unstarted else ""


def _refused(status: int, text: str, *, has_failures: bool) -> str:
    if status == EXIT_NOTHING_COLLECTED:
        return "pytest collected no test"
    if status == EXIT_USAGE and not has_failures:
        if _UNKNOWN_OPTION.search(text):
            return _NO_PLUGIN
        return f"pytest refused its command line or a conftest file: {_last_error(text)}"
    if status == _INTERNAL_ERROR:
        return f"pytest met an error of its own: {_last_error(text)}"
    return "it was interrupted" if status == EXIT_INTERRUPTED and not has_failures else ""


def _missing_import(failure: CiFailure, report: LogReport | None, known: Known) -> str:
    name = (failure.exception or "").rpartition(".")[2]
    if (
        failure.outcome is not Outcome.ERROR
        or name not in _IMPORT_ERRORS
        or _is_known(failure, report, known)
    ):
        return ""
    return f"something that it imports is missing: {failure.message}"


def _unfinished(status: int, report: LogReport | None) -> str:
    summary = report.session.summary.value if report and report.session.summary else ""
    if status == 0 and not _PASSED.search(summary):
        return f"the test did not run to its end ({summary or 'no summary'})"
    return ""


def _is_known(failure: CiFailure, report: LogReport | None, known: Known) -> bool:
    return report is not None and not known.differences(signature_of(failure, report))


def _compared(signatures: Sequence[Signature], known: Known) -> Trial:
    nearest = min(signatures, key=lambda each: len(known.differences(each)))
    differs = known.differences(nearest)
    return Trial(
        result=Result.OTHER if differs else Result.SAME, signature=known.mapped(nearest), differs=differs
    )


def _text(log: Path | None) -> str:
    if log is None:
        return ""
    with log.open("rb") as file:
        return file.read(1_000_000).decode("utf-8", "replace")


def _last_error(text: str) -> str:
    lines = [
        line
        for line in text.splitlines()
        if re.match(r"ERROR|E  |INTERNALERROR> \w+Error|\w*Error:|.*error: ", line)
    ]
    return (lines or text.strip().splitlines() or ["no output"])[-1].strip()[:200]
