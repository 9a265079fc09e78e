from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.scaffold.shell import names_itself, quote, quote_value, safe_expansion

BASH = shutil.which("bash") or "bash"
HOSTILE = [
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "a\nb",
    "\\",
    "${X}",
    "!x",
    "\u202e",
    "\x1b[31m",
    "a;b",
    "|",
    "*",
    "~",
    "#",
    "ä",
]


def printed_by_bash(word: str, **environment: str) -> str:
    script = f"printf '%s.' {word}"
    run = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    return run.stdout.decode()[:-1]


@pytest.mark.parametrize("text", ["", *HOSTILE, "".join(HOSTILE)])
def test_a_quoted_text_reaches_the_program_unchanged(text: str) -> None:
    """Whatever it holds, bash hands on exactly this text as one word."""
    assert printed_by_bash(quote(text)) == text


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_any_text_can_be_quoted(text: str) -> None:
    """No text breaks out of its quotes."""
    assert printed_by_bash(quote(text)) == text


def test_quoted_text_shows_no_character_that_cannot_be_seen() -> None:
    """What turns the direction of writing is spelled out."""
    assert quote("a\u202eb") == "$'a\\xe2\\x80\\xaeb'"


@pytest.mark.parametrize(
    "folder", ["/home/runner/work/app/app", "/__w/app/app", "/builds/group/app", "/home/vsts/work/1/s"]
)
def test_the_checkout_folder_of_ci_becomes_the_source(folder: str) -> None:
    """A path below the checkout is one below the source here."""
    word = quote_value(f"{folder}/lib:/usr/lib")
    assert printed_by_bash(word, REPRO_SOURCE="/src dir") == "/src dir/lib:/usr/lib"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$PYTHONPATH:$(pwd)", "/old:/src"),
        ("${PYTHONPATH}:$PWD/lib", "/old:/src/lib"),
        ('"$GITHUB_WORKSPACE/a b"', "/src/a b"),
        ("'$HOME'", "$HOME"),
        ("${MISSING:-none}", "none"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_simple_shell_text_is_expanded(text: str, value: str) -> None:
    """Variables and the working directory are what CI scripts use."""
    word = safe_expansion(text)
    assert word is not None
    assert printed_by_bash(word, PYTHONPATH="/old", REPRO_SOURCE="/src") == value


@pytest.mark.parametrize(
    "text", ["$(id)", "`id`", "a; id", "a && id", "${X:=$(id)}", "${X@P}", '"open', "a b", "$((1))"]
)
def test_shell_text_that_would_run_something_is_refused(text: str) -> None:
    """It is never written; the README names the variable instead."""
    assert safe_expansion(text) is None


@settings(max_examples=60)
@given(st.text(alphabet="ab$(){}`'\"\\ ;|&<>:=-/X\n", max_size=25))
def test_an_accepted_expansion_runs_nothing(text: str) -> None:
    """Whatever is accepted is one word of bash without a command in it."""
    word = safe_expansion(text)
    if word is not None:
        run = subprocess.run(
            [BASH, "--norc", "-c", f"printf '%s\\0' {word}"],
            capture_output=True,
            check=True,
            env={"PATH": "/nowhere", "X": "x", "REPRO_SOURCE": "/src"},
        )
        assert run.stdout.count(b"\0") == 1
        assert run.stderr == b""


def test_an_export_that_extends_itself_is_told() -> None:
    """Its outside value is used, not preferred."""
    assert names_itself("PYTHONPATH", "${PYTHONPATH}:/x")
    assert not names_itself("PATH", "$PATHS:/x")
