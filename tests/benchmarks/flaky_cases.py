"""Time to the first failure of real unsteady tests: pytest-repeat, pytest-flakefinder and `--repro-stress`.

Run it as `python tests/benchmarks/flaky_cases.py [--cases NAME,...] [--rounds R] [--workspace FOLDER]`, on a
quiet machine with two cores and a network. The cases are public packages in released versions, installed from
the package index, each into a virtual environment of its own in the workspace, together with this checkout
and pytest-flakefinder. A workspace that is given is kept: the outputs of its sessions can be read, and its
environments are used again.

- networkx: networkx 3.4.2, a test of its wheel that draws random numbers; no seed is fixed.
- sqlitedict, sqlitedict-one: sqlitedict 1.6.0, the tests of its sdist, which share their database files: a
  whole file of unittest classes, and a single test of it. They fail only side by side. pytest-repeat runs
  unittest's tests once, whatever it is asked for. At times the library waits forever for its dead thread, so
  each test has a --timeout, which makes that a failure too.
- cyclonedx: cyclonedx-python-lib 2.1.1, whose equal objects have unequal hashes under some hash seeds. The
  test stands below. A process has one hash seed, so that in one process it always fails or never: the
  repeaters have two draws in a session, one in each worker.

All tools are asked for the same number of iterations with `-x` and `-n 2`, and take turns. The time is that
of the whole process, from its start to its end at the first failure. A session that passes all its
iterations, or that still runs at the limit and is ended there, has not found the failure: it counts as later
than any that has.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pytest_repro.clock import monotonic_ns

CHECKOUT = Path(__file__).resolve().parents[2]
ROUNDS = 3
LIMIT_S = 120
# What the tools are told apart from their case.
COMMON = ("-q", "-x", "-n2", "-rfE", "-p", "no:cacheprovider")
DISTRIBUTIONS = ("pytest", "pytest-xdist", "pytest-repeat", "pytest-flakefinder", "pytest-repro")

EQUAL_SETS = """\
from cyclonedx.model import Copyright
from cyclonedx.model.component import ComponentEvidence

HOLDERS = ("first holder", "second holder", "third holder")


def evidence(holders):
    return ComponentEvidence(copyright_=[Copyright(text=holder) for holder in holders])


def test_order_of_copyrights_leaves_the_hash_alone():
    assert hash(evidence(HOLDERS)) == hash(evidence(HOLDERS[::-1]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One unsteady test.

    Attributes:
        name: For `--cases`.
        about: What it is, in a line.
        requirements: For pip, beside the project and the tools.
        sdist: Requirement whose source, tests included, is the folder to run in.
        files: Written into that folder, by name.
        arguments: For pytest: which test.
        iterations: That each tool is asked for.
        for_ours: Further arguments of ours alone.
        failure: Matches the output of a session that found it, and of no other.
    """

    name: str
    about: str
    requirements: tuple[str, ...] = ()
    sdist: str | None = None
    files: Mapping[str, str]
    arguments: tuple[str, ...]
    iterations: int
    for_ours: tuple[str, ...] = ()
    failure: str


NAMED_DB = "tests/test_named_db.py"
CASES = (
    Case(
        name="networkx",
        about="networkx 3.4.2, test_maybe_regular_expander[4-10]: random numbers",
        requirements=("networkx==3.4.2", "numpy"),
        files={},
        # Not its whole node id: the repeaters rename what they repeat.
        arguments=(
            "--pyargs",
            "networkx.generators.tests.test_expanders::test_maybe_regular_expander",
            "-k",
            "4-10",
        ),
        iterations=20_000,
        failure="Too many iterations in maybe_regular_expander",
    ),
    Case(
        name="sqlitedict",
        about=f"sqlitedict 1.6.0, {NAMED_DB}: unittest classes that share files",
        sdist="sqlitedict==1.6.0",
        files={},
        arguments=("-o", "addopts=", "--timeout=10", NAMED_DB),
        iterations=100,
        failure=rf"(?m)^(FAILED|ERROR) {NAMED_DB}::",
    ),
    Case(
        name="sqlitedict-one",
        about="sqlitedict 1.6.0, SqliteDictAutocommitTest::test_assign_values: shares a file with itself",
        sdist="sqlitedict==1.6.0",
        files={},
        arguments=(
            "-o",
            "addopts=",
            "--timeout=10",
            f"{NAMED_DB}::SqliteDictAutocommitTest::test_assign_values",
        ),
        iterations=100,
        failure=rf"(?m)^(FAILED|ERROR) {NAMED_DB}::",
    ),
    Case(
        name="cyclonedx",
        about="cyclonedx-python-lib 2.1.1, hashes of equal objects: the hash seed of the process",
        requirements=("cyclonedx-python-lib==2.1.1",),
        files={"test_equal_sets.py": EQUAL_SETS},
        arguments=("test_equal_sets.py",),
        iterations=100,
        for_ours=("--repro-isolate",),
        failure=r"(?m)^FAILED test_equal_sets\.py::",
    ),
)


def repeat(case: Case, iterations: int) -> tuple[str, ...]:
    """Returns the arguments of pytest-repeat."""
    return ("-p", "no:repro", "--count", str(iterations), *case.arguments)


def flakefinder(case: Case, iterations: int) -> tuple[str, ...]:
    """Returns the arguments of pytest-flakefinder."""
    return ("-p", "no:repro", "--flake-finder", f"--flake-runs={iterations}", *case.arguments)


def ours(case: Case, iterations: int) -> tuple[str, ...]:
    """Returns our arguments."""
    return ("--repro-stress", str(iterations), *case.for_ours, *case.arguments)


TOOLS: dict[str, Callable[[Case, int], tuple[str, ...]]] = {
    "pytest-repeat": repeat,
    "pytest-flakefinder": flakefinder,
    "pytest-repro": ours,
}


class Ending(enum.Enum):
    """How a session ended."""

    FOUND = "found"
    PASSED = "passed"
    LIMIT = "limit"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One pytest process.

    Attributes:
        duration_ns: From its start to its end.
        ending: How it ended.
        message: What an error says.
    """

    duration_ns: int
    ending: Ending
    message: str = ""


def judge(*, status: int, output: str, failure: str) -> tuple[Ending, str]:
    """Returns how a session that ended by itself did, and the message of an error."""
    if status == 0:
        return Ending.PASSED, ""
    # Stopped by -x, xdist ends with the status of an interruption.
    if status in {1, 2} and re.search(failure, output):
        return Ending.FOUND, ""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    usage = [line.partition(": error: ")[2] for line in lines if ": error: " in line]
    return Ending.ERROR, f"exit status {status}: {(usage or lines or ['no output'])[-1]}"


def wait(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Waits for a session, and ends it with its workers at the limit; returns whether it ended by itself."""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
    return True


def session(python: Path, folder: Path, arguments: Sequence[str], *, failure: str, limit_s: float) -> Session:
    """Runs one pytest process in this folder."""
    ignored = {"PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"}
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    environment |= {
        "PYTHONPATH": str(folder),
        # An installed wheel lies there compiled, so the working tree and the tests shall too.
        "PYTHONPYCACHEPREFIX": str(python.parents[1] / "compiled"),
    }
    output = folder.with_suffix(".txt")
    began_ns = monotonic_ns()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            (python, "-m", "pytest", *COMMON, *arguments),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        in_time = wait(process, limit_s)
    duration_ns = monotonic_ns() - began_ns
    if not in_time:
        return Session(duration_ns=duration_ns, ending=Ending.LIMIT)
    ending, message = judge(
        status=process.returncode,
        output=output.read_text(encoding="utf-8", errors="replace"),
        failure=failure,
    )
    return Session(duration_ns=duration_ns, ending=ending, message=message)


def command(*words: str | Path) -> str:
    """Runs a command and returns what it printed.

    Raises:
        RuntimeError: It did not end with 0.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        line = " ".join(map(str, words))
        raise RuntimeError(f"exit status {done.returncode} of {line}:\n{done.stdout}{done.stderr}")
    return done.stdout


def environment_of(case: Case, workspace: Path) -> Path:
    """Makes the case's virtual environment, unless it is there, and returns its Python."""
    folder = workspace / f"environment-{case.name}"
    python = folder / "bin" / "python"
    made_with = "\n".join(
        (sys.version, str(CHECKOUT), (CHECKOUT / "pyproject.toml").read_text("utf-8"), *case.requirements)
    )
    stamp = folder / "made-with"
    if not stamp.exists() or stamp.read_text("utf-8") != made_with:
        shutil.rmtree(folder, ignore_errors=True)
        command(sys.executable, "-m", "venv", folder)
        tools = ("-e", str(CHECKOUT), "pytest-flakefinder>=1.1")
        command(python, "-m", "pip", "install", "--quiet", *tools, *case.requirements)
        stamp.write_text(made_with, encoding="utf-8")
    return python


def versions(python: Path) -> str:
    """Returns the versions of Python and the tools in this environment, for the eye."""
    program = (
        "import sys, importlib.metadata as m\n"
        "print('Python', sys.version.split()[0], end='')\n"
        "for name in sys.argv[1:]: print(f', {name} {m.version(name)}', end='')"
    )
    return command(python, "-c", program, *DISTRIBUTIONS).replace("pytest-", "")


def pristine_of(case: Case, workspace: Path, python: Path) -> Path:
    """Makes the folder that each session of the case gets a copy of."""
    folder = workspace / f"pristine-{case.name}"
    shutil.rmtree(folder, ignore_errors=True)
    if case.sdist is None:
        folder.mkdir()
    else:
        download = workspace / f"sdist-{case.name}"
        shutil.rmtree(download, ignore_errors=True)
        command(
            *(python, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", ":all:", "--dest", download, case.sdist),
        )
        with tarfile.open(next(download.glob("*.tar.gz"))) as archive:
            archive.extractall(download, filter="data")
        next(path for path in download.iterdir() if path.is_dir()).rename(folder)
    for name, text in case.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def measure(
    case: Case, workspace: Path, tools: Sequence[str], *, rounds: int, limit_s: float, iterations: int
) -> dict[str, list[Session]]:
    """Runs all rounds of a case, the tools taking turns; a tool that has met an error is not asked again."""
    python = environment_of(case, workspace)
    pristine = pristine_of(case, workspace, python)
    sys.stdout.write(f"{case.about}\n{iterations:,} iterations asked for; {versions(python)}\n")
    sys.stdout.flush()
    sessions: dict[str, list[Session]] = {tool: [] for tool in tools}
    # Round 0 compiles what is not compiled yet, and is not counted.
    for number in range(rounds + 1):
        for tool in tools:
            if any(one.ending is Ending.ERROR for one in sessions[tool]):
                continue
            folder = workspace / f"session-{case.name}-{tool}-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pristine, folder)
            arguments = TOOLS[tool](case, iterations if number else 1)
            one = session(python, folder, arguments, failure=case.failure, limit_s=limit_s)
            shutil.rmtree(folder, ignore_errors=True)
            if number or one.ending is Ending.ERROR:
                sessions[tool].append(one)
    return sessions


def seconds(sessions: Iterable[Session]) -> list[float]:
    """Returns the times to the failure in order, with infinity where it was not found."""
    return sorted(one.duration_ns / 1e9 if one.ending is Ending.FOUND else math.inf for one in sessions)


def row(tool: str, sessions: Sequence[Session], *, limit_s: float) -> str:
    """Returns one line of the table."""
    error = next((one.message for one in sessions if one.ending is Ending.ERROR), None)
    if error is not None:
        return f"  {tool:<20}error, {error}"[:100]
    times = seconds(sessions)
    found = [time for time in times if time < math.inf]
    endings = {one.ending for one in sessions}
    never = [f"not found within {limit_s:g} s"] if Ending.LIMIT in endings else []
    never += ["all iterations passed"] if Ending.PASSED in endings else []
    parts = [f"{found[0]:.1f} to {found[-1]:.1f} s"] if found else []
    middle = f"{median(times):.1f} s" if median(times) < math.inf else "-"
    return f"  {tool:<20}{f'{len(found)} of {len(times)}':>9}{middle:>11}   {', '.join(parts + never)}"


def report(case: Case, workspace: Path, options: argparse.Namespace) -> None:
    """Measures and prints one case."""
    measured = measure(
        case,
        workspace,
        options.tools,
        rounds=options.rounds,
        limit_s=options.limit,
        iterations=options.iterations or case.iterations,
    )
    sys.stdout.write(f"  {'':<20}{'found':>9}{'median':>11}   range of those that found it\n")
    for tool, sessions in measured.items():
        sys.stdout.write(row(tool, sessions, limit_s=options.limit) + "\n")
    sys.stdout.write("\n")
    sys.stdout.flush()


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Returns a reader of names with commas between them."""
    choices = list(known)

    def read(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",")]
        for name in chosen:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(choices)}")
        return chosen

    return read


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    cases = {case.name: case for case in CASES}
    parser.add_argument("--cases", type=names(cases), default=list(cases), help=", ".join(cases))
    parser.add_argument("--tools", type=names(TOOLS), default=list(TOOLS), help=", ".join(TOOLS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="sessions of each tool (%(default)s)")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="for a session (%(default)s)"
    )
    parser.add_argument("--iterations", type=int, help="instead of those of each case")
    parser.add_argument("--workspace", type=Path, help="folder of the environments; a temporary one")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds starts from 1")
    sys.stdout.write(
        f"time to the first failure, -x -n 2, {options.rounds} sessions of each tool, "
        f"limit {options.limit:g} s, {os.cpu_count()} cores\n\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        workspace = (options.workspace or Path(temporary)).resolve()
        workspace.mkdir(parents=True, exist_ok=True)
        for name in options.cases:
            report(cases[name], workspace, options)


if __name__ == "__main__":
    main()
