"""Options of the gate: flag over ini, and what it cannot do is refused with a next step."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.verify_options import VerifyOptions, is_gate_asked_for, read_verify_options


def _config(pytester: pytest.Pytester, *arguments: str, ini: str = "") -> pytest.Config:
    pytester.makeini(f"[pytest]\n{ini}\n")
    return pytester.parseconfig(*arguments)


def _read(pytester: pytest.Pytester, *arguments: str, ini: str = "") -> VerifyOptions:
    return read_verify_options(_config(pytester, *arguments, ini=ini))


def test_the_number_of_runs_is_read_from_flag_ini_and_flag_over_ini(pytester: pytest.Pytester) -> None:
    """The command line has the last word."""
    assert _read(pytester, "--verify-runs=7").runs == 7
    assert _read(pytester, ini="verify_runs = 5").runs == 5
    assert _read(pytester, "--verify-runs=7", ini="verify_runs = 5").runs == 7


def test_the_number_of_runs_may_be_left_to_the_record(pytester: pytest.Pytester) -> None:
    """By flag, by ini, and taken back by a number."""
    assert _read(pytester, "--verify-runs=auto").runs is None
    assert _read(pytester, ini="verify_runs = auto").runs is None
    assert _read(pytester, "--verify-runs=7", ini="verify_runs = auto").runs == 7


def test_the_confidence_is_read_from_flag_ini_and_flag_over_ini(pytester: pytest.Pytester) -> None:
    """A share or a percentage; 95 % unless set."""
    assert _read(pytester, "--verify-runs=2").confidence == 0.95
    assert _read(pytester, "--verify-runs=2", "--verify-confidence=99%").confidence == 0.99
    ini = "verify_runs = 2\nverify_confidence = 0.9"
    assert _read(pytester, ini=ini).confidence == 0.9
    assert _read(pytester, "--verify-confidence=0.8", ini=ini).confidence == 0.8


def test_a_seed_that_all_runs_start_from_is_noted(pytester: pytest.Pytester) -> None:
    """By flag or ini; without it each stress run inside has a seed of its own."""
    assert not _read(pytester, "--verify-runs=2").is_seed_fixed
    assert _read(pytester, "--verify-runs=2", "--repro-seed=0").is_seed_fixed
    assert _read(pytester, "--verify-runs=2", ini="repro_seed = 3").is_seed_fixed


@pytest.mark.parametrize("ini", ["", "verify_keep_going = true"])
def test_the_gate_keeps_going_if_flag_or_ini_say_so(pytester: pytest.Pytester, ini: str) -> None:
    """A plain flag."""
    arguments = () if ini else ("--verify-keep-going",)
    assert _read(pytester, "--verify-runs=2", *arguments, ini=ini).keep_going
    assert not _read(pytester, "--verify-runs=2").keep_going


@pytest.mark.parametrize(
    ("arguments", "ini", "expected"),
    [
        ((), "", False),
        (("--verify-runs=2",), "", True),
        ((), "verify_runs = 2", True),
        (("--verify-runs=no",), "verify_runs = 2", False),
        ((), "verify_runs = no", False),
        (("--repro-replay=3", "--repro-seed=1"), "verify_runs = 2", False),
    ],
)
def test_the_gate_is_asked_for_by_flag_or_ini(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, *, expected: bool
) -> None:
    """`no` takes back what an ini file asks for; so does a replay of one iteration."""
    assert is_gate_asked_for(_config(pytester, *arguments, ini=ini)) is expected


def test_in_a_run_the_gate_must_be_asked_for_by_hand(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a test of a run starts finds the same ini file and variables."""
    monkeypatch.setenv("PYTEST_REPRO_IN_RUN", "1")
    assert not is_gate_asked_for(_config(pytester, ini="verify_runs = 2"))
    assert not is_gate_asked_for(_config(pytester, ini="addopts = --verify-runs=2"))
    assert is_gate_asked_for(_config(pytester, "--verify-runs=2"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--verify-runs=0",), "--verify-runs '0' cannot be used. Give a whole number from 1 on, or auto."),
        (
            ("--verify-runs=2", "--verify-confidence=95"),
            (
                "--verify-confidence '95' cannot be used. "
                "Give a share from 0.5 up to but without 1, such as 0.95, or 95%."
            ),
        ),
        (
            ("--verify-runs=2", "--pdb"),
            "--verify-runs cannot be combined with --pdb: its runs have no terminal. Drop one of them.",
        ),
        (
            ("--verify-runs=2", "--lf"),
            "--verify-runs cannot be combined with --lf: * Name the tests instead.",
        ),
        (
            ("--verify-runs=2", "--sw-skip"),
            "--verify-runs cannot be combined with --sw-skip: * Name the tests instead.",
        ),
    ],
)
def test_what_the_gate_cannot_do_is_refused(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    """With the next step."""
    with pytest.raises(OptionError) as caught:
        _read(pytester, *arguments)
    assert fnmatch(str(caught.value), message)


def test_a_plugin_that_only_this_process_knows_is_refused(pytester: pytest.Pytester) -> None:
    """A fresh process could not have it, and its absence would change what is tested."""
    pytester.plugins = [object()]
    with pytest.raises(OptionError, match=r"cannot hand .* on to a fresh process\. Give plugins by name"):
        read_verify_options(pytester.parseconfig("--verify-runs=2"))
