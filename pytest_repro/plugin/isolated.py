"""Iterations in processes of their own (`--repro-isolate`), seen from the process that asks for them.

A family is one fresh pytest process, with a hash seed of its own, that forks a child for each iteration.
Where a fork is not safe, a family runs one iteration and ends. Else the first family runs one iteration,
the second two, and so on, but none goes on when it has spent as much time on iterations as on its start. So
a few iterations try several hash seeds, many are not spent on starts alone, and most seeds are tried more
than once: that tells whether a failure is a matter of the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from pytest_repro.model import Outcome, Stage
from pytest_repro.plugin.command import Relaunch
from pytest_repro.plugin.family_watch import FamilyWatch
from pytest_repro.plugin.isolated_child import without_report
from pytest_repro.plugin.isolated_job import ISOLATED_VARIABLE, IsolatedJob
from pytest_repro.plugin.stress_iteration import TEXT_LIMIT, Bench
from pytest_repro.signature import make_signature, signature_from_dict
from pytest_repro.stress.loop import FailureFacts, IterationResult, Message
from pytest_repro.stress.pipe import read_frame
from pytest_repro.stress.resets import ResetCause
from pytest_repro.stress.seeds import SeedSource, seed_name
from pytest_repro.stress.texts import TEXTS_OF_A_PROCESS

_END_S = 5.0
"""Time that a family gets to end by itself."""

_CAUSES = {
    Outcome.CRASH.value: ResetCause.CRASH.value,
    Outcome.HANG.value: ResetCause.HANG.value,
}


class IsolatedTest:
    """A test while one slice of it runs in other processes; the counterpart of `RunningTest`.

    Args:
        bench: Of this process.
        relaunch: Starts pytest for the test.
        path: File of the test.
        index: 0-based number of the test.
        nodeid: Its node id.
    """

    def __init__(self, bench: Bench, relaunch: Relaunch, *, path: Path, index: int, nodeid: str) -> None:
        self._bench = bench
        self._relaunch = relaunch
        self._path = path
        self._index = index
        self._nodeid = nodeid
        self._seeds = SeedSource(bench.plan.base_seed, seed_name(path.name, nodeid))
        self._hash_seeds = SeedSource(bench.plan.base_seed, f"hash {path.name} {nodeid}")
        self._family: _Family | None = None
        self._families = 0
        self._watch = FamilyWatch(bench)
        self._reports: list[Any] | None = None
        self._shown: set[tuple[str, bool | None]] = set()

    def execute(self, iteration: int, *, is_last: bool) -> IterationResult:
        """Runs one iteration; see `pytest_repro.stress.loop.Execute`."""
        bench = self._bench
        family = self._family or self._begin_family(iteration)
        started_ns = bench.clock()
        answer = family.run(iteration)
        family.used_ns += bench.clock() - started_ns
        family.iterations += 1
        if is_last or answer is None or family.is_spent(self._families):
            self._end_family()
        if answer is None or "died" in answer:
            answer = family.died(answer)
        if "exit" in answer:
            pytest.exit(answer["exit"], returncode=answer["returncode"])
        if "interrupt" in answer:
            raise KeyboardInterrupt
        return self._result(iteration, answer, family)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Ends the last process, whatever happens."""
        try:
            yield
        finally:
            self._end_family()

    def send(self, message: Message) -> None:
        """Sends a message: this process's terminal is its own."""
        self._bench.send(message)

    def recover(self, result: IterationResult) -> None:
        """Resets the device after a failure that asks for it; see `pytest_repro.stress.loop.run_slice`."""
        reason = None if result.failure is None else result.failure.reset_reason
        if reason is None:
            return
        self._end_family()
        bench = self._bench
        done = bench.resets.reset(bench.place.id, bench.device, reason)
        if done is not None:
            bench.send({"kind": "reset", "reset": done.to_payload()})

    def tear_down_wider_scopes(self, nextitem: pytest.Item | None) -> None:
        """Nothing is set up here: each process tears down what it has set up."""

    def last_reports(self) -> list[Any] | None:
        """Returns the last iteration's reports, serialised, or None if there are none."""
        return self._reports

    def _begin_family(self, iteration: int) -> _Family:
        # 0 would turn hash randomisation off.
        hash_seed = self._hash_seeds.seed(iteration) or 1
        started_ns = self._bench.clock()
        is_seen = self._bench.place.id == "main" and self._bench.config.getoption("capture") == "no"
        family = _Family(
            self._relaunch,
            self._relaunch.arguments(self._nodeid, path=self._path, is_told_root=True),
            plan=self._bench.plan.to_payload(),
            worker=self._bench.place.id,
            test=self._nodeid,
            path=str(self._path),
            hash_seed=hash_seed,
            is_seen=is_seen,
            watch=self._watch,
            folder=self._bench.shared,
        )
        self._family = family
        self._families += 1
        family.wait_until_ready()
        family.start_ns = self._bench.clock() - started_ns
        return family

    def _end_family(self) -> None:
        family, self._family = self._family, None
        if family is not None:
            family.close()

    def _result(self, iteration: int, answer: dict[str, Any], family: _Family) -> IterationResult:
        failure = answer["failure"]
        facts = None
        if answer["reports"] is not None:
            self._reports = answer["reports"]
        if failure is not None:
            is_match = failure["is_match"]
            if is_match is None:
                # Who finds a process dead knows no plan.
                signature = signature_from_dict(failure["signature"])
                is_match = self._bench.plan.is_match(signature, failure["message"])
            if is_match is not False:
                self._bench.control.note_failure(self._index)
            key = (failure["signature"]["key"], is_match)
            is_new = key not in self._shown and len(self._shown) < TEXTS_OF_A_PROCESS
            if is_new:
                self._shown.add(key)
            facts = FailureFacts(
                stage=Stage(failure["stage"]),
                signature=failure["signature"],
                message=failure["message"],
                text=failure["text"] if is_new else None,
                reports=answer["reports"] if is_new else None,
                is_match=is_match,
                reset_reason=_CAUSES.get(answer["outcome"], failure["reset_reason"]),
            )
        setup_ns, call_ns, teardown_ns = answer["stages_ns"]
        return IterationResult(
            outcome=Outcome(answer["outcome"]),
            stages_ns=(setup_ns, call_ns, teardown_ns),
            seed=self._seeds.seed(iteration) if self._bench.plan.reseed else None,
            failure=facts,
            profile=answer["profile"],
            hash_seed=family.hash_seed,
        )


@dataclass(frozen=True, slots=True)
class _Pipes:
    """Both ends of the two pipes between a family and the process that asks."""

    commands_in: int
    commands_out: int
    results_in: int
    results_out: int

    @classmethod
    def make(cls) -> _Pipes:
        return cls(*os.pipe(), *os.pipe())


class _Family:
    """One fresh pytest process that runs iterations of one test when told to."""

    def __init__(
        self,
        relaunch: Relaunch,
        arguments: tuple[str, ...],
        *,
        plan: dict[str, Any],
        worker: str,
        test: str,
        path: str,
        hash_seed: int,
        is_seen: bool,
        watch: FamilyWatch,
        folder: Path | None,
    ) -> None:
        self.hash_seed = hash_seed
        self._watch = watch
        self._test = test
        self.start_ns = 0
        self.used_ns = 0
        self.iterations = 0
        self.forks = False
        self._is_ready = False
        self._printed = ""
        self._output: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with the process
        # Of its own: pytest empties such a folder at its start, and keeps three of those it chooses itself.
        self._temporary = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
        pipes = _Pipes.make()
        job = IsolatedJob(
            commands_fd=pipes.commands_in,
            results_fd=pipes.results_out,
            plan=plan,
            worker=worker,
            folder=self._temporary.name,
            holds_crashes=watch.holds_crashes,
            test=test,
            path=path,
            parent_pid=os.getpid(),
        )
        self._commands = pipes.commands_out
        self._results = pipes.results_in
        output = None if is_seen else self._output
        try:
            self._process = subprocess.Popen(
                (*relaunch.launcher, *arguments, f"--basetemp={self._temporary.name}/tmp"),
                cwd=relaunch.start,
                env=os.environ | {"PYTHONHASHSEED": str(hash_seed), ISOLATED_VARIABLE: job.to_text()},
                pass_fds=(pipes.commands_in, pipes.results_out),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(pipes.commands_in)
            os.close(pipes.results_out)
        watch.begin(self._process.pid, Path(self._temporary.name))

    def wait_until_ready(self) -> None:
        """Waits until the process has found its test, or has ended."""
        frame = read_frame(self._results, is_alive=self._is_alive) or {}
        self._is_ready = frame.get("ready", False)
        self.forks = frame.get("forks", False)

    def _is_alive(self) -> bool:
        if self._process.poll() is not None:
            return False
        self._watch.look(is_ready=self._is_ready)
        return True

    def is_spent(self, most: int) -> bool:
        """Tells whether the next iteration needs another process."""
        return not self.forks or self.iterations >= most or self.used_ns >= self.start_ns

    def run(self, iteration: int) -> dict[str, Any] | None:
        """Runs one iteration; returns None if the process has died."""
        if not self._is_ready:
            return None
        try:
            os.write(self._commands, f"{iteration}\n".encode("ascii"))
        except BrokenPipeError:
            return None
        return read_frame(self._results, is_alive=self._is_alive)

    def died(self, answer: dict[str, Any] | None) -> dict[str, Any]:
        """Returns the result of an iteration that ended with its process.

        Args:
            answer: What the family says of a fork that has died; None if the family itself has.
        """
        if self._is_ready:
            code = self._process.returncode if answer is None else answer["died"]
            printed = self._printed if answer is None else answer["printed"]
            return self._watch.death(code, test=self._test, printed=printed)
        hung = self._watch.hung_at_start(printed=self._printed)
        if hung is not None:
            return hung
        alike = "the test was not found by a process of its own"
        message = f"{alike} (PYTHONHASHSEED={self.hash_seed})"
        return without_report(
            Outcome.ERROR,
            Stage.COLLECT,
            signature=make_signature(exception=None, message=alike),
            message=message,
            text=f"{message}; it printed:\n{self._printed}",
        )

    def close(self) -> None:
        """Ends the process and all its children; what it printed last is kept for `died`."""
        os.close(self._commands)
        os.close(self._results)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_END_S)
        finally:
            # What a test has left running goes with the process, as it would outlive nothing else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._watch.end()
            self._temporary.cleanup()
        with self._output as output:
            # A character takes four bytes at most.
            output.seek(max(0, output.seek(0, os.SEEK_END) - 4 * TEXT_LIMIT))
            self._printed = output.read().decode("utf-8", "replace")[-TEXT_LIMIT:]
