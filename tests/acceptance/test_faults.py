"""Tests die at random, and the tool misses nothing, tells nothing twice and nothing wrong.

Short here; `python -m tests.faults --seconds 600` for longer, and for all that it can do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import __main__ as driver
from tests.faults.comparison import names_function
from tests.faults.kinds import FAULTS
from tests.faults.session import MARK, run_session

ALONE = """
import faulthandler, sys
from tests.faults.dying import DEEDS
faulthandler.enable()
faulthandler.dump_traceback_later(1.5, exit=True)
DEEDS[sys.argv[1]]("here")
"""
"""Does one deed; a hang ends with exit status 1 and the stack."""

ENDINGS = {"segv": -11, "thread": -11, "abort": -6, "exit0": 0, "exit3": 3, "kill": -9, "term": -15}


@pytest.mark.parametrize(
    ("mode", "density"),
    [
        ("load", 2),
        pytest.param("worksteal", 2, marks=pytest.mark.slow),
        pytest.param("loadscope", 2, marks=pytest.mark.slow),
        pytest.param("each", 2, marks=pytest.mark.slow),
    ],
)
def test_a_random_death_costs_its_own_iteration_and_nothing_else(
    mode: str, density: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Records, summary and exit status say what the tests wrote themselves; all faults, in all stages."""
    size = ("--iterations=4", f"--density={density}", "--hang-time=1s", "--seed=1")
    status = driver.main([f"--modes={mode}", *size, f"--keep-failed={tmp_path}"])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "32 iterations" in printed
    assert list(tmp_path.iterdir()) == []


def test_every_deed_ends_or_hangs_as_it_says_where_it_says() -> None:
    """All at once: each takes a moment to start, and the hangs a moment more."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", ALONE, name],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, fault in FAULTS.items()
        if fault.is_deadly and name != "stop"
    }
    for name, process in processes.items():
        printed = process.communicate(timeout=60)[1]
        assert process.returncode == ENDINGS.get(name, 1), name
        assert names_function(FAULTS[name], printed), name
        assert (FAULTS[name].outcome == "hang") == ("Timeout" in printed), name


def test_a_process_that_stops_itself_is_there_and_does_nothing() -> None:
    """Until somebody kills it."""
    with subprocess.Popen([sys.executable, "-c", ALONE, "stop"], cwd=Path(__file__).parents[2]) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
        finally:
            process.kill()


def test_a_process_that_outlives_its_session_is_named_and_ended(tmp_path: Path) -> None:
    """Whatever group it moved to; what others run is not touched."""
    (tmp_path / "test_it.py").write_text(
        "import subprocess, sys\n\n\n"
        "def test_leaves():\n"
        "    command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "    subprocess.Popen(command, start_new_session=True)\n",
        encoding="utf-8",
    )
    other = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=os.environ | {MARK: "another"}
    )
    try:
        ended = run_session(tmp_path, ["-q"], limit_s=60, grace_s=0.2)
        (left,) = ended.left_behind
        assert "time.sleep(60)" in left
        line = Path("/proc", left.split()[1].rstrip(":"), "cmdline")
        # Gone, or dead and waiting to be reaped; the kill takes a moment.
        deadline_s = time.monotonic() + 10
        while line.exists() and line.read_bytes():
            assert time.monotonic() < deadline_s, "it was not ended"
            time.sleep(0.02)
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_a_session_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """After the time that it may take."""
    text = "import time\n\n\ndef test_long():\n    time.sleep(60)\n"
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    ended = run_session(tmp_path, ["-q"], limit_s=1)
    assert ended.is_late
    assert ended.duration_s < 30
