"""Tags, what is kept, and what a session says of its checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.plugin.session_facts import git_facts, recorded_variables
from pytest_repro.store import FACTS, STATE, read_json
from tests.repositories import Checkout


def _session(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def _sessions(pytester: pytest.Pytester) -> list[Path]:
    return sorted((pytester.path / ".pytest_repro" / "sessions").iterdir())


def test_a_tag_is_recorded_and_sessions_with_one_are_kept(pytester: pytest.Pytester) -> None:
    """As flag, as ini, and flag over ini."""
    pytester.makepyfile("def test_a(): pass")
    pytester.makeini("[pytest]\nrepro_keep = 3\nrepro_tag = always\n")
    assert _session(pytester, "--repro-stress", "1", "--repro-tag", "before").ret == 0
    (first,) = _sessions(pytester)
    assert read_json(first / FACTS)["tag"] == "before"
    assert read_json(first / STATE)["totals"]["iterations_executed"] == 1
    pytester.makeini("[pytest]\nrepro_keep = 1\n")
    for _ in range(2):
        _session(pytester, "--repro-stress", "1")
    assert sorted(str(read_json(path / FACTS)["tag"]) for path in _sessions(pytester)) == ["None", "before"]
    _session(pytester, "--repro-stress", "1", "--repro-keep", "3")
    assert len(_sessions(pytester)) == 3


@pytest.mark.parametrize("option", ["--repro-timing", "--repro-profile"])
def test_a_session_that_is_only_timed_has_a_tag(pytester: pytest.Pytester, option: str) -> None:
    """It is recorded too."""
    pytester.makepyfile("def test_a(repro):\n    with repro.phase('a'): pass")
    assert _session(pytester, option, "--repro-tag", "timed").ret == 0
    assert [read_json(path / FACTS)["tag"] for path in _sessions(pytester)] == ["timed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--repro-stress=1", "--repro-tag=latest"), "--repro-tag 'latest' cannot be used. Give up to 64"),
        (("--repro-stress=1", "--repro-tag=a/b"), "--repro-tag 'a/b' cannot be used. Give up to 64"),
        (
            ("--repro-stress=1", "--repro-keep=0"),
            "--repro-keep '0' cannot be used. Give a whole number from 1",
        ),
        (
            ("--repro-tag=a",),
            "--repro-tag does nothing without a session that is recorded. Add --repro-stress",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    pytester: pytest.Pytester, arguments: tuple[str, ...], words: str
) -> None:
    """Before anything runs."""
    pytester.makepyfile("def test_a(): pass")
    result = _session(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


def test_local_changes_are_told_apart(tmp_path: Path) -> None:
    """By a digest of changed and new files: two attempts at a fix are two, and the same one is one."""
    checkout = Checkout(tmp_path)
    checkout.commit({"a.py": "1\n"})
    clean = git_facts(tmp_path)
    assert clean is not None
    assert (clean["branch"], clean["is_dirty"], clean["difference"]) == ("main", False, None)
    checkout.write({"__pycache__/a.pyc": "1", "sub/.pytest_cache/b": "2"})
    assert git_facts(tmp_path) == clean, "what Python and pytest leave behind is no change"
    digests = []
    for name, text in (("a.py", "2\n"), ("new ü.py", "1\n"), ("new ü.py", "2\n"), ("a.py", "2\n")):
        checkout.write({name: text})
        facts = git_facts(tmp_path)
        assert facts is not None
        digests.append(facts["difference"])
    assert len(set(digests)) == 3
    assert digests[2] == digests[3]


def test_records_leave_out_what_is_secret_and_what_looks_so() -> None:
    """By the same rules as what leaves a log: names, tokens by their shape, and logins in addresses."""
    kept = {"TT_METAL_HOME": "/tt", "PYTHONHASHSEED": "3", "CUDA_VISIBLE_DEVICES": "0", "TORCH_KEYBOARD": "x"}
    left_out = {
        "TT_API_TOKEN": "a",
        "PYTHON_PASSWORD": "b",
        "PYTEST_AUTH": "c",
        "NVIDIA_KEY": "d",
        "TORCH_MIRROR": "https://me:hunter22@host/",
        "TT_X": "ghp_" + "a1" * 18,
        "HOME": "/home/me",
    }
    assert recorded_variables({**kept, **left_out}) == kept
