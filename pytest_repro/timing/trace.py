"""Profiles as a trace that Perfetto and `chrome://tracing` open: the Trace Event Format, in JSON.

Source: "Trace Event Format", Google, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.timing.formats import transfer_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_repro.model import Phase, Profile
    from pytest_repro.timing.formats import Payload

TRACE = "trace.json"


def trace_events(profiles: Sequence[Profile]) -> list[Payload]:
    """Returns the events of a trace: `{"traceEvents": [...]}`.

    Each worker is a process and each of its threads a track; times are in microseconds of the machine's
    monotonic clock. An iteration lies around the phases of its first thread, and the time that a fence
    waited for the device is drawn inside of its phase. Calls that were added up are no interval: they are
    a track of their own, from the first one's start and as long as all together. So is a phase that lasted
    beyond the end of one which it began in, as those of an event loop's tasks do: a track's intervals nest.
    """
    workers = list(dict.fromkeys(profile.worker for profile in profiles))
    threads = {
        (workers.index(profile.worker), phase.thread) for profile in profiles for phase in profile.phases
    }
    events: list[Payload] = [
        {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": worker}}
        for pid, worker in enumerate(workers)
    ]
    events += [
        {"ph": "M", "name": "thread_name", "pid": pid, "tid": thread, "args": {"name": _track(thread)}}
        for pid, thread in sorted(threads)
    ]
    for number, profile in enumerate(profiles):
        events += _profile_events(profile, pid=workers.index(profile.worker), number=number)
    return events


def _track(thread: int) -> str:
    return f"thread {thread}" if thread else "test"


def _profile_events(profile: Profile, *, pid: int, number: int) -> Iterator[Payload]:
    single = [phase for phase in profile.phases if phase.calls == 1]
    first = [phase for phase in single if phase.thread == 0]
    if first:
        yield _iteration_event(profile, first, pid=pid)
    crossing = _crossing(single)
    apart = {id(phase) for phase in crossing}
    for phase in single:
        if id(phase) in apart:
            continue
        yield _phase_event(phase, profile, pid=pid)
        if phase.operation is not None and phase.wait_ns:
            yield _wait_event(phase, pid=pid)
    for place, phase in enumerate(crossing):
        name = phase.operation or phase.name
        yield from _track_events(phase, profile, name=name, pid=pid, id_=f"{number}.crossing{place}")
    for place, phase in enumerate(phase for phase in profile.phases if phase.calls > 1):
        yield from _added_up_events(phase, profile, pid=pid, id_=f"{number}.{place}")


def _crossing(phases: Sequence[Phase]) -> list[Phase]:
    """Returns the phases that began inside of another one of their thread and ended after it."""
    crossing: list[Phase] = []
    ends: dict[int, list[int]] = {}
    for phase in sorted(phases, key=lambda phase: (phase.start_ns, -phase.duration_ns)):
        around = ends.setdefault(phase.thread, [])
        while around and around[-1] <= phase.start_ns:
            around.pop()
        end_ns = phase.start_ns + phase.duration_ns
        if around and end_ns > around[-1]:
            crossing.append(phase)
        else:
            around.append(end_ns)
    return crossing


def _iteration_event(profile: Profile, phases: Sequence[Phase], *, pid: int) -> Payload:
    start_ns = min(phase.start_ns for phase in phases)
    end_ns = max(phase.start_ns + phase.duration_ns for phase in phases)
    return {
        "ph": "X",
        "name": f"iteration {profile.iteration}: {profile.test}",
        "cat": "iteration",
        "pid": pid,
        "tid": 0,
        "ts": start_ns / 1000,
        "dur": (end_ns - start_ns) / 1000,
        "args": {"outcome": profile.outcome.value, "contended": profile.contended},
    }


def _phase_event(phase: Phase, profile: Profile, *, pid: int) -> Payload:
    return {
        "ph": "X",
        "name": phase.operation or phase.name,
        "cat": phase.name,
        "pid": pid,
        "tid": phase.thread,
        "ts": phase.start_ns / 1000,
        "dur": phase.duration_ns / 1000,
        "args": _details(phase, profile),
    }


def _wait_event(phase: Phase, *, pid: int) -> Payload:
    return {
        "ph": "X",
        "name": "wait for the device",
        "cat": "fence",
        "pid": pid,
        "tid": phase.thread,
        "ts": (phase.start_ns + phase.call_ns) / 1000,
        "dur": phase.wait_ns / 1000,
        "args": {},
    }


def _added_up_events(phase: Phase, profile: Profile, *, pid: int, id_: str) -> Iterator[Payload]:
    name = f"{phase.operation or phase.name}, {phase.calls} calls added up"
    return _track_events(phase, profile, name=name, pid=pid, id_=id_)


def _track_events(phase: Phase, profile: Profile, *, name: str, pid: int, id_: str) -> Iterator[Payload]:
    event: Payload = {
        "name": name,
        "cat": phase.name,
        "id": id_,
        "pid": pid,
        "tid": phase.thread,
    }
    yield event | {"ph": "b", "ts": phase.start_ns / 1000, "args": _details(phase, profile)}
    yield event | {"ph": "e", "ts": (phase.start_ns + phase.duration_ns) / 1000, "args": {}}


def _details(phase: Phase, profile: Profile) -> Payload:
    details: Payload = {"test": profile.test, "iteration": profile.iteration, "phase": phase.name}
    details |= {"calls": phase.calls, "hidden_us": phase.hidden_ns / 1000, "fenced": phase.fenced}
    if phase.transfer is not None:
        details |= transfer_record(phase.transfer)
    if phase.is_open:
        details["open"] = True
    return details
