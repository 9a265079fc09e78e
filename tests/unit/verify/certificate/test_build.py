"""The command that builds each side."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_repro.verify.certificate.build import Build, parse_build_command, run_build


def _built(tmp_path: Path, text: str) -> Build:
    return run_build(
        parse_build_command(text),
        side="base",
        fields={"python": "/bin/python", "site": "/s ite", "worktree": "/w"},
        directory=tmp_path,
        environment=dict(os.environ),
        output=tmp_path / "build.txt",
        clock=iter((5, 250_000_005)).__next__,
    )


def test_a_build_runs_in_its_worktree_and_keeps_its_output(tmp_path: Path) -> None:
    """No shell takes a part; what stands in braces is filled in as one word."""
    built = _built(tmp_path, "sh -c 'pwd; echo \"$1\" >&2; echo {{}}' x {site};")
    assert (tmp_path / "build.txt").read_text(encoding="utf-8") == f"{tmp_path}\n/s ite;\n{{}}\n"
    assert (built.exit_status, built.duration_ns, built.tail) == (
        0,
        250_000_000,
        f"{tmp_path}\n/s ite;\n{{}}",
    )


def test_a_failing_build_tells_its_end(tmp_path: Path) -> None:
    """The last lines, of which the whole is kept."""
    built = _built(tmp_path, "sh -c 'seq 100; exit 3'")
    assert built.exit_status == 3
    assert built.tail.splitlines() == [str(number) for number in range(81, 101)]


def test_a_command_that_is_not_there_fails_as_in_a_shell(tmp_path: Path) -> None:
    """Its name and the reason stand in the output."""
    built = _built(tmp_path, "no-such-command --now")
    assert (built.exit_status, built.tail) == (127, "no-such-command: No such file or directory")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a command such as 'make -j4'"),
        ("make 'x", "quotes and braces close"),
        ("make {", "quotes and braces close"),
        (
            "make {device}",
            r"a command with {python}, {site}, {worktree} alone, not {device}; braces are {{ and }}",
        ),
        ("make {}", "not {}"),
        ("make {site!r}", "not {site!r}"),
    ],
)
def test_commands_that_cannot_be_read_are_refused(text: str, message: str) -> None:
    """Before anything is made."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_build_command(text)
