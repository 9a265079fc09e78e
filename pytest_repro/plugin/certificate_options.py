"""Options that compare a base with its fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.internals.rootdir import misled_rootdir
from pytest_repro.plugin.match_option import read_match
from pytest_repro.plugin.option_reader import OptionReader

if TYPE_CHECKING:
    from pytest_repro.stress.match import Match

CERTIFICATE_VALUES = (
    ("verify-base", "REF", "Prove the fix: also run the tests at git's REF, by turns, and compare."),
    ("verify-build", "COMMAND", "Build both worktrees by COMMAND; also {site}, {worktree} and {python}."),
)
CERTIFICATE_LISTS = (
    (
        "verify-test",
        "PATH",
        "Copy this of the fix into the base (repeatable; default: the test files named), or `none`.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOptions:
    """What a comparison was asked for.

    Attributes:
        base: Name of the commit without the fix.
        build: Words of the command that builds each side, None without.
        build_text: The command as given.
        tests: Paths that are copied into the base; None for the files that the command line names.
        wanted: Which failures of the base count, None for any.
    """

    base: str
    build: tuple[str, ...] | None
    build_text: str | None
    tests: tuple[str, ...] | None
    wanted: Match | None


def read_certificate_options(
    config: pytest.Config, *, runs: int | None, confidence: float
) -> CertificateOptions | None:
    """Reads the options of a comparison, None where none was asked for.

    Args:
        config: Of the gate's process.
        runs: Runs of each side, None for as many as prove something.
        confidence: From 0 to 1.

    Raises:
        OptionError: A value cannot be read, or so few runs can prove nothing.
    """
    read = OptionReader(config)
    base = read.value("verify-base", str)
    if base is None:
        for name in ("verify-build", "verify-test"):
            read.refuse_alone(name, "--verify-base REF", without="a base to compare with")
        return None
    from pytest_repro.verify.certificate.build import parse_build_command
    from pytest_repro.verify.certificate.judgement import fewest_runs

    fewest = fewest_runs(confidence)
    if runs is None:
        raise OptionError(
            "--verify-runs auto cannot be combined with --verify-base: it has no rate of the base to go by",
            next_step=f"Give a number: {fewest} prove a base that fails in each run, "
            f"{_fifth(confidence)} one that fails in every fifth.",
        )
    if runs < fewest:
        raise OptionError(
            f"--verify-runs {runs} is too few for --verify-base: if the base failed in each run and the fix "
            f"in none, that could still be chance at {confidence:.4g} confidence",
            next_step=f"Give --verify-runs {fewest} or more.",
        )
    tests = read.values("verify-test")
    _refuse_misleading_values(config, {"verify-base": (base,), "verify-test": tests or ()})
    return CertificateOptions(
        base=base,
        build=read.value("verify-build", parse_build_command),
        build_text=read.value("verify-build", str),
        tests=tests,
        wanted=read_match(config, read),
    )


def _fifth(confidence: float) -> int | None:
    from pytest_repro.verify.certificate.judgement import runs_needed_of_each

    return runs_needed_of_each(1, 5, confidence=confidence)


def _refuse_misleading_values(config: pytest.Config, given: Mapping[str, Sequence[str]]) -> None:
    """Pytest finds its rootdir before it knows our options: to it their values are files like any other."""
    for name, values in given.items():
        for value in values:
            meant = misled_rootdir(config, value)
            if meant is not None:
                taken = f"take {config.rootpath} for its rootdir in the place of {meant}"
                raise OptionError(
                    f"--{name} {value} made pytest {taken}",
                    next_step=f"Write --{name}={value}.",
                )
