"""Watches a process that runs isolated iterations: ends what hangs, and finds out how it died."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_repro.model import Outcome, Phase, Stage
from pytest_repro.plugin.isolated_child import without_report
from pytest_repro.plugin.stress_control import position_path, stacks_path
from pytest_repro.plugin.stress_iteration import Bench
from pytest_repro.plugin.worker_deaths import MOST_EXAMINED
from pytest_repro.processes import end_process
from pytest_repro.signature import HANG_MESSAGE, make_signature
from pytest_repro.stress.deaths import Examination, OutOfMemoryKills, describe_death, how_it_ended
from pytest_repro.stress.recorder import Position, PositionReader, read_phases, read_position
from pytest_repro.stress.stacks import has_native_tool, stacks_taken_ns, take_stacks
from pytest_repro.stress.watchdog import examine, examine_crash, is_same_iteration, overdue_ns
from pytest_repro.timing.deaths import profile_left_behind
from pytest_repro.timing.formats import profile_to_payload

START_NS = 60 * 10**9
"""Time that such a process has to find its test, where iterations have less."""


class FamilyWatch:
    """Looks at one process after the other, from the process that waits for it.

    Args:
        bench: Of this process.
    """

    def __init__(self, bench: Bench) -> None:
        self._clock = bench.clock
        self._place = bench.place
        self._plan = bench.plan
        self._root = str(bench.config.rootpath)
        self._has_native_tool = has_native_tool()
        self._deaths = 0
        self._memory = OutOfMemoryKills()
        self._pid = 0
        self._began_ns = 0
        self._folder = Path()
        self._reader: PositionReader | None = None
        self._suspect: Position | None = None
        self._position: Position | None = None
        self._stacks = ""
        self._phases: tuple[Phase, ...] = ()
        self._is_over = False
        self._examination: Examination | None = None

    @property
    def holds_crashes(self) -> bool:
        """Whether the process waits in a crash until it was looked into: that takes long, so few are."""
        return self._has_native_tool and self._deaths < MOST_EXAMINED

    def begin(self, pid: int, folder: Path) -> None:
        """Watches a process that was just started; its files will be in this folder."""
        self._pid, self._folder = pid, folder
        self._began_ns = self._clock()
        self._reader = self._suspect = self._examination = self._position = None
        self._stacks = ""
        self._is_over = False

    def look(self, *, is_ready: bool) -> None:
        """Ends the process, or its fork, if it takes too long."""
        if not is_ready:
            self._look_at_start()
            return
        if self._reader is None:
            with contextlib.suppress(OSError, ValueError):  # it has not begun yet
                self._reader = PositionReader(position_path(self._folder, self._place.id))
            return
        position = self._reader.look()
        if self.holds_crashes and position.is_in_iteration:
            self._examination = examine_crash(
                position.pid, stack_file=stacks_path(self._folder, self._place.id)
            )
            if self._examination is not None:
                end_process(position.pid)
                return
        taken_ns = overdue_ns(position, now_ns=self._clock(), hang_ns=self._plan.hang_ns)
        if taken_ns is None:
            self._suspect = None
        elif self._suspect is None or not is_same_iteration(self._suspect, position):
            # One look may have met the moment in which a note was made.
            self._suspect = position
        else:
            reader = self._reader
            self._examine(
                position.pid, taken_ns, is_hanging=lambda: is_same_iteration(reader.look(), position)
            )
            self._suspect = None

    def end(self) -> None:
        """Reads what is left in the files of the process, before they are removed."""
        self._read()
        self._is_over = True

    def _read(self) -> None:
        self._position = read_position(position_path(self._folder, self._place.id))
        ended_ns = None
        if self._examination is not None and self._position is not None:
            ended_ns = self._examination.ended_ns(self._position)
        until_ns = ended_ns or stacks_taken_ns(stacks_path(self._folder, self._place.id), self._clock())
        self._phases = read_phases(position_path(self._folder, self._place.id), until_ns)
        self._stacks = take_stacks(stacks_path(self._folder, self._place.id))

    def death(self, code: int, *, test: str, printed: str) -> dict[str, Any]:
        """Returns the result of the iteration that ended with its process.

        Args:
            test: Node id.
            code: Exit status, negative for a signal.
            printed: What it printed last.
        """
        if not self._is_over:
            # Only a fork has died, and no other has begun.
            self._read()
        examination, self._examination = self._examination, None
        self._deaths += 1
        if self._position is None:
            # There was no room for its notes.
            message = f"the process died with {how_it_ended(code)}"
            signature = make_signature(exception=None, message=message)
            return without_report(
                Outcome.CRASH, Stage.CALL, signature=signature, message=message, text=f"{message}\n{printed}"
            )
        death = describe_death(
            self._position,
            code=code,
            root=self._root,
            stacks=self._stacks,
            printed=printed,
            examination=examination,
            ran_out_of_memory=self._memory.any_since(),
        )
        result = without_report(
            death.outcome, death.stage, signature=death.signature, message=death.message, text=death.text
        )
        profile = profile_left_behind(
            death.position,
            self._phases,
            outcome=death.outcome,
            test=test,
            worker=self._place.id,
            beside=self._place.beside,
        )
        if profile is not None:
            result["profile"] = profile_to_payload(profile)
        return result

    def hung_at_start(self, *, printed: str) -> dict[str, Any] | None:
        """Returns the result of an iteration for which no process could be started in time, or None."""
        examination = self._examination
        if examination is None:
            return None
        message = f"hung for {(examination.hung_ns or 0) / 1e9:.0f} s before its first iteration"
        return without_report(
            Outcome.HANG,
            Stage.COLLECT,
            signature=make_signature(exception=None, message=HANG_MESSAGE),
            message=message,
            text=f"{message}\n\n{examination.stacks}\n\n{examination.native or ''}\n\nit printed:\n{printed}",
        )

    def _look_at_start(self) -> None:
        taken_ns = self._clock() - self._began_ns
        if self._plan.hang_ns is not None and taken_ns > max(self._plan.hang_ns, START_NS):
            self._examine(self._pid, taken_ns, is_hanging=lambda: True)

    def _examine(self, pid: int, hung_ns: int, *, is_hanging: Callable[[], bool]) -> None:
        """Looks into a process and ends it, unless it goes on meanwhile."""
        self._examination = examine(
            pid,
            stack_file=stacks_path(self._folder, self._place.id),
            hung_ns=hung_ns,
            triage=self._plan.triage,
            is_hanging=is_hanging,
        )
        if self._examination is not None:
            end_process(pid)
