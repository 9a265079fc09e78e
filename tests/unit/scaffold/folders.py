"""Reproduction folders to test with, and a pytest that only tells how it was called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pytest_repro.logs.records import CiFailure, Found, LogReport, Session, Variable
from pytest_repro.logs.secrets import Masker
from pytest_repro.model import Frame, Outcome
from pytest_repro.scaffold.build import planned_files
from pytest_repro.scaffold.context import Reproduction, plan
from pytest_repro.scaffold.write import write_folder

FAKE_PYTEST = """\
import json, os, signal, sys, time
with open(os.environ["REPRO_TEST_SEEN"], "w") as file:
    json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}, file)
print("fake pytest")
if os.environ.get("REPRO_TEST_SIGNAL"):
    os.kill(os.getpid(), int(os.environ["REPRO_TEST_SIGNAL"]))
if os.environ.get("REPRO_TEST_READ"):
    print("read", repr(sys.stdin.read()))
if os.environ.get("REPRO_TEST_WAIT"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    try:
        open(os.environ["REPRO_TEST_WAIT"], "w").close()
        time.sleep(60)
    except KeyboardInterrupt:
        print("summary")
        sys.exit(2)
sys.exit(int(os.environ.get("REPRO_TEST_EXIT", "0")))
"""
"""A pytest module; variables of its environment say what it does."""

FAST_PYTHON = """\
#!/bin/sh
if [ "$1" = -c ]; then shift 3; exec "$@"; fi
for word in "$@"; do printf '%s\\0' "$word"; done > "$REPRO_TEST_SEEN.arguments"
env -0 > "$REPRO_TEST_SEEN.environment"
exit "${REPRO_TEST_EXIT:-0}"
"""
"""A Python that starts at once; it notes its arguments and its environment."""


def report_of(**given: object) -> LogReport:
    failure = CiFailure(
        nodeid=str(given.get("nodeid", "tests/test_a.py::test_a")),
        line=7,
        outcome=Outcome.FAILED,
        exception=str(given.get("exception", "ValueError")),
        message=str(given.get("message", "no")),
        place=Frame(file=str(given.get("place", "src/a.py")), line=3),
        text=str(given.get("text", "E   ValueError: no")),
    )
    variables = tuple(
        Variable(name=name, value=value, line=3)
        for name, value in dict(given.get("variables", {})).items()  # type: ignore[call-overload]
    )
    session = Session(
        line=1,
        failures=(failure,),
        variables=variables,
        job=Found(value=str(given.get("job", "unit")), line=1),
        step=Found(value=str(given.get("step", "Run tests")), line=1),
        rootdir=Found(value=str(given.get("rootdir", "/w")), line=1),
        plugins=Found(value=str(given.get("plugins", "xdist-3.6.1")), line=1),
        command=Found(value=str(given.get("command", "pytest -v")), line=2),
    )
    image = Found(value=str(given.get("image", "ubuntu")), line=1)
    return LogReport(line_count=9, session=session, failures=(failure,), runner_image=(image,))


def made(folder: Path, reproduction: Reproduction) -> Path:
    write_folder(folder, planned_files(reproduction, log=None, masker=Masker()), force=True)
    return folder


def script_environment(folder: Path) -> dict[str, str]:
    """The environment for a script whose pytest is the fake one."""
    fake = folder.parent / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "pytest.py").write_text(FAKE_PYTEST)
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(fake),
        "REPRO_PYTHON": sys.executable,
        "REPRO_TEST_SEEN": str(folder.parent / "seen.json"),
    }


def run_script(
    folder: Path, *arguments: str, shell: tuple[str, ...] = (), **environment: str
) -> tuple[int, str, dict[str, object]]:
    seen = folder.parent / "seen.json"
    run = subprocess.run(
        [*shell, str(folder / "run_test.sh"), *arguments],
        env={**script_environment(folder), **environment},
        cwd="/",
        capture_output=True,
        check=False,
        timeout=60,
    )
    return run.returncode, run.stdout.decode() + run.stderr.decode(), json.loads(seen.read_text())


def scaffolded(tmp_path: Path, *, is_flaky: bool = False, **given: object) -> Path:
    reproduction = plan(
        "x-1", report=report_of(**given), folder=tmp_path / "x-1", source_root=tmp_path, is_flaky=is_flaky
    )
    return made(tmp_path / "x-1", reproduction)
