"""Samples as files: pyinstrument's page, and what speedscope.app opens."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.own_code import library_folders
from pytest_repro.timing.sampler import INTERVAL_NS
from pytest_repro.timing.samples import frame_text, place_of

if TYPE_CHECKING:
    from pytest_repro.timing.samples import Path, Samples

CALL_STAGE = "call stage"
"""What is sampled of a test without phases."""

_NAME_CHARACTERS = 80


def file_stem(test: str) -> str:
    """Returns the name of a test's files without their ending: safe everywhere, another for each node id."""
    digest = hashlib.sha256(test.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    path, separator, name = test.partition("::")
    readable = re.sub(r"[^A-Za-z0-9]+", "_", f"{path.rpartition('/')[2]}{separator}{name}").strip("_")
    return f"profile_{readable[:_NAME_CHARACTERS]}_{digest}"


def phase_name(path: Path) -> str:
    """Returns a phase's name after those around it, as people read it."""
    return " > ".join(path) or CALL_STAGE


def html_page(test: str, samples: Samples, *, start_s: float) -> str:
    """Returns the page of one test; phases are the outermost frames.

    Args:
        test: Node id.
        samples: Of all its iterations.
        start_s: When they were taken, in seconds since 1970.
    """
    from pyinstrument.renderers.html import HTMLRenderer
    from pyinstrument.session import Session

    total = samples.total()
    records = sorted(
        ([_harmless(frame) for frame in (*_phase_frames(path), *stack)], seen.duration_ns / 1e9)
        for path, stack, seen in samples
    )
    session = Session(
        frame_records=records,
        start_time=start_s,
        duration=total.duration_ns / 1e9,
        min_interval=INTERVAL_NS / 1e9,
        max_interval=INTERVAL_NS / 1e9,
        sample_count=total.number,
        start_call_stack=[""],
        target_description=_harmless(f"{test} (inside its phases)" if any(samples.paths) else test),
        # Not measured, and the page has a place for it: none would be 0 %.
        cpu_time=float("nan"),
        sys_path=sys.path,
        sys_prefixes=list(library_folders()),
    )
    page: str = HTMLRenderer().render(session)
    return page


def speedscope_record(test: str, samples: Samples) -> dict[str, Any]:
    """Returns speedscope's file format: one profile of weighted stacks for each phase."""
    numbers: dict[tuple[str, str, int], int] = {}
    profiles = []
    for path in samples.paths:
        stacks = samples.stacks(path)
        profiles.append(
            {
                "type": "sampled",
                "name": phase_name(path),
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": samples.total(path).duration_ns,
                "samples": [
                    [numbers.setdefault(place_of(frame)[:3], len(numbers)) for frame in stack]
                    for stack in sorted(stacks)
                ],
                "weights": [stacks[stack].duration_ns for stack in sorted(stacks)],
            }
        )
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": test,
        "exporter": "pytest-repro",
        "activeProfileIndex": 0,
        "shared": {"frames": [_speedscope_frame(*frame) for frame in numbers]},
        "profiles": profiles,
    }


def _speedscope_frame(function: str, file: str, first_line: int) -> dict[str, Any]:
    frame: dict[str, Any] = {"name": function}
    if file:
        frame["file"] = file
    if first_line:
        frame["line"] = first_line
    return frame


def _phase_frames(path: Path) -> list[str]:
    return [frame_text(name, "phase", 0) for name in path or (CALL_STAGE,)]


def _harmless(text: str) -> str:
    """The page has all text inside of a script, which it must not end."""
    return text.replace("</", "<\u200b/").replace("<!--", "<\u200b!--")
