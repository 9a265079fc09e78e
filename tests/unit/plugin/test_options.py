"""Options are resolved once: flag over ini over default; what cannot be used is refused with a next step."""

from __future__ import annotations

import pytest

from pytest_repro.clock import parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.plugin.options import Options, resolve
from pytest_repro.stress.devices import DeviceRequest
from pytest_repro.stress.match import KeyMatch, Match, PatternMatch
from pytest_repro.stress.resets import ResetPlan


def _resolved(pytester: pytest.Pytester, *arguments: str, ini: str = "") -> Options:
    pytester.makeini(f"[pytest]\n{ini}\n")
    return resolve(pytester.parseconfig(*arguments))


def test_nothing_asked_for_is_nothing_to_do(pytester: pytest.Pytester) -> None:
    """Off means off."""
    options = _resolved(pytester)
    assert options == Options(stress=None, timing=None, profile=False, json_path=None, devices=None)


@pytest.mark.parametrize(
    ("name", "flag", "ini", "read"),
    [
        ("repro-stress", "7", "5", lambda o: o.stress.iterations),
        ("repro-stress-time", "7s", "5s", lambda o: o.stress.budget_ns // 10**9),
        ("repro-stop", "7", "5", lambda o: o.stress.stop_after),
        ("repro-seed", "7", "5", lambda o: o.stress.base_seed),
    ],
)
def test_a_number_is_read_from_flag_ini_and_flag_over_ini(
    pytester: pytest.Pytester, name: str, flag: str, ini: str, read: object
) -> None:
    """The command line has the last word."""
    assert callable(read)
    ini_name = name.replace("-", "_")
    also = () if name.startswith("repro-stress") else ("--repro-stress=2",)
    assert read(_resolved(pytester, f"--{name}={flag}", *also)) == 7
    assert read(_resolved(pytester, *also, ini=f"{ini_name} = {ini}")) == 5
    assert read(_resolved(pytester, f"--{name}={flag}", *also, ini=f"{ini_name} = {ini}")) == 7


@pytest.mark.parametrize(
    ("arguments", "ini", "expected"),
    [
        ((), "", None),
        (("--repro-timing",), "", True),
        ((), "repro_timing = true", True),
        ((), "repro_timing = false", False),
        (("--no-repro-timing",), "repro_timing = true", False),
        (("--repro-timing",), "repro_timing = false", True),
    ],
)
def test_timing_is_on_off_or_by_hand(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, expected: object
) -> None:
    """Unset means: only phases that a test makes itself."""
    assert _resolved(pytester, *arguments, ini=ini).timing is expected


@pytest.mark.parametrize(
    ("arguments", "ini", "timing", "profile"),
    [
        (("--repro-profile",), "", True, True),
        ((), "repro_profile = true", True, True),
        (("--repro-profile",), "repro_profile = false", True, True),
        (("--repro-timing",), "repro_profile = true", True, True),
        (("--no-repro-timing",), "repro_profile = true", False, False),
        (("--repro-profile",), "repro_timing = false", True, True),
        (("--no-repro-timing",), "", False, False),
    ],
)
def test_sampling_brings_timing_with_it(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, *, timing: bool, profile: bool
) -> None:
    """Flag over ini, also where one option speaks against the other."""
    options = _resolved(pytester, *arguments, ini=ini)
    assert (options.timing, options.profile) == (timing, profile)


@pytest.mark.parametrize(
    ("arguments", "ini"),
    [(("--repro-profile", "--no-repro-timing"), ""), ((), "repro_profile = true\nrepro_timing = false")],
    ids=["typed", "ini"],
)
def test_sampling_without_timing_is_refused(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str
) -> None:
    """There would be no phase to sample."""
    with pytest.raises(OptionError, match=r"--no-repro-timing: .* leaves out\. Drop one of them\."):
        _resolved(pytester, *arguments, ini=ini)


@pytest.mark.parametrize(
    ("arguments", "ini", "expected"),
    [
        ((), "", True),
        ((), "repro_reseed = false", False),
        (("--no-repro-reseed",), "", False),
        (("--no-repro-reseed",), "repro_reseed = true", False),
    ],
)
def test_iterations_are_reseeded_unless_told_not_to(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, *, expected: bool
) -> None:
    """Flag over ini over default."""
    stress = _resolved(pytester, "--repro-stress=2", *arguments, ini=ini).stress
    assert stress is not None
    assert stress.reseed is expected


def test_the_summary_can_be_sent_to_a_file_by_flag_or_ini(pytester: pytest.Pytester) -> None:
    """For programs."""
    assert (
        _resolved(pytester, "--repro-stress=2", "--repro-json=a.json", ini="repro_json = b.json").json_path
        == "a.json"
    )
    assert _resolved(pytester, ini="repro_json = b.json").json_path == "b.json"


@pytest.mark.parametrize(
    ("arguments", "ini", "expected"),
    [
        ((), "", None),
        (("--repro-match=a|b",), "", PatternMatch(pattern="a|b")),
        ((), "repro_match = 0123456789ab", KeyMatch(key="0123456789ab")),
        (("--repro-match=a|b",), "repro_match = 0123456789ab", PatternMatch(pattern="a|b")),
    ],
)
def test_the_bug_that_is_looked_for_is_given_by_flag_or_ini(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, expected: Match | None
) -> None:
    """Flag over ini; without a stress run the ini value says nothing."""
    stress = _resolved(pytester, "--repro-stress=2", *arguments, ini=ini).stress
    assert stress is not None
    assert stress.match == expected
    assert _resolved(pytester, ini=ini).stress is None


@pytest.mark.parametrize(
    ("arguments", "ini", "expected"),
    [
        ((), "", None),
        (("--repro-devices=none",), "repro_devices = auto", None),
        (("--repro-devices=auto",), "repro_devices = 0,1", DeviceRequest()),
        ((), "repro_devices = 0,1", DeviceRequest(devices=("0", "1"))),
        (("--repro-devices=MY=2",), "", DeviceRequest(variable="MY", devices=("2",))),
    ],
)
def test_devices_are_leased_if_flag_or_ini_say_so(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, expected: DeviceRequest | None
) -> None:
    """Flag over ini; without a stress run the ini value says nothing."""
    assert _resolved(pytester, "--repro-stress=2", *arguments, ini=ini).devices == expected
    assert _resolved(pytester, ini=ini).devices is None


def test_resets_are_read_from_flag_ini_and_flag_over_ini(pytester: pytest.Pytester) -> None:
    """Command, further errors, and time."""
    ini = "repro_reset = a b\nrepro_reset_on = x\nrepro_reset_limit = 5m"
    flags = ("--repro-reset=c 'd e'", "--repro-reset-on=y", "--repro-reset-limit=2s")
    by_ini = _resolved(pytester, "--repro-stress=2", ini=ini).stress
    by_flag = _resolved(pytester, "--repro-stress=2", *flags, ini=ini).stress
    plain = _resolved(pytester, "--repro-stress=2").stress
    assert by_ini is not None
    assert by_flag is not None
    assert plain is not None
    assert by_ini.resets == ResetPlan(command=("a", "b"), pattern="x", limit_ns=300 * 10**9)
    assert by_flag.resets == ResetPlan(command=("c", "d e"), pattern="y", limit_ns=2 * 10**9)
    assert plain.resets == ResetPlan(command=(), pattern=None, limit_ns=60 * 10**9)


def test_maxfail_and_exitfirst_limit_the_failures_of_all_tests(pytester: pytest.Pytester) -> None:
    """These are pytest's own options, not ours."""
    stress = _resolved(pytester, "--repro-stress=2", "--maxfail=3").stress
    assert stress is not None
    assert stress.max_failures == 3


def test_each_session_has_a_seed_of_its_own(pytester: pytest.Pytester) -> None:
    """Two sessions do not repeat each other's random numbers."""
    seeds = {_resolved(pytester, "--repro-stress=2").stress for _ in range(3)}
    assert len(seeds) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--repro-stress=0",),
            "--repro-stress '0' cannot be used. Give a whole number from 1 on.",
        ),
        (("--repro-stress=many",), "--repro-stress 'many' cannot be used. Give a whole number from 1 on."),
        (("--repro-stress=-3",), "--repro-stress '-3' cannot be used. Give a whole number from 1 on."),
        (
            ("--repro-stress-time=soon",),
            "--repro-stress-time 'soon' cannot be used. Give a time above zero such as 90s, 5m or 1h.",
        ),
        (
            ("--repro-stress=2", "--count=3"),
            "--repro-stress cannot be combined with --count: both repeat tests. Drop --count.",
        ),
        (
            ("--repro-replay=7",),
            (
                "--repro-replay 7 needs the seed of the session in which iteration 7 failed."
                " Add --repro-seed SEED; the summary of that session prints the whole command."
            ),
        ),
        (("--repro-stop=1",), "--repro-stop does nothing without a stress run. Add --repro-stress N."),
        (("--repro-match=x",), "--repro-match does nothing without a stress run. Add --repro-stress N."),
        (
            ("--repro-stress=2", "--repro-match=a("),
            (
                "--repro-match 'a(' cannot be used. Give a regular expression, a signature file or a key:"
                " missing ), unterminated subpattern at position 1."
            ),
        ),
        (
            ("--repro-devices=auto",),
            "--repro-devices does nothing without a stress run. Add --repro-stress N.",
        ),
        (("--repro-reset=x",), "--repro-reset does nothing without a stress run. Add --repro-stress N."),
        (
            ("--repro-stress=2", "--repro-devices=0,0"),
            (
                "--repro-devices '0,0' cannot be used. Give auto, none, devices such as 0,1,2 (each once),"
                " or a variable with its devices such as NAME=0,1,2."
            ),
        ),
        (
            ("--repro-stress=2", "--repro-devices="),
            (
                "--repro-devices '' cannot be used. Give auto, none, devices such as 0,1,2 (each once),"
                " or a variable with its devices such as NAME=0,1,2."
            ),
        ),
        (
            ("--repro-stress=2", "--repro-reset=reset {gpu}"),
            (
                "--repro-reset 'reset {gpu}' cannot be used."
                " Give a command with {device} and {worker} alone, not {gpu}; braces are {{ and }}."
            ),
        ),
        (
            ("--repro-stress=2", "--repro-reset=reset {device}"),
            (
                "--repro-reset names {device}, and no device is leased to anybody."
                " Add --repro-devices auto, or leave {device} out."
            ),
        ),
        (
            ("--repro-stress=2", "--repro-reset-on=a("),
            (
                "--repro-reset-on 'a(' cannot be used."
                " Give a regular expression (missing ), unterminated subpattern at position 1)."
            ),
        ),
        (
            ("--repro-stress=2", "--repro-reset-on=a"),
            (
                "--repro-reset-on does nothing without a way to reset a device. Add --repro-reset COMMAND,"
                " or implement pytest_repro_reset_device in the conftest at the root."
            ),
        ),
        (
            ("--verify-confidence=0.9",),
            "--verify-confidence does nothing without the gate. Add --verify-runs N.",
        ),
        (("--verify-keep-going",), "--verify-keep-going does nothing without the gate. Add --verify-runs N."),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_next_step(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    """The fact, the place, the next step."""
    with pytest.raises(OptionError) as caught:
        _resolved(pytester, *arguments)
    assert str(caught.value) == message


def test_a_bad_ini_value_is_named_by_its_place(pytester: pytest.Pytester) -> None:
    """Nobody looks for it on the command line."""
    with pytest.raises(OptionError, match=r"repro_stress in the ini file: 'x' cannot be used"):
        _resolved(pytester, ini="repro_stress = x")


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600), ("250ms", 0.25), ("300us", 0.0003)],
)
def test_a_time_is_read_in_the_unit_that_it_names(text: str, expected_s: float) -> None:
    """A bare number is seconds."""
    assert parse_duration_ns(text) == round(expected_s * 10**9)


@pytest.mark.parametrize("text", ["1" * 400, "9" * 308 + "h", "9000h", "0s", "0.0001us", "", "s", "-1s"])
def test_a_time_that_nobody_can_wait_for_is_refused(text: str) -> None:
    """However many digits it has; nor is zero one."""
    with pytest.raises(ValueError, match="such as 90s, 5m or 1h"):
        parse_duration_ns(text)
