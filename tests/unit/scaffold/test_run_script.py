"""The script of a reproduction: from anywhere, under any shell, and always with pytest's own exit code."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from pytest_repro.scaffold.context import plan
from tests.unit.scaffold.folders import made, run_script, scaffolded, script_environment


@pytest.mark.parametrize("code", [0, 1, 6, pytest.param(5, marks=pytest.mark.slow)])
def test_the_script_ends_with_the_exit_code_of_pytest(tmp_path: Path, code: int) -> None:
    """Not with that of the program that keeps the output."""
    folder = scaffolded(tmp_path)
    assert run_script(folder, REPRO_TEST_EXIT=str(code))[0] == code


def test_a_pytest_that_a_signal_killed_is_told_by_its_number(tmp_path: Path) -> None:
    """As every shell does: 128 and the number; the output before it is kept, and nothing else is said."""
    code, output, _ = run_script(scaffolded(tmp_path), REPRO_TEST_SIGNAL="9")
    assert code == 128 + 9
    assert "Killed" not in output
    kept = (tmp_path / "x-1/logs/run_1.log").read_text()
    assert kept.endswith("exit code 137\n")


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [
        (signal.SIGINT, True, 2),
        (signal.SIGINT, False, 2),
        (signal.SIGTERM, False, 15),
        pytest.param(signal.SIGTERM, True, 15, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_pytest_and_nothing_is_left(
    tmp_path: Path, number: int, *, to_group: bool, code: int
) -> None:
    """To all processes or to the script alone: pytest ends in order, and its last words are kept."""
    folder = scaffolded(tmp_path)
    waits = tmp_path / "waits"
    os.mkfifo(waits)
    process = subprocess.Popen(
        [str(folder / "run_test.sh")],
        env={**script_environment(folder), "REPRO_TEST_WAIT": str(waits)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    waits.open().close()  # until pytest is there
    (os.killpg if to_group else os.kill)(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    kept = (folder / "logs/run_1.log").read_text()
    assert ("summary" in kept) is (number == signal.SIGINT)
    assert kept.endswith(f"exit code {code}\n")


def test_each_run_keeps_its_output(tmp_path: Path) -> None:
    """`logs/run_1.log`, `logs/run_2.log` and so on hold what was printed."""
    folder = scaffolded(tmp_path)
    for number in (1, 2):
        run_script(folder)
        kept = (folder / f"logs/run_{number}.log").read_text()
        assert "fake pytest" in kept
        assert "=== reproduction of x-1 ===" in kept


def test_runs_at_the_same_time_keep_their_output_apart(tmp_path: Path) -> None:
    """None takes a number that another has taken."""
    folder = scaffolded(tmp_path)
    runs = [
        subprocess.Popen(
            [str(folder / "run_test.sh"), f"run-{number}"],
            env=script_environment(folder),
            stdout=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    assert [run.wait(60) for run in runs] == [0] * 4
    kept = [path.read_text() for path in sorted((folder / "logs").glob("run_*.log"))]
    assert len(kept) == 4
    assert all(text.count("=== reproduction of") == text.count("fake pytest") == 1 for text in kept)


@pytest.mark.parametrize(
    "shell",
    [
        ("sh",),
        ("bash", "-euo", "pipefail"),
        *(
            pytest.param(shell, marks=pytest.mark.slow)
            for shell in (
                ("dash",),
                ("bash", "-f"),
                ("bash", "-x"),
                ("bash", "-C"),
                ("bash", "-akmb"),
                ("bash", "-o", "posix"),
                ("bash", "-c", '. "$0" "$@"'),
            )
        ),
    ],
    ids=" ".join,
)
def test_options_of_the_calling_shell_change_nothing(tmp_path: Path, shell: tuple[str, ...]) -> None:
    """The script runs from anywhere, by any shell, with any options."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    folder = scaffolded(tmp_path, variables={"MODE": "fast"})
    code, output, seen = run_script(folder, "a=b", shell=shell, REPRO_TEST_EXIT="1")
    assert code == 1, output
    assert seen["folder"] == str(folder)
    assert isinstance(seen["arguments"], list)
    assert seen["arguments"][-1] == "a=b"


def test_exported_shell_options_change_nothing(tmp_path: Path) -> None:
    """An exported SHELLOPTS brings `set -eu` into every script; CDPATH and the missing HOME do not matter."""
    folder = scaffolded(tmp_path)
    options = "braceexpand:errexit:nounset:noglob:noclobber:posix:keyword:allexport:monitor"
    code, _, _ = run_script(folder, SHELLOPTS=options, CDPATH="/tmp:/usr", REPRO_TEST_EXIT="5")
    assert code == 5


@pytest.mark.parametrize("name", ["-a b", "\n", "\u00e9'$(x)\u4e2d"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Spaces, line ends, dashes and all else, also through links of links, and by a relative path."""
    parent = tmp_path / name
    folder = made(parent / "x-1", plan("x-1", report=None, folder=parent, source_root=parent))
    (tmp_path / "-one").symlink_to(os.path.relpath(folder / "run_test.sh", tmp_path))
    (tmp_path / "two").symlink_to("-one")
    run = subprocess.run(
        ["bash", "--", "two"],
        env={**script_environment(folder), "REPRO_TEST_EXIT": "3"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 3, run.stderr
    assert b"fake pytest" in (folder / "logs/run_1.log").read_bytes()


def test_where_the_output_cannot_be_kept_it_says_so_and_runs(tmp_path: Path) -> None:
    """A file in the place of the folder stands for one that cannot be written."""
    folder = scaffolded(tmp_path)
    shutil.rmtree(folder / "logs")
    (folder / "logs").write_text("")
    code, output, _ = run_script(folder, REPRO_TEST_EXIT="1")
    assert code == 1
    assert f"output:  is not kept, as {folder}/logs cannot be written" in output
    assert "fake pytest" in output


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_input_and_output_change_nothing(tmp_path: Path, closed: str) -> None:
    """The log holds what nobody sees."""
    folder = scaffolded(tmp_path)
    shell = ("bash", "-c", f'exec "$0" "$@" {closed}')
    assert run_script(folder, shell=shell, REPRO_TEST_EXIT="4")[0] == 4
    assert "fake pytest" in (folder / "logs/run_1.log").read_text()


def test_a_reader_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    """`./run_test.sh | head -1` keeps the whole output and the exit code."""
    folder = scaffolded(tmp_path)
    shell = ("bash", "-c", '"$0" | head -1; exit "${PIPESTATUS[0]}"')
    assert run_script(folder, shell=shell, REPRO_TEST_EXIT="1")[0] == 1
    assert "fake pytest" in (folder / "logs/run_1.log").read_text()


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no /dev/full here")
def test_a_full_disk_costs_the_log_and_nothing_else(tmp_path: Path) -> None:
    """It is said, and the exit code is pytest's."""
    folder = scaffolded(tmp_path)
    script = (folder / "run_test.sh").read_text()
    (folder / "run_test.sh").write_text(script.replace('tee -i -- "$repro_log"', "tee -i -- /dev/full"))
    code, output, _ = run_script(folder, REPRO_TEST_EXIT="1")
    assert code == 1
    assert "fake pytest" in output
    assert "logs/run_1.log may lack some of the output" in output


def test_the_input_of_the_script_is_that_of_pytest(tmp_path: Path) -> None:
    """A debugger can be used."""
    folder = scaffolded(tmp_path)
    shell = ("bash", "-c", 'printf "typed" | "$0" "$@"')
    assert "read 'typed'" in run_script(folder, shell=shell, REPRO_TEST_READ="1")[1]


def test_a_python_without_pytest_is_no_failing_test(tmp_path: Path) -> None:
    """The exit code 1 would look like one."""
    folder = scaffolded(tmp_path)
    run = subprocess.run(
        [str(folder / "run_test.sh")],
        env={**script_environment(folder), "PYTHONPATH": "", "REPRO_PYTHON": "/usr/bin/python3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "fake pytest" in run.stdout or run.returncode != 4:
        pytest.skip("the machine's own Python has pytest")
    assert "this Python has no pytest: activate an environment that has" in run.stdout


def test_environments_are_looked_for_in_order(tmp_path: Path) -> None:
    """The one that is active, then the machine's, then the nearest `.venv` upwards; the header says which."""
    folder = scaffolded(tmp_path)
    places = {"VIRTUAL_ENV": tmp_path / "active", "TT_METAL_HOME": tmp_path / "metal"}
    venvs = [places["VIRTUAL_ENV"], places["TT_METAL_HOME"] / "python_env", tmp_path / ".venv"]
    for venv in venvs:
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/activate").write_text("export ACTIVATED=yes\n")
    expected = [Path("/opt/venv")] if Path("/opt/venv/bin/activate").exists() else venvs[1:]
    environment = {name: str(path) for name, path in places.items()}
    for given, venv in [
        (environment, venvs[0]),
        ({**environment, "VIRTUAL_ENV": "/gone"}, expected[0]),
        ({}, expected[-1]),
    ]:
        _, output, seen = run_script(folder, shell=(), **given)
        assert f"venv:    {venv}\n" in output
        assert "ACTIVATED" in str(seen["environment"]) or venv == Path("/opt/venv")


def test_the_command_that_is_shown_can_be_pasted(tmp_path: Path) -> None:
    """A shell reads its words as pytest got them."""
    folder = scaffolded(tmp_path)
    _, output, seen = run_script(folder, "-k", "a b", "$(x)'\"")
    (line,) = (line for line in output.splitlines() if line.startswith("command: "))
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line.removeprefix('command: ')}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert words.stdout.splitlines()[4:] == seen["arguments"]


NOT_IN_BASH_3 = {
    "associative arrays and name references": r"\b(?:declare|typeset|local)\s+-\w*[An]",
    "mapfile": r"\b(?:mapfile|readarray|coproc)\b",
    "a pipe of both outputs": r"\|&",
    "appending both outputs": r"&>>",
    "waiting for any process": r"\bwait\s+-\w*[np]",
    "times in printf": r"printf\s+\S*%\(",
    "transformations": r"\$\{[\w\[\]@*]+@\w\}",
    "changes of case": r"\$\{\w+(?:\[[^\]]*\])?(?:\^|,)",
    "falling through a case": r";;?&",
    "tests of being set": r"(?:\[|\btest)\s+(?:!\s+)?-[vR]\s",
    "names of descriptors": r"\bexec\s+\{\w",
    "negative indices": r"\[-\d+\]|\$\{\w+:[^}]*:\s*-\d",
    "variables": r"\$\{?(?:BASHPID|EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASH_ARGV0)\b",
    "options": r"\b(?:globstar|lastpipe|inherit_errexit|autocd|dirspell)\b",
    "steps in braces": r"\{\w+\.\.\w+\.\.\w+\}",
    "Unicode escapes": r"\\[uU][0-9a-fA-F]{2}",
    "reading so many characters, or for a part of a second": r"\bread\s+(?:-\w+\s+)*-(?:N|t\s*\d*\.)",
    "a case within a substitution": r"\$\([^)\n]*\bcase\b",
}


@pytest.mark.parametrize("is_flaky", [False, True])
def test_the_script_uses_nothing_that_the_bash_of_macos_lacks(tmp_path: Path, *, is_flaky: bool) -> None:
    """That is 3.2, in which an empty array is an error too where unset variables are."""
    values = {"NAMES": "ü\n日本\x07", "PLAIN": "a b", "EMPTY": ""}
    script = (scaffolded(tmp_path, is_flaky=is_flaky, variables=values) / "run_test.sh").read_text()
    code = "\n".join(line for line in script.split("\n") if not line.lstrip().startswith("#"))
    assert {name for name, pattern in NOT_IN_BASH_3.items() if re.search(pattern, code)} == set()
    assert "+o nounset" in code.partition("repro_places=(")[0]


@pytest.mark.parametrize(
    "line",
    [
        *("declare -A x", "local -n y=x", "mapfile -t x", "a |& b", "a &>> b", "wait -n", "printf '%(%s)T'"),
        *("${x@Q}", "${x[@]@A}", "${x^^}", "${x[0],}", "a) b ;;& c", "[ -v x ]", "exec {fd}> x", "${x[-1]}"),
        *("${x:1:-1}", "$EPOCHSECONDS", "shopt -s globstar", "{1..9..2}", "$'\\u00fc'", "read -t 0.1 x"),
        "x=$(case $y in z) echo;; esac)",
    ],
)
def test_what_the_bash_of_macos_lacks_is_seen(line: str) -> None:
    """The list above finds each of its own."""
    assert any(re.search(pattern, line) for pattern in NOT_IN_BASH_3.values())
