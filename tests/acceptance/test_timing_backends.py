"""A backend of another package, as the README shows one."""

from __future__ import annotations

import os
import re

import pytest

from tests.acceptance.readme_examples import README
from tests.acceptance.sessions import json_lines, run_pytest, session_folder

LIBRARY = """
import time

_free = 0.0

class Array:
    nbytes, shape, dtype = 4_000, (10, 100), "float32"

def _queue(duration_s):
    global _free
    _free = max(_free, time.perf_counter()) + duration_s

def upload(values):
    _queue(0.01)
    return Array()

def matmul(left, right):
    _queue(0.05)
    return Array()

def download(array):
    _queue(0.01)
    synchronize()
    return [0.0]

def synchronize():
    time.sleep(max(0.0, _free - time.perf_counter()))

def is_capturing():
    return False
"""

TEST = """
import acme

def test_matmul():
    array = acme.upload([0.0])
    assert acme.download(acme.matmul(array, array)) == [0.0]
    assert acme.upload.__qualname__ == "AcmeBackend._timed.<locals>.call"
"""


def file_in_readme(name: str) -> str:
    """Returns the block of the README that stands behind the comment with a file's name."""
    found = re.search(
        rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)```", README.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    return found[1]


@pytest.fixture
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's package beside a library that it is for, with the entry point that its project names."""
    header, entry = file_in_readme("pyproject.toml").splitlines()
    group = header.removeprefix('[project.entry-points."').removesuffix('"]')
    information = pytester.mkdir("acme_timing-1.0.dist-info")
    metadata = "Metadata-Version: 2.1\nName: acme-timing\nVersion: 1.0\n"
    (information / "METADATA").write_text(metadata, encoding="utf-8")
    points = "[{}]\n{}\n".format(group, entry.replace('"', ""))
    (information / "entry_points.txt").write_text(points, encoding="utf-8")
    pytester.makepyfile(acme=LIBRARY, acme_timing=file_in_readme("acme_timing.py"), test_acme=TEST)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)


@pytest.mark.usefixtures("installed")
def test_the_backend_of_the_readme_times_its_library(pytester: pytest.Pytester) -> None:
    """Three phases, fenced and sized, and the time of the kernel is not that of the read-back."""
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*to_torch looks slow*"])
    (profile,) = json_lines(session_folder(pytester) / "profiling.jsonl")
    assert [(phase["name"], phase["operation"], phase["fenced"]) for phase in profile["phases"]] == [
        ("to_device", "acme.upload", True),
        ("op", "acme.matmul", True),
        ("to_torch", "acme.download", True),
    ]
    _, op, to_torch = profile["phases"]
    assert op["duration_ns"] >= 50_000_000
    assert to_torch["unfenced_ns"] >= to_torch["duration_ns"] + 40_000_000
    sizes = [phase["transfer"]["size_bytes"] for phase in profile["phases"] if phase["transfer"]]
    assert sizes == [4_000, 4_000]


@pytest.mark.usefixtures("installed")
def test_a_backend_that_cannot_be_taken_off_is_told_of(pytester: pytest.Pytester) -> None:
    """At the end of the session, while warnings are still shown; the tests pass."""
    with (pytester.path / "acme_timing.py").open("a", encoding="utf-8") as file:
        file.write("\n    def detach(self):\n        raise ValueError('no way back')\n")
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        "*timing backend for acme could not be taken off: ValueError: no way back (entry point group "
        "pytest_repro.timing). Calls of its library may still go through it. *"
    )
