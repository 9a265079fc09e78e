"""What was written is run: no text of a log is executed or interpreted, in whatever file it stands."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.scaffold.folders import FAST_PYTHON, scaffolded

PIECES = (
    *(
        "'",
        '"',
        "`touch pwned`",
        "$(touch pwned)",
        "; touch pwned;",
        "${x@P}",
        "\n",
        "\r",
        "\r\n",
        '"""',
        "'''",
    ),
    *(
        "\\",
        "{{ 1 }}",
        "{% x %}",
        "{#",
        "```",
        "~~~~",
        "\x1b[31m",
        "\x9b2J",
        "\u202e",
        "\u2066",
        "\u2028",
        "\0",
    ),
    *(
        "\ud800",
        " - ",
        "]",
        "[",
        "#",
        "<b>",
        "<!--",
        "-->",
        "![x](http://x/)",
        "[x](y)",
        "|",
        "* ",
        "1. ",
        "    ",
    ),
    *(
        "a",
        "é",
        "%s",
        "%n",
        "!",
        "!!",
        "&",
        "*",
        "~",
        "=",
        "===\n",
        "---\n",
        "<script>",
        "&lt;",
        "https://x.y/",
        "_",
    ),
)
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=7).map("".join)
DANGEROUS = (
    *("PATH", "BASH_ENV", "ENV", "LD_PRELOAD", "PYTHONSTARTUP", "PS4", "IFS", "PYTEST_ADDOPTS", "SHELLOPTS"),
    *("CDPATH", "PYTHONHOME", "PROMPT_COMMAND", "RANDOM", "SECONDS", "POSIXLY_CORRECT", "repro_log", "_"),
)
TEXTS = st.fixed_dictionaries(
    dict.fromkeys(
        (
            *("nodeid", "message", "text", "exception", "place", "command"),
            *("job", "step", "rootdir", "plugins", "image"),
        ),
        HOSTILE,
    )
)
NAMES = HOSTILE | st.sampled_from(DANGEROUS)


def words_of(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]


def run_hostile(folder: Path) -> tuple[int, list[str], dict[str, str], str]:
    python = folder.parent / "python"
    python.write_text(FAST_PYTHON)
    python.chmod(0o755)
    seen = folder.parent / "seen"
    run = subprocess.run(
        [str(folder / "run_test.sh")],
        env={
            "PATH": "/usr/bin:/bin",
            "REPRO_PYTHON": str(python),
            "REPRO_TEST_SEEN": str(seen),
            "REPRO_TEST_EXIT": "1",
            "LC_ALL": "C.UTF-8",
        },
        cwd=folder.parent,
        capture_output=True,
        check=False,
        timeout=60,
    )
    pairs = (word.partition("=") for word in words_of(Path(f"{seen}.environment")))
    environment = {name: value for name, _, value in pairs}
    output = (run.stdout + run.stderr).decode("utf-8", "surrogateescape")
    return run.returncode, words_of(Path(f"{seen}.arguments")), environment, output


def text_outside_code(markdown: str) -> tuple[str, set[str]]:
    """Everything that a reader sees as more than code, and the kinds of Markdown that are in it."""
    from markdown_it import MarkdownIt

    def walk(tokens: list[Any]) -> None:
        for token in tokens:
            kinds.add(token.type)
            if token.type == "text":
                shown.append(token.content)
            walk(token.children or [])

    shown: list[str] = []
    kinds: set[str] = set()
    walk(MarkdownIt("commonmark").enable("table").parse(markdown))
    return "\n".join(shown), kinds


def check_inert(tmp_path: Path, texts: dict[str, str], value: str, name: str, *, is_flaky: bool) -> None:
    nodeid = "tests/test_a.py::test_a[" + texts["nodeid"]
    given: dict[str, Any] = {**texts, "nodeid": nodeid, "variables": {"MODE": value, name: "MARK" + value}}
    folder = scaffolded(tmp_path, is_flaky=is_flaky, **given)
    code, arguments, environment, output = run_hostile(folder)
    assert code == 1, output
    asked = "--repro-stress-time 5m -n auto -x" if is_flaky else "-x -v --repro-timing --timeout=60"
    assert arguments == ["-u", "-m", "pytest", "tests/test_x_1_repro.py", *asked.split()]
    kept = value.replace("\0", "").encode("utf-8", "replace").decode()
    assert environment["MODE"] == kept
    assert "MARK" not in "".join(environment.get(dangerous, "") for dangerous in DANGEROUS)
    assert not [path for path in tmp_path.rglob("pwned") if path.exists()]
    assert not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(output)

    test = (folder / "tests/test_x_1_repro.py").read_text()
    compile(test, "test_x_1_repro.py", "exec")
    module = ast.parse(test)
    assert isinstance(module.body[-1], ast.FunctionDef)
    # Run as pytest would import it: nothing but names comes of it, and the test is the one of the log.
    names: dict[str, Any] = {
        "__name__": "test_x_1_repro",
        "__file__": str(folder / "tests/test_x_1_repro.py"),
    }
    exec(compile(module, "test_x_1_repro.py", "exec"), names)
    assert names.get("NODEID", nodeid) == nodeid
    assert not [path for path in Path.cwd().glob("pwned") if path.exists()]

    readme = (folder / "README.md").read_text()
    assert not {"\x1b", "\x9b", "\u202e", "\u2066", "\u2028"} & set(readme)
    _, expected = text_outside_code(readme_of_harmless(tmp_path, is_flaky=is_flaky))
    shown, kinds = text_outside_code(readme)
    assert kinds <= expected
    assert "touch pwned" not in shown
    assert "http" not in shown


def readme_of_harmless(tmp_path: Path, *, is_flaky: bool) -> str:
    variables = {"MODE": "1", "PATH": "/x", "a b": "c"}
    folder = scaffolded(tmp_path / "harmless", is_flaky=is_flaky, variables=variables)
    return (folder / "README.md").read_text()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, value=HOSTILE, name=NAMES, is_flaky=st.booleans())
def test_no_text_of_a_log_breaks_out(
    tmp_path: Path, texts: dict[str, str], value: str, name: str, *, is_flaky: bool
) -> None:
    """Bash runs the script, Python compiles the test, Markdown is parsed: hostile text stays text."""
    check_inert(tmp_path, texts, value, name, is_flaky=is_flaky)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, value=HOSTILE, name=NAMES, is_flaky=st.booleans())
def test_no_text_of_a_log_breaks_out_at_length(
    tmp_path: Path, texts: dict[str, str], value: str, name: str, *, is_flaky: bool
) -> None:
    """The same with many more texts."""
    check_inert(tmp_path, texts, value, name, is_flaky=is_flaky)


def test_lines_of_a_megabyte_are_shown_short(tmp_path: Path) -> None:
    """Nobody reads them; a variable longer than any can be is left alone."""
    long = "x" * 1_000_000
    folder = scaffolded(tmp_path, message=long, job=long, command=long, variables={"LONG": long, "MODE": "1"})
    code, _, environment, output = run_hostile(folder)
    assert code == 1, output[-500:]
    assert "LONG" not in environment
    assert environment["MODE"] == "1"
    assert max(map(len, output.splitlines())) < 2000
    assert max(map(len, (folder / "README.md").read_text().splitlines())) < 2000


@pytest.mark.parametrize("is_flaky", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"variables": {"A": "1", "B": "", "C": "$HOME 'x' \x1b", "API_TOKEN": None, "PATH": "/x"}},
        {"nodeid": "t.py::t[`$(x)`\n'\"]", "message": "\\ ${x@P} ;"},
    ],
)
def test_shellcheck_objects_to_nothing(tmp_path: Path, given: dict[str, Any], *, is_flaky: bool) -> None:
    """Every form of the script is clean."""
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which(
        "shellcheck"
    )
    if shellcheck is None:
        pytest.skip("no shellcheck here: it comes with the dev extra")
    script = scaffolded(tmp_path, is_flaky=is_flaky, **given) / "run_test.sh"
    run = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
