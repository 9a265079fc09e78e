"""Limits stand on the command line or in the ini file; the command line is nearer."""

from __future__ import annotations

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.limit_options import LIMIT_VALUES, read_limits
from pytest_repro.plugin.options import resolve
from pytest_repro.verify.limits import LimitKind


def _texts(pytester: pytest.Pytester, *arguments: str, ini: str = "") -> list[str]:
    pytester.makeini(f"[pytest]\n{ini}\n")
    return [limit.text for limit in read_limits(pytester.parseconfig(*arguments))]


@pytest.mark.parametrize(
    ("name", "flag", "same", "other"),
    [
        ("verify-max-duration", "5s", "7s", None),
        ("verify-max-phase", "op=5s", "op=7s", "to_torch=1s"),
        ("verify-metric", "rate>=5", "rate>=7", "loss<1"),
    ],
)
def test_limits_are_read_from_flag_ini_and_flag_over_ini(
    pytester: pytest.Pytester, name: str, flag: str, same: str, other: str | None
) -> None:
    """What the command line does not speak of stays as the ini file has it."""
    lines = [same, *([other] if other else [])]
    ini = f"{name.replace('-', '_')} =\n" + "\n".join(f"    {line}" for line in lines)
    assert _texts(pytester) == []
    assert _texts(pytester, f"--{name}={flag}") == [flag]
    assert _texts(pytester, ini=ini) == lines
    assert _texts(pytester, f"--{name}={flag}", ini=ini) == [flag, *lines[1:]]


def test_a_range_of_one_metric_takes_the_option_twice(pytester: pytest.Pytester) -> None:
    """Both hold."""
    assert _texts(pytester, "--verify-metric=rate>1", "--verify-metric=rate<9") == ["rate>1", "rate<9"]


@pytest.mark.parametrize(
    ("arguments", "ini", "message"),
    [
        (
            ("--verify-max-duration=soon",),
            "",
            "--verify-max-duration 'soon' cannot be used. Give a time above zero such as 90s, 5m or 1h.",
        ),
        (
            (),
            "verify_max_phase = op",
            (
                "verify_max_phase in the ini file: 'op' cannot be used. "
                "Give a phase and its time, such as to_torch=0.5s."
            ),
        ),
    ],
)
def test_a_limit_that_cannot_be_read_is_named_by_its_place(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, message: str
) -> None:
    """With what can be."""
    with pytest.raises(OptionError) as caught:
        _texts(pytester, *arguments, ini=ini)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", [name for name, *_ in LIMIT_VALUES])
def test_a_limit_without_the_gate_is_refused_and_one_in_the_ini_file_waits_for_it(
    pytester: pytest.Pytester, name: str
) -> None:
    """Nobody gives the same ini file twice."""
    pytester.makeini(f"[pytest]\n{name.replace('-', '_')} = 5s\n")
    resolve(pytester.parseconfig())
    resolve(pytester.parseconfig(f"--{name}=5s", "--verify-runs=2"))
    with pytest.raises(OptionError, match=rf"--{name} does nothing without the gate. Add --verify-runs N."):
        resolve(pytester.parseconfig(f"--{name}=5s"))


def test_each_kind_of_limit_has_its_option() -> None:
    """They are read in pairs."""
    names = [f"verify-{kind.value.replace('_', '-')}" for kind in LimitKind]
    assert names == [name for name, *_ in LIMIT_VALUES]
