"""What the controller does when a worker of xdist has died: what it had done, where it died, what goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import Failure, Outcome, Profile
from pytest_repro.plugin.internals.workers import (
    exit_code_of,
    is_worker_replaced,
    leave_out_replacements,
    lose,
    process_of,
)
from pytest_repro.plugin.replays import Replays
from pytest_repro.plugin.session import beside, hash_seed_of_this_process
from pytest_repro.plugin.stress_control import position_path, stacks_path
from pytest_repro.plugin.watchdog import Watchdog
from pytest_repro.processes import end_process
from pytest_repro.report.stress import death_line
from pytest_repro.report.words import whole_seconds
from pytest_repro.signature import make_signature
from pytest_repro.stress.deaths import (
    LOST_CHANNEL,
    Death,
    OutOfMemoryKills,
    code_of_fatal_signal,
    describe_death,
    how_it_ended,
    where_it_was,
)
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.recorder import Activity, Position, read_phases, read_position
from pytest_repro.stress.slice_book import SliceBook
from pytest_repro.stress.stacks import has_native_tool, place_in, read_stacks, shown_stacks, stacks_taken_ns
from pytest_repro.timing.deaths import profile_left_behind

MOST_TOLD = 3
"""Deaths that have a line of their own while the run goes on."""

MOST_EXAMINED = 3
"""Deaths after which crashes are no longer looked into with native tools, which takes seconds each."""


MOST_OF_A_NAME = 40
"""Characters of a test's name beside how long it takes."""

_AFTER = " after the iteration"

LONG_NS = 5 * 10**9
"""An iteration that takes longer is named while it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDeath:
    """The end of one worker.

    Attributes:
        position: Where it was, None if it never ran a slice.
        failure: The iteration that ended with it, None if it was in none.
        is_counted: Whether that iteration had ended: the late teardown of what it had left set up came next,
            or nothing of the test.
        how: In words, such as `died with SIGKILL`.
        profile: What it had timed in the iteration, None if that is nothing.
    """

    position: Position | None
    failure: Failure | None = None
    is_counted: bool = False
    how: str
    profile: Profile | None = None


class WorkerDeaths:
    """Watches the workers and finds out how they died.

    Args:
        config: Of the controller.
        plan: What was asked for.
        folder: Shared by controller and workers.
        book: Knows the slices.
        replays: Knows the seeds.
        clock: Monotonic, in nanoseconds.

    Attributes:
        replaced: Workers that died with an iteration, and in whose place xdist starts another.
        booked: Workers whose death is that of an iteration.
    """

    def __init__(
        self,
        config: pytest.Config,
        plan: StressPlan,
        *,
        folder: Path,
        book: SliceBook,
        replays: Replays,
        clock: MonotonicNs,
    ) -> None:
        self.replaced = 0
        self.booked: dict[str, None] = {}
        self._config = config
        self._root = str(config.rootpath)
        self._plan = plan
        self._folder = folder
        self._book = book
        self._replays = replays
        self._clock = clock
        self._began_ns = clock()
        self._has_native_tool = has_native_tool()
        self._crashes = 0
        self._told = 0
        self._memory = OutOfMemoryKills()
        self._watchdog = Watchdog(hang_ns=plan.watched_hang_ns, triage=plan.triage, clock=clock)

    def watch(self, node: Any) -> bool:
        """Watches a worker from its start; tells whether it shall wait in a crash for a look."""
        process = process_of(node)
        holds_crashes = self._has_native_tool and self._crashes < MOST_EXAMINED
        if process is not None:
            worker = node.gateway.id
            self._watchdog.add(
                worker,
                process,
                position_file=position_path(self._folder, worker),
                stack_file=stacks_path(self._folder, worker),
                holds_crashes=holds_crashes,
                lose=_losing(node),
            )
        return holds_crashes and process is not None

    def was_ended(self, worker: str) -> bool:
        """Tells whether a worker was ended because it hung."""
        examination = self._watchdog.examination(worker)
        return examination is not None and examination.hung_ns is not None

    def waits_for(self, tests: Sequence[str]) -> str:
        """Returns `12 s in test_a` of the iteration that has taken longest, empty if none is long.

        Args:
            tests: Node ids, by the number of their test.
        """
        position = self._watchdog.longest()
        if position is None:
            return ""
        taken_ns = self._clock() - position.began_ns
        if taken_ns < LONG_NS:
            return ""
        name = tests[position.test_index].rpartition("::")[2]
        return f"{whole_seconds(taken_ns)} in {name[:MOST_OF_A_NAME]}"

    def tell_replacements(self) -> None:
        """Tells of workers that are replaced in the place of xdist, which knows less of them."""
        leave_out_replacements(self._config, is_told=self._was_in_iteration)

    def tell(self, failure: Failure, *, is_counted: bool) -> None:
        """Counts a worker that died with an iteration and is replaced, and says so if there were few."""
        is_replaced = is_worker_replaced(self._config)
        self.replaced += is_replaced
        self._told += 1
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._told <= MOST_TOLD and self._config.option.verbose >= 0:
            writer = self._config.get_terminal_writer()
            if writer.width_of_current_line:
                writer.line()
            end = "the worker is replaced"
            if not is_replaced:
                end = f"not replaced (--max-worker-restart {self._config.option.maxworkerrestart})"
            more = "; further ones are only counted" if self._told == MOST_TOLD else ""
            line = death_line(failure)
            if is_counted and failure.message.endswith(_AFTER):
                place = f"after iteration {failure.iteration:,} of {failure.test}"
                line = f"{failure.message.removesuffix(_AFTER)} {place}"
            terminal.write_line(f"[{failure.worker}] {line}; {end}{more}")

    def _was_in_iteration(self, worker: str) -> bool:
        """Tells whether a worker has died in an iteration, or after one that the death is told with."""
        position = read_position(position_path(self._folder, worker))
        if position is None:
            return False
        if position.is_in_iteration or position.activity is Activity.CLOSING:
            return True
        return self._book.last_ended_in(position, worker=worker)[0] > 0

    def stop(self) -> None:
        """Watches no more."""
        self._watchdog.stop()

    def look_into(self, node: Any, *, test: str, slice_id: tuple[int, int] | None) -> WorkerDeath:
        """Finds out how a worker died.

        Args:
            node: The worker.
            test: Node id of the test whose slice it was told to run.
            slice_id: Number of this test and first iteration of the slice, None for whichever it was in.
        """
        worker = node.gateway.id
        seen_ns = self._clock()
        code = exit_code_of(node)
        process = process_of(node)
        if code is None and process is not None:
            # A test has closed its channel: nobody would hear of it any more.
            end_process(process.pid)
        how = "lost its channel" if code is None else f"died with {how_it_ended(code)}"
        position = read_position(position_path(self._folder, worker))
        if position is None or slice_id not in (None, position.slice_id):
            return WorkerDeath(position=None, how=how)
        is_closing = position.activity is Activity.CLOSING
        is_after = not position.is_in_iteration and not is_closing
        last, is_counted = self._book.last_ended_in(position, worker=worker) if is_after else (0, is_closing)
        if is_after and not last:
            return WorkerDeath(position=position, how=how)
        self._crashes += 1
        ended_ns = None
        stacks = read_stacks(stacks_path(self._folder, worker))
        if is_after:
            death = self._death_after(
                replace(position, iteration=last), code=code, stacks=stacks, is_counted=is_counted
            )
        else:
            examination = self._watchdog.examination(worker)
            ended_ns = examination and examination.ended_ns(position)
            death = describe_death(
                position,
                code=code,
                root=self._root,
                stacks=stacks,
                examination=examination,
                ran_out_of_memory=self._memory.any_since(),
                has_lost_channel=code is None,
            )
        failure = self._failure(death, test=test, worker=worker)
        self.booked[worker] = None
        until_ns = ended_ns or stacks_taken_ns(stacks_path(self._folder, worker), seen_ns)
        profile = self._left_behind(node, death.position, test=test, outcome=death.outcome, until_ns=until_ns)
        return WorkerDeath(
            position=position, failure=failure, is_counted=is_counted, how=how, profile=profile
        )

    def interrupted(self, node: Any, position: Position) -> Profile | None:
        """Returns what a worker had timed that could not be waited for at the end; None if nothing."""
        return self._left_behind(
            node,
            position,
            test=self._book.tests[position.test_index],
            outcome=Outcome.INTERRUPTED,
            until_ns=self._clock(),
        )

    def _left_behind(
        self, node: Any, position: Position, *, test: str, outcome: Outcome, until_ns: int
    ) -> Profile | None:
        worker = node.gateway.id
        return profile_left_behind(
            position,
            read_phases(position_path(self._folder, worker), until_ns),
            outcome=outcome,
            test=test,
            worker=worker,
            beside=beside(int(node.workerinput["workercount"])),
        )

    def _death_after(self, position: Position, *, code: int | None, stacks: str, is_counted: bool) -> Death:
        """Charges the death to the last iteration: it may have closed the worker's channel."""
        code = code_of_fatal_signal(stacks) or code
        message = LOST_CHANNEL if code is None else f"the process died with {how_it_ended(code)}"
        if is_counted and code is not None:
            message += _AFTER
        signature = make_signature(exception=None, message=message, frame=place_in(stacks), root=self._root)
        where = (
            f" {position.iteration:,}" if is_counted and code is not None else f" {where_it_was(position)}"
        )
        parts = [message + where]
        if stacks.strip():
            parts.append(shown_stacks(stacks))
        return Death(
            outcome=Outcome.CRASH,
            message=message,
            position=position,
            signature=signature,
            text="\n\n".join(parts),
        )

    def _failure(self, death: Death, *, test: str, worker: str) -> Failure:
        failure = death.failure(
            test=test,
            worker=worker,
            seed=self._replays.seed(test, death.position.iteration),
            hash_seed=hash_seed_of_this_process(),
            elapsed_ns=self._clock() - self._began_ns,
        )
        is_match = self._plan.is_match(death.signature, death.message)
        return replace(failure, text=f"worker {worker}: {death.text}", is_match=is_match)


def _losing(node: Any) -> Callable[[], None]:
    return lambda: lose(node)
