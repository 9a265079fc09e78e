"""Signatures of real failures: one bug is one, two are two, and a log tells the same as a stress run."""

from __future__ import annotations

import io
import json

import pytest

from pytest_repro.logs.reader import read_log
from pytest_repro.model import Signature
from pytest_repro.scaffold.context import signature_of
from pytest_repro.signature import differences, signature_from_dict
from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

ONE_BUG_EACH = """
import os, random, tempfile, threading, time, unittest, uuid
import pytest

def test_numbers(repro, tmp_path):
    assert not tmp_path.exists(), (
        f"{tmp_path} {repro.iteration} {uuid.uuid4()} {time.time()} {id(tmp_path):#x} {os.getpid()}"
    )

def test_set():
    names = {"alpha", "beta", "gamma", "delta"}
    raise KeyError(names)

def test_file_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "made.py").write_text("def f():\\n    raise OSError('no')")
    code = compile((tmp_path / "made.py").read_text(), str(tmp_path / "made.py"), "exec")
    names = {}
    exec(code, names)
    names["f"]()

def test_thread(repro):
    thread = threading.Thread(target=print)
    raise RuntimeError(f"{thread} took {repro.iteration * 0.37:.3f}s, lost {repro.iteration} packet" + "s" * (
        repro.iteration > 1
    ))

def test_temporary():
    with tempfile.NamedTemporaryFile() as file:
        open(file.name + "/x")
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_what_a_run_puts_into_its_messages_does_not_split_a_bug(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Each process has its own addresses, its own order of a set, its own folders."""
    pytester.makepyfile(ONE_BUG_EACH)
    run_pytest(pytester, "--repro-stress=12", *workers)
    assert [bug["failures"] for bug in session_summary(pytester)["bugs"]] == [12] * 5


def test_two_statements_of_one_function_are_two_bugs(pytester: pytest.Pytester) -> None:
    """Also where their messages differ in numbers alone; the summary then shows the statements."""
    pytester.makepyfile(
        """
        import unittest

        def f(x): return x

        def test_asserts(repro):
            assert f(1) == repro.iteration  # odd
            assert f(3) == 4

        def test_raises(repro):
            n = repro.iteration
            if n % 2:
                raise ValueError(f"bad {n}")
            if n:
                raise ValueError(
                    f"bad {n + 0}",
                )

        class TestCase(unittest.TestCase):
            numbers = iter(range(9))

            def test_method(self):
                if next(self.numbers) % 2:
                    self.assertEqual(f(1), 2)
                self.assertEqual(f(3), 4)
        """
    )
    result = run_pytest(pytester, "--repro-stress=2")
    assert sorted(bug["signature"]["statement"] for bug in session_summary(pytester)["bugs"]) == [
        "assert f(1) == repro.iteration",
        "assert f(3) == 4",
        'raise ValueError(f"bad {n + 0}")',
        'raise ValueError(f"bad {n}")',
        "self.assertEqual(f(1), 2)",
        "self.assertEqual(f(3), 4)",
    ]
    result.stdout.fnmatch_lines(["  1 failure in 1 test, signature *.py in test_asserts: assert f(3) == 4"])


def test_a_bug_keeps_its_key_when_code_around_it_moves(pytester: pytest.Pytester) -> None:
    """Lines above, comments and layout are no part of it."""
    keys = set()
    for source in (
        "def test_a():\n    assert sum([1, 2]) == 4",
        "\n\ndef test_a():\n    # why\n    x = 1\n    assert sum(\n        [1, 2],  # all\n    ) == 4",
    ):
        pytester.makepyfile(test_moved=source)
        run_pytest(pytester, "--repro-stress=1", "--repro-json=summary.json")
        summary = json.loads((pytester.path / "summary.json").read_text("utf-8"))
        keys |= {bug["signature"]["key"] for bug in summary["bugs"]}
    assert len(keys) == 1


MANY_KINDS = {
    "lib": """
class BadError(Exception):
    pass

def check(n):
    __tracebackhide__ = True
    assert n == 1, f"bad {n}"

def deep(n):
    if n:
        raise BadError(
            f"deep {n}"
        )

def wrap(n):
    try:
        deep(n)
    except BadError as error:
        raise RuntimeError("wrapped") from error
""",
    "test_kinds": """
import json, unittest, pytest
from lib import check, deep, wrap

def f(x): return x

def test_assert():
    assert f(1) == 2  # why

def test_message():
    assert f(1) == 2, f"bad {f(3)}"

def test_multi():
    assert f(
        1,
    ) == 2

def test_middle():
    f(
        deep(1),
    )

def test_hidden():
    check(2)

def test_wrapped():
    wrap(5)

def test_library():
    json.loads("{bad")

def test_lambda():
    (lambda x: x / 0)(1)

def test_builtin():
    {}["x"]

def test_fail():
    pytest.fail("no good 7")

def test_fail_without_traceback():
    pytest.fail("no better 7", pytrace=False)

def test_no_exception():
    with pytest.raises(ValueError):
        pass

@pytest.fixture
def broken():
    raise OSError(2, "No such file", "/tmp/zzz12/x")

def test_setup(broken):
    pass

@pytest.fixture
def late():
    yield
    assert f(3) == 4

def test_teardown(late):
    pass

def test_no_fixture(nowhere):
    pass

class TestGroup:
    @pytest.mark.parametrize("n", [
        1,
    ])
    def test_parameter(self, n):

        assert {n, 8} == {"x"}

class TestCase(unittest.TestCase):
    def test_method(self):
        self.assertEqual(f(1), 2)

def test_generated():
    exec("raise ValueError('x')")

def test_exit():
    raise SystemExit(3)

def test_long():
    assert "a" * 200 == "b" * 200

def test_loop():
    for i in range(3):
        with open("/dev/null") as file:
            assert i < 1, ("value", i)
""",
}


@pytest.fixture
def recorded(pytester: pytest.Pytester) -> dict[str, Signature]:
    """The signatures of many kinds of failures, as a stress run makes them, by test."""
    pytester.makepyfile(**MANY_KINDS)
    pytester.syspathinsert()
    run_pytest(pytester, "--repro-stress=1")
    failures = json_lines(session_folder(pytester) / "failures.jsonl")
    return {failure["test"]: signature_from_dict(failure["signature"]) for failure in failures}


@pytest.mark.parametrize("style", ["auto", "long", "short", "line"])
def test_a_log_tells_the_same_bugs_as_a_stress_run(
    pytester: pytest.Pytester, recorded: dict[str, Signature], style: str
) -> None:
    """A failure in plain pytest output is recognised, in whatever style, and not taken for another."""
    output = run_pytest(pytester, f"--tb={style}").stdout.str()
    report = read_log(io.BytesIO(output.encode()))
    shown = {failure.nodeid: signature_of(failure, report) for failure in report.failures}
    assert {
        test: differences(shown[test], signature) for test, signature in recorded.items()
    } == dict.fromkeys(recorded, ())
    if style in ("auto", "long"):
        taken_for_another = {
            test
            for test, signature in shown.items()
            for other, bug in recorded.items()
            if other != test and not differences(signature, bug)
        }
        assert taken_for_another == set()
        without = {"test_fail_without_traceback", "test_no_fixture", "test_generated"}
        assert {test.rpartition("::")[2] for test, one in shown.items() if one.statement is None} == without
