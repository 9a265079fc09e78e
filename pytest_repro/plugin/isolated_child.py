"""The process that runs iterations for `--repro-isolate`: each in a fork of its own, or just one itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from typing import Any

import pytest

from pytest_repro.model import Outcome, Signature, Stage
from pytest_repro.plugin.internals.output import take_captured
from pytest_repro.plugin.internals.process import die_with_parent, make_base_folder
from pytest_repro.plugin.isolated_job import IsolatedJob
from pytest_repro.plugin.iteration_hooks import IterationHooks
from pytest_repro.plugin.lanes import Lane, choose_lane
from pytest_repro.plugin.stress_iteration import Bench, RunningTest
from pytest_repro.signature import signature_to_dict
from pytest_repro.stress.loop import FailureFacts, IterationResult
from pytest_repro.stress.pipe import is_readable, read_frame, write_frame

_HOLD_DEVICES = ("ttnn", "jax", "jaxlib", "tensorflow")


class _Forked:
    """A child of this process.

    Args:
        pid: Its process id.
        commands_fd: Where nothing comes while it works, unless nobody waits for it any more.
    """

    def __init__(self, pid: int, commands_fd: int) -> None:
        self._pid = pid
        self._commands_fd = commands_fd
        self._code: int | None = None

    def is_wanted(self) -> bool:
        """Tells whether it still runs, and ends it if nobody waits for it."""
        if self._code is None and is_readable(self._commands_fd, wait_s=0):
            os.kill(self._pid, signal.SIGKILL)
        self._reap(os.WNOHANG)
        return self._code is None

    def end(self) -> int:
        """Waits for its end; returns its exit status, or the negative number of a signal."""
        self._reap(0)
        return 0 if self._code is None else self._code

    def _reap(self, options: int) -> None:
        if self._code is None:
            pid, status = os.waitpid(self._pid, options)
            self._code = os.waitstatus_to_exitcode(status) if pid else None


class IsolatedRunner:
    """Takes the place of pytest's loop over the tests: runs the one test, again and again, as it is told.

    Args:
        job: What it was told.
        iterations: Runs iterations in this process.
        bench: Of this process.
    """

    def __init__(self, job: IsolatedJob, iterations: IterationHooks, bench: Bench) -> None:
        self._job = job
        self._iterations = iterations
        self._bench = bench
        self._lane = Lane.FULL

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Serves iterations until no more are asked for, then ends the process on the spot.

        Nothing is set up in it any more, and what other plugins write at the end of a session (reports,
        caches) belongs to the session that asked.
        """
        is_found = self._serve(session)
        sys.stdout.flush()
        sys.stderr.flush()
        if is_found:
            os._exit(0)
        return True

    def _serve(self, session: pytest.Session) -> bool:
        item = _find(session.items, self._job.test, path=self._job.path)
        if item is None:
            write_frame(self._job.results_fd, {"ready": False})
            return False
        self._lane = choose_lane(item, wanted=Lane(self._bench.plan.lane)).name
        make_base_folder(session.config)
        for descriptor in (self._job.commands_fd, self._job.results_fd):
            # Not for what a test starts.
            os.set_inheritable(descriptor, False)  # noqa: FBT003  the standard library has it so
        reason = reason_against_fork()
        write_frame(self._job.results_fd, {"ready": True, "forks": reason is None})
        with os.fdopen(self._job.commands_fd, encoding="ascii", closefd=False) as commands:
            for line in commands:
                iteration = int(line)
                result = self._forked(item, iteration) if reason is None else self._run(item, iteration)
                write_frame(self._job.results_fd, result)
                if reason is not None:
                    break
        return True

    def _run(self, item: pytest.Item, iteration: int) -> dict[str, Any]:
        control, clock = self._bench.control, self._bench.clock
        control.recorder.note_process()
        control.recorder.begin_slice(0, first=iteration, step=1)
        if control.stacks is not None:
            control.stacks.catch_fatal_signals()
        running = self._iterations.begin(item, None, index=0, nodeid=self._job.test, lane=self._lane)
        try:
            with running.running():
                control.recorder.begin(iteration, clock())
                result = running.execute(iteration, is_last=True)
            control.recorder.idle(clock())
            return result_to_dict(result, running)
        except pytest.exit.Exception as error:
            return {"exit": str(error.msg), "returncode": error.returncode}
        except KeyboardInterrupt:
            return {"interrupt": True}
        finally:
            self._iterations.end()

    def _forked(self, item: pytest.Item, iteration: int) -> dict[str, Any]:
        """Runs one iteration in a child, which is killed if nobody waits for it any more."""
        theirs, ours = os.pipe()
        family = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(theirs)
                die_with_parent(family)
                write_frame(ours, self._run(item, iteration))
                status = 0
            except BaseException:  # noqa: BLE001  the process ends here, and says why
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(ours)
        process = _Forked(child, self._job.commands_fd)
        try:
            result = read_frame(theirs, is_alive=process.is_wanted)
        finally:
            os.close(theirs)
            code = process.end()
        return {"died": code, "printed": take_captured(item.config)} if result is None else result


def without_report(
    outcome: Outcome, stage: Stage, *, signature: Signature, message: str, text: str
) -> dict[str, Any]:
    """Returns the result of an iteration of which pytest could make no report.

    Args:
        outcome: How it ended.
        stage: Where.
        signature: What it has in common with others of the same kind.
        message: What it says of itself.
        text: All that is known.
    """
    facts = FailureFacts(stage=stage, signature=signature_to_dict(signature), message=message, text=text)
    return result_to_dict(IterationResult(outcome=outcome, stages_ns=(0, 0, 0), failure=facts), None)


def result_to_dict(result: IterationResult, running: RunningTest | None) -> dict[str, Any]:
    """Returns a result for another process, with the reports, for who shows a test that passed."""
    facts = result.failure
    return {
        "outcome": result.outcome.value,
        "stages_ns": result.stages_ns,
        "profile": result.profile,
        "reports": None if running is None else running.last_reports(),
        "failure": None
        if facts is None
        else {
            "stage": facts.stage.value,
            "signature": dict(facts.signature),
            "message": facts.message,
            "text": facts.text,
            "is_match": facts.is_match,
            "reset_reason": facts.reset_reason,
        },
    }


def reason_against_fork() -> str | None:
    """Returns why a fork of this process may not run a test, or None."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return "this system's libraries do not survive a fork"
    if threading.active_count() > 1:
        return "threads are running"
    for name in _HOLD_DEVICES:
        if name in sys.modules:
            return f"{name} is loaded"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "torch has initialised CUDA"
    return None


def _find(items: list[pytest.Item], test: str, *, path: str) -> pytest.Item | None:
    """Returns the item; the path in its node id may differ with what stands on the command line.

    None if there are several: whichever ran, it could be another than the one that was meant.
    """
    _, _, name = test.partition("::")
    same = [item for item in items if str(item.path) == path and item.nodeid.partition("::")[2] == name]
    return same[0] if len(same) == 1 else None
