from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.scaffold.arguments import Known, read_arguments, read_unittest_arguments

VARIABLES = {"ARGS": "-x -k foo", "GITHUB_WORKSPACE": "/github/workspace"}


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("-v tests/ -k \"not slow\" --timeout=9 -n 4", "-v tests/ -k 'not slow' --timeout=9 -n 4", []),
        ("$ARGS ${GITHUB_WORKSPACE}/tests", "-x -k foo /github/workspace/tests", []),
        ("-k ${{ matrix.x }} --foo ${{ a }} t.py", "t.py", ["-k ${{ matrix.x }}", "--foo ${{ a }}"]),
        ("$(cat a b) c", "", ["$(cat a b) c"]),
        ("a `b c` d", "a", ["`b c` d"]),
        ("a 'b", "a", ["'b"]),
        ("t*.py {a,b} ~/x a;b", "", ["t*.py", "{a,b}", "~/x", "a;b"]),
        ("/etc/x.py ../x --run /etc @f", "", ["/etc/x.py", "../x", "--run /etc", "@f"]),
        ("-p evil -vpevil -p no:randomly", "-p no:randomly", ["-p evil", "-vpevil"]),
        ("-W error::a.b.C -W error -W i::pytest.X", "-W error -W i::pytest.X", ["-W error::a.b.C"]),
        ("-c a.ini -oa=b --rootdir / --rootdir=/ --confcutdir x y", "y",
         ["-c a.ini", "-oa=b", "--rootdir /", "--rootdir=/", "--confcutdir x"]),
        ("--junitxml=a.xml --basetemp b --cov=src --cov --html c", "",
         ["--junitxml=a.xml", "--basetemp b", "--cov=src", "--cov", "--html c"]),
        ("--token abcdef --api-key=abcdef", "", ["--token ***", "--api-key ***"]),
        ("--device cpu --run-slow", "--device cpu --run-slow", []),
    ],
)  # fmt: skip
def test_arguments_are_read_without_a_shell(text: str, words: str, left: list[str]) -> None:
    """What only a shell could tell, and what could do harm, is named; the rest is as pytest would get it."""
    found = read_arguments(text, variables=VARIABLES)
    assert shlex.join(found.words) == words
    assert [one.text for one in found.left] == left


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Known.HARMLESS, "-ra -m slow -n 4 --tb short --maxfail=3 --strict-markers"),
        (Known.FOR_ONE_TEST, "-ra --tb short --strict-markers"),
    ],
)
def test_of_added_options_only_the_harmless_are_carried_on(known: Known, words: str) -> None:
    """For one test, those are left too that choose tests or spread them."""
    text = "-ra -m slow -n 4 --tb short --maxfail=3 --strict-markers -p x --unknown y t.py"
    found = read_arguments(text, variables={}, known=known)
    assert shlex.join(found.words) == words
    assert [one.text for one in found.left][-3:] == ["-p x", "--unknown y", "t.py"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*"ab '\"\\$`", "$A", "${A}", "$(b)", "$?", "  "]), max_size=10).map("".join))
def test_words_are_those_that_a_shell_makes(text: str) -> None:
    """Where nothing is left, bash agrees on each word."""
    found = read_arguments(text, variables={"A": "c d"})
    if found.left:
        return
    run = subprocess.run(
        ["bash", "-c", f'A="c d"; for word in {text}\ndo printf "%s\\0" "$word"; done'],
        capture_output=True,
        check=True,
    )
    assert run.stdout.decode().split("\0")[:-1] == list(found.words)


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("discover -s tests -p 'test_*.py' -v", "discover -s tests -p 'test_*.py' -v", []),
        ("pkg.test_a.T.test_x tests/b.py -k a -fb", "pkg.test_a.T.test_x tests/b.py -k a -fb", []),
        ("discover -s /etc -t .. --pattern=x", "discover --pattern=x", ["-s /etc", "-t .."]),
        ("$ARGS $OTHER --evil=1", "-k foo", ["-x", "$OTHER", "--evil=1"]),
        ("$(id) a", "", ["$(id) a"]),
        ('"$$" "a$#" "b$"', "'b$'", ['"$$"', '"a$#"']),
    ],
)  # fmt: skip
def test_arguments_of_unittest_are_read_without_a_shell(text: str, words: str, left: list[str]) -> None:
    """Its flags and folders are not pytest's."""
    found = read_unittest_arguments(text, variables=VARIABLES)
    assert shlex.join(found.words) == words
    assert [one.text for one in found.left] == left
