"""When an iteration hangs, and what is found out before its process is ended."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_repro.stress.bounded import run_bounded
from pytest_repro.stress.deaths import Examination, code_of_fatal_signal
from pytest_repro.stress.held import held_signal, release_children
from pytest_repro.stress.recorder import Activity, Position
from pytest_repro.stress.stacks import STACK_LIMIT, ask_for_stacks, native_stacks, read_stacks

GRACE_NS = 10**9
"""Time that pytest-timeout gets to end a test by itself, beyond its own limit."""

TRIAGE_NS = 60 * 10**9
"""Time that the user's command for a hanging process may take."""


def overdue_ns(position: Position, *, now_ns: int, hang_ns: int | None) -> int | None:
    """Returns how long the iteration has taken, if it hangs; None if it does not.

    Args:
        position: Where the process is.
        now_ns: Monotonic clock.
        hang_ns: Longest time of an iteration, None where only pytest-timeout's limit holds.
    """
    is_closing = position.activity is Activity.CLOSING
    if not position.is_in_iteration and not is_closing:
        return None
    began_ns = position.since_ns if is_closing else position.began_ns
    taken_ns = now_ns - began_ns
    if hang_ns is not None:
        return taken_ns if taken_ns > hang_ns else None
    limit_ns = position.limit_ns
    if limit_ns is None:
        return None
    if position.is_limit_of_call:
        in_call_ns = now_ns - position.since_ns
        is_over = position.activity is Activity.CALL and in_call_ns > limit_ns + GRACE_NS
        return taken_ns if is_over else None
    # If a stage began after the limit, pytest-timeout has ended the one before: the rest has time of its own.
    start_ns = position.since_ns if position.since_ns > began_ns + limit_ns else began_ns
    return taken_ns if now_ns - start_ns > limit_ns + GRACE_NS else None


def examine(
    pid: int,
    *,
    stack_file: Path,
    hung_ns: int,
    triage: Sequence[str] | None,
    is_hanging: Callable[[], bool],
) -> Examination | None:
    """Finds out where a hanging process is; takes some seconds at most, and those of the user's command.

    Args:
        pid: The process.
        stack_file: Where it writes its stacks.
        hung_ns: How long its iteration has taken.
        triage: The user's command, with `{pid}` in it.
        is_hanging: Tells whether it is still where it was.

    Returns:
        What was found; the process can do nothing more and must be ended. None if it went on by itself.
    """
    native = native_stacks(pid)
    told = None
    if triage is not None:
        command = [argument.replace("{pid}", str(pid)) for argument in triage]
        output = run_bounded(command, limit_ns=TRIAGE_NS, limit_bytes=4 * STACK_LIMIT)
        problem = f"\n({output.problem})" if output.problem else ""
        told = (output.text.strip()[-STACK_LIMIT:] + problem).strip()
    if not is_hanging():
        return None
    # Last: it wakes a process that waits for a signal, and holds it there.
    stacks = ask_for_stacks(pid, stack_file)
    return Examination(hung_ns=hung_ns, stacks=stacks, native=native, triage=told)


def is_same_iteration(one: Position, other: Position) -> bool:
    """Tells whether a process has not left its iteration between two looks."""
    return (one.test_index, one.iteration, one.began_ns) == (
        other.test_index,
        other.iteration,
        other.began_ns,
    ) and (one.is_in_iteration or one.activity == other.activity)


def examine_crash(pid: int, *, stack_file: Path) -> Examination | None:
    """Reads the native stacks of a process that is held in a crash; None if it is not.

    Args:
        pid: The process; it can only be ended.
        stack_file: Where it writes its stacks.
    """
    stacks = read_stacks(stack_file)
    told = code_of_fatal_signal(stacks)
    held = held_signal(pid, told=None if told is None else -told)
    if held is None:
        if told is not None:
            release_children(pid)
        return None
    # Where a test, or a fatal error of Python, has turned faulthandler off, there are native stacks only.
    stacks = stacks if told == -held else ""
    return Examination(hung_ns=None, stacks=stacks, native=native_stacks(pid), code=-held)


def parse_triage(text: str) -> tuple[str, ...]:
    """Reads the user's command for a hanging process.

    Raises:
        ValueError: It is empty or its quotes do not match.
    """
    try:
        command = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"a command with matching quotes ({error})") from error
    if not command:
        raise ValueError("a command such as 'gdb -batch -p {pid}'")
    return command
