"""Makes the outputs that README.md shows: `python tests/acceptance/readme_examples.py` writes them anew.

Each output in the README stands in a fenced block behind a comment `<!-- output of: NAME -->`.
`test_readme.py` runs the same examples and compares.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_repro.cli.report import main as report
from tests.acceptance.readme_store import LEFT_BEHIND, write_store
from tests.repositories import Checkout

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
        is_in_store: Whether the folder holds what `write_store` writes.
        shows: Pattern of a file that the command has written, shown after it.
    """

    command: str
    files: dict[str, str] = field(default_factory=dict)
    exit_status: int = 0
    needs: str | None = None
    is_in_store: bool = False
    shows: str | None = None


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
    "list": Example(command="repro-report list", is_in_store=True),
    "show": Example(command="repro-report show before", is_in_store=True),
    "compare": Example(command="repro-report compare before after", is_in_store=True),
    "html": Example(command="repro-report html before", is_in_store=True),
    "markdown": Example(
        command="repro-report markdown --desc packets", is_in_store=True, shows="outputs/*_packets.md"
    ),
    "pr": Example(command="repro-report pr", is_in_store=True),
    "evidence": Example(command="repro-report evidence", is_in_store=True, exit_status=1),
    "pr_check": Example(command="repro-report pr-check", is_in_store=True, files=LEFT_BEHIND, exit_status=1),
    "metrics": Example(command="repro-report metrics", is_in_store=True),
    "prune": Example(command="repro-report prune --keep 1", is_in_store=True),
    "scaffold": Example(command="repro-scaffold queue-drains --log ci.log", files={"ci.log": CI_LOG}),
}


def run_example(example: Example, folder: Path, store: Path) -> str:
    """Runs one example in this empty folder and returns what it printed.

    Args:
        example: Which one.
        folder: Where.
        store: What `write_store` has written: once, as most examples read it and are done in milliseconds.

    Raises:
        AssertionError: It did not end with its exit status.
    """
    if example.is_in_store:
        shutil.copytree(store, folder, dirs_exist_ok=True)
    for name, text in example.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    if example.is_in_store and example.files:
        Checkout(folder).git("add", "--all")
    words = shlex.split(example.command)
    if words[0] == "repro-report":
        status, output = _run_here(words[1:], folder)
    else:
        status, output = _run_process(words, folder)
    assert status == example.exit_status, output
    if example.shows is not None:
        (written,) = folder.glob(example.shows)
        output += f"$ cat {example.shows}\n{written.read_text(encoding='utf-8')}"
    return "\n".join(line.rstrip() for line in output.strip("\n").splitlines())


def _run_here(arguments: list[str], folder: Path) -> tuple[int, str]:
    printed, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(printed), redirect_stderr(printed), patch.dict(os.environ, COLUMNS="80"):
            return report(arguments), printed.getvalue()
    finally:
        os.chdir(before)


def _run_process(words: list[str], folder: Path) -> tuple[int, str]:
    scripts = {
        "pytest": [sys.executable, str(Path(sys.executable).parent / "pytest")],
        "repro-scaffold": [
            sys.executable,
            "-c",
            "import sys; from pytest_repro.cli.scaffold import main; sys.exit(main())",
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
    return done.returncode, done.stdout + done.stderr


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


_CHANGING_OF_STORE = (
    (re.compile(r"\b(\d{8}-\d{6}-\w+)-[0-9a-f]{4}\b"), r"\1-CHANCE"),
    # When a report is made.
    (re.compile(r"\b\d{4}-\d\d-\d\d([_ ])\d\d[-:]\d\d[-:]\d\d(?= UTC$|_packets)", re.MULTILINE), r"DATE\1"),
    (re.compile(r"(?:/[\w.+-]+)+/(?=\.pytest_repro/)"), "/FOLDER/"),
    (re.compile(r"^ +[\d.]+ k?B +(?=\w+\.json$)", re.MULTILINE), "SIZE "),
)
"""Of examples in the store: nothing in them is measured, so all other numbers are compared."""


def masked(output: str, *, is_in_store: bool = False) -> list[str]:
    """Returns the lines of an output without what changes from run to run and from machine to machine."""
    for pattern, replacement in _CHANGING_OF_STORE if is_in_store else _CHANGING:
        output = pattern.sub(replacement, output)
    return [line.strip() for line in output.splitlines() if line.strip()]


_BLOCK = re.compile(
    r"(?P<begin><!-- output of: (?P<name>\w+) -->\n(?P<fence>`{3,})console\n)"
    r"(?P<body>.*?)(?P<end>\n(?P=fence)\n)",
    re.DOTALL,
)


def shown_outputs(readme: str) -> dict[str, str]:
    """Returns the outputs that the README shows, by name, without their command line."""
    return {block["name"]: block["body"].partition("\n")[2] for block in _BLOCK.finditer(readme)}


def shown_commands(readme: str) -> dict[str, str]:
    """Returns the commands above these outputs, by name."""
    first = ((block["name"], block["body"].partition("\n")[0]) for block in _BLOCK.finditer(readme))
    return {name: line.removeprefix("$ ") for name, line in first}


def with_outputs(readme: str, outputs: dict[str, str]) -> str:
    """Returns the README with these commands and outputs in its blocks."""

    def replaced(block: re.Match[str]) -> str:
        name = block["name"]
        if name not in outputs:
            return block[0]
        return f"{block['begin']}$ {EXAMPLES[name].command}\n{outputs[name]}{block['end']}"

    return _BLOCK.sub(replaced, readme)


def main() -> None:
    """Writes the outputs of all examples, or of those named as arguments, into the README."""
    outputs = {}
    with tempfile.TemporaryDirectory() as store:
        write_store(Path(store))
        for name in sys.argv[1:] or EXAMPLES:
            with tempfile.TemporaryDirectory() as folder:
                printed = run_example(EXAMPLES[name], Path(folder), Path(store))
                outputs[name] = _tidied(printed, Path(folder))
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
