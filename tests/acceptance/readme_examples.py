"""Makes the outputs that README.md shows: `python tests/acceptance/readme_examples.py` writes them anew.

Each output in the README stands in a fenced block behind a comment `<!-- output of: NAME -->`.
`test_readme.py` runs the same examples and compares.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.report.session_records import failure, write_session

README = Path(__file__).parents[2] / "README.md"

PACKETS = """\
import random


def test_packets_arrive():
    arrived = sum(random.random() < 0.995 for _ in range(10))
    assert arrived == 10
"""

PACKETS_FIXED = PACKETS.replace("0.995", "1.0")

GATHER = """\
from pytest_repro.timing.simulated import SimulatedDevice


def test_gather():
    with SimulatedDevice(bandwidth_bytes_per_s=2 * 10**9) as device:
        x = device.to_device(9_270_000)
        y = device.operation("gather", x, duration_ns=80_000_000)
        device.to_torch(y)
"""

CI_LOG = """\
2026-11-19T08:12:01.1000000Z ##[group]Run python -m pytest tests/test_queue.py --timeout=60
2026-11-19T08:12:01.1000001Z python -m pytest tests/test_queue.py --timeout=60
2026-11-19T08:12:01.1000002Z shell: /usr/bin/bash -e {0}
2026-11-19T08:12:01.1000003Z env:
2026-11-19T08:12:01.1000004Z   ARCH_NAME: wormhole_b0
2026-11-19T08:12:01.1000005Z   API_TOKEN: ***
2026-11-19T08:12:01.1000006Z ##[endgroup]
2026-11-19T08:12:02.1000000Z ============================= test session starts ==============================
2026-11-19T08:12:02.1000001Z platform linux -- Python 3.12.1, pytest-8.4.2, pluggy-1.6.0
2026-11-19T08:12:02.1000002Z rootdir: /home/runner/work/queue
2026-11-19T08:12:02.1000003Z collected 1 item
2026-11-19T08:12:02.1000004Z
2026-11-19T08:12:03.1000000Z tests/test_queue.py F                                                    [100%]
2026-11-19T08:12:03.1000001Z
2026-11-19T08:12:03.1000002Z =================================== FAILURES ===================================
2026-11-19T08:12:03.1000003Z ______________________________ test_drains[wide] _______________________________
2026-11-19T08:12:03.1000004Z
2026-11-19T08:12:03.1000005Z     def test_drains(width):
2026-11-19T08:12:03.1000006Z >       assert drain(width) == 0
2026-11-19T08:12:03.1000007Z E       AssertionError: 3 packets left
2026-11-19T08:12:03.1000008Z
2026-11-19T08:12:03.1000009Z tests/test_queue.py:12: AssertionError
2026-11-19T08:12:03.1000010Z =========================== short test summary info ============================
2026-11-19T08:12:03.1000011Z FAILED tests/test_queue.py::test_drains[wide] - AssertionError: 3 packets left
2026-11-19T08:12:03.1000012Z ============================== 1 failed in 0.91s ===============================
"""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A command in a folder of its own, and what it prints.

    Attributes:
        command: As the README shows it.
        files: Made before, by name.
        exit_status: What it must end with.
        needs: Module without which it cannot run here.
        sessions: Whether the folder holds the sessions of `_write_sessions`.
    """

    command: str
    files: dict[str, str] = field(default_factory=dict)
    exit_status: int = 0
    needs: str | None = None
    sessions: bool = False


EXAMPLES = {
    "networkx": Example(
        command="pytest --pyargs"
        " 'networkx.generators.tests.test_expanders::test_maybe_regular_expander[4-10]'"
        " --repro-stress 20000 -n auto --tb=line --repro-seed 3",
        exit_status=1,
        needs="networkx",
    ),
    "stress": Example(
        command="pytest --repro-stress 50 -n auto --repro-seed 1",
        files={"test_packets.py": PACKETS},
        exit_status=1,
    ),
    "verify": Example(command="pytest --verify-runs 5", files={"test_packets.py": PACKETS_FIXED}),
    "timing": Example(command="pytest --repro-timing", files={"test_gather.py": GATHER}),
    "show": Example(command="repro-report show before", sessions=True),
    "evidence": Example(command="repro-report evidence", sessions=True, exit_status=1),
    "scaffold": Example(command="repro-scaffold queue-drains --log ci.log", files={"ci.log": CI_LOG}),
}


def run_example(example: Example, folder: Path) -> str:
    """Runs one example in this empty folder and returns what it printed.

    Raises:
        AssertionError: It did not end with its exit status.
    """
    for name, text in example.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if example.sessions:
        _write_sessions(folder)
    words = shlex.split(example.command)
    scripts = {
        "pytest": [sys.executable, str(Path(sys.executable).parent / "pytest")],
        "repro-scaffold": [
            sys.executable,
            "-c",
            "import sys; from pytest_repro.cli.scaffold import main; sys.exit(main())",
        ],
        "repro-report": [
            sys.executable,
            "-c",
            "import sys; from pytest_repro.cli.report import main; sys.exit(main())",
        ],
    }
    # Without the tracer of a coverage run: what is timed under one is marked as contended.
    # Without the mark of a CI: there pytest cuts no line of its summary.
    foreign = ("PYTEST_", "COVERAGE_", "CI", "BUILD_NUMBER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [*scripts[words[0]], *words[1:]],
        cwd=folder,
        env={**environment, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == example.exit_status, output
    return "\n".join(line.rstrip() for line in output.strip().splitlines())


def _write_sessions(folder: Path) -> None:
    """Writes a stress run that failed and a gate after it: small, and the same each time."""
    first = failure(
        "test_packets.py::test_packets_arrive", 7, message="assert 9 == 10", seed=4, elapsed_ns=3_100_000
    )
    test = {
        "test": "test_packets.py::test_packets_arrive",
        "planned": 50,
        "outcomes": {"passed": 47, "failed": 3},
        "stages_ns": [1, 2, 3],
        "fastest_ns": 1,
        "slowest_ns": 2,
        "first_failure": first,
    }
    replay = "python -m pytest test_packets.py::test_packets_arrive --repro-seed 1 --repro-replay 7"
    bug = {"signature": first["signature"], "failures": 3, "tests": [test["test"]], "first": first}
    git = {"commit": "4f2d8a90c1b7", "branch": "fix/packets", "is_dirty": False}
    facts = {"git": git, "host": "lab3", "cpus": 8, "python": "3.12.1", "versions": {"pytest": "9.2.0"}}
    write_session(
        folder,
        facts={**facts, "tag": "before", "command": "pytest --repro-stress 50 --repro-tag before"},
        summary={
            "exit_status": 1,
            "iterations_executed": 50,
            "failures": 3,
            "base_seed": 1,
            "tests": [test],
            "bugs": [bug | {"replay": replay}],
        },
    )
    changed = {**git, "is_dirty": True, "difference": "08c1d5f2a7e94b36"}
    said = "stable: 5 of 5 runs passed: a failure rate above 45 % is ruled out at 95 % confidence"
    write_session(
        folder,
        kind="verify",
        minute=25,
        facts={**facts, "git": changed, "command": "pytest --verify-runs 5"},
        summary={
            "kind": "verify",
            "verdict": "stable",
            "exit_status": 0,
            "runs_asked": 5,
            "runs_passed": 5,
            "said": [said],
            "runs": [{"run": run, "exit_status": 0, "duration_ns": 400_000_000} for run in range(1, 6)],
        },
    )


_CHANGING = (
    # Ten seconds in, a plain line tells how far a run is: a slow machine shows one, a fast one none.
    (re.compile(r"^stress: .*$|^[.FEsxX]+(?: +\[ *\d+%\])?$|^ +\[ *\d+%\]$", re.MULTILINE), ""),
    # So does the gate; and where something else worked meanwhile, its runs took unlike times.
    (re.compile(r"^verify: run .*$|^unsteady: .*$", re.MULTILINE), ""),
    (re.compile(r"\b\d+(?:\.\d+)? (?:µs|us|ms|s)\b|\b\d+\.\d+s\b|\b\d+ min \d+ s\b"), "TIME"),
    (re.compile(r"\b\d{8}-\d{6}-(\w+)-[0-9a-f]{4}\b"), r"SESSION-\1"),
    (re.compile(r"(?:/[\w.+-]+)+/(?=site-packages/|\.pytest_repro/|lib/python)"), "/FOLDER/"),
    (re.compile(r"'?(?:\.\./)*[^\s':]*/site-packages/"), "SITE/"),
    (re.compile(r"^(?:rootdir|plugins|platform|configfile)\b.*$", re.MULTILINE), ""),
    (re.compile(r"^\[gw\d+\] .*$", re.MULTILINE), "[gwN]"),
    (re.compile(r"\bgw\d+\b"), "gwN"),
    (re.compile(r"\b\d+(/\d+)? workers?\b"), "WORKERS"),
    (re.compile(r"\[\d+ items?\]"), "[ITEMS]"),
    (
        re.compile(r"first failure: iteration [\d,]+ on (\w+), after TIME, its seed \d+"),
        r"first failure on \1",
    ),
    (re.compile(r"--repro-replay \d+"), "--repro-replay N"),
    (re.compile(r"^-+ iteration [\d,]+ -+$", re.MULTILINE), "ITERATION"),
    (re.compile(r"0x[0-9a-fA-F]+"), "ADDRESS"),
    (re.compile(r"so far: [^,]*, by the end of \w+\."), "so far: SIZE"),
    (re.compile(r"\b\d+(\.\d+)? %|<1 %"), "SHARE"),
    (re.compile(r"\b\d+\.\d\d\b(?= GB/s| TIME| )"), "RATE"),
    # A state.json holds the number of a process.
    (re.compile(r"^ +[\d.]+ k?B +(?=\w+\.json$)", re.MULTILINE), "SIZE "),
    (re.compile(r"[ =_-]{2,}"), " "),
)


def masked(output: str) -> list[str]:
    """Returns the lines of an output without what changes from run to run and from machine to machine."""
    for pattern, replacement in _CHANGING:
        output = pattern.sub(replacement, output)
    return [line.strip() for line in output.splitlines() if line.strip()]


_BLOCK = re.compile(r"(<!-- output of: (\w+) -->\n```console\n)(.*?)(\n```)", re.DOTALL)


def shown_outputs(readme: str) -> dict[str, str]:
    """Returns the outputs that the README shows, by name, without their command line."""
    return {name: body.partition("\n")[2] for _, name, body, _ in _BLOCK.findall(readme)}


def shown_commands(readme: str) -> dict[str, str]:
    """Returns the commands above these outputs, by name."""
    return {name: body.partition("\n")[0].removeprefix("$ ") for _, name, body, _ in _BLOCK.findall(readme)}


def with_outputs(readme: str, outputs: dict[str, str]) -> str:
    """Returns the README with these commands and outputs in its blocks."""

    def replaced(block: re.Match[str]) -> str:
        name = block[2]
        if name not in outputs:
            return block[0]
        return f"{block[1]}$ {EXAMPLES[name].command}\n{outputs[name]}{block[4]}"

    return _BLOCK.sub(replaced, readme)


def main() -> None:
    """Writes the outputs of all examples, or of those named as arguments, into the README."""
    outputs = {}
    for name in sys.argv[1:] or EXAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            outputs[name] = _tidied(run_example(EXAMPLES[name], Path(folder)), Path(folder))
    text = README.read_text(encoding="utf-8")
    README.write_text(with_outputs(text, outputs), encoding="utf-8")


def _tidied(output: str, folder: Path) -> str:
    """Shows a reader's folders instead of a temporary one."""
    relative = os.path.relpath(sys.prefix, folder)
    output = output.replace(relative, "../.venv").replace(sys.prefix, "/home/me/.venv")
    plugins = "plugins: repeat-0.9.4, repro-0.1.0, timeout-2.4.0, xdist-3.8.0"
    output = re.sub(r"^plugins: .*$", plugins, output, flags=re.MULTILINE)
    return output.replace(str(folder), "/home/me/project")


if __name__ == "__main__":
    main()
