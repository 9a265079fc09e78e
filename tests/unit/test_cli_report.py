"""The console script `repro-report`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from pytest_repro.cli.report import main, report
from pytest_repro.cli.report_names import SESSION
from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.session_list import Look, session_lines
from pytest_repro.store import STATE, read_json, write_json
from tests.unit.report.session_records import batch, write_session


def test_sessions_are_listed_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in a name of a tag or a command stays text."""
    write_session(tmp_path, facts={"tag": "before"}, summary={"exit_status": 0})
    write_session(tmp_path, minute=1, facts={"command": "pytest \x1b[31m[bold]x"})
    assert main(["--root", str(tmp_path), "list"]) == 0
    header, newest, oldest = capsys.readouterr().out.splitlines()
    assert header.split() == ["session", "tag", "result", "what"]
    assert newest.startswith("20261101-120100-stress-")
    assert "broken off" in newest
    assert "pytest \\x1b" in newest
    assert oldest.split()[1:] == ["before", "passed", "10.0", "s", "pytest"]
    assert main(["--root", str(tmp_path), "list", "--json"]) == 0
    assert [row["tag"] for row in json.loads(capsys.readouterr().out)] == [None, "before"]


def test_the_list_fits_a_terminal(tmp_path: Path) -> None:
    """Wide characters count twice; without a terminal nothing is cut."""
    write_session(tmp_path, facts={"tag": "前", "command": "pytest " + "試" * 50}, summary={"exit_status": 0})
    write_session(tmp_path, minute=1, facts={"tag": "ab"}, summary={"exit_status": 1})
    entries = Catalogue(tmp_path).entries()
    (heading, _), (bad, look), (long, plain) = session_lines(entries, width=80)
    assert (look, plain) == (Look.BAD, Look.PLAIN)
    assert bad.endswith("  ab   failed  10.0 s  pytest")
    assert 79 <= cell_len(long) <= 80
    assert long.endswith("試…")
    assert cell_len(long[: long.index("passed")]) == heading.index("result") == bad.index("failed")
    *_, (whole, _) = session_lines(entries, width=None)
    assert whole.endswith("試" * 50)


def test_old_sessions_are_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those with a tag only when asked for."""
    for minute in range(4):
        write_session(tmp_path, minute=minute, facts={"tag": "a" if minute == 0 else None}, summary={})
    assert main(["--root", str(tmp_path), "prune", "--keep", "2"]) == 0
    shown = capsys.readouterr().out
    assert "removed 20261101-120100-stress-" in shown
    assert "1 session removed, 3 left in " in shown
    assert main(["--root", str(tmp_path), "prune", "--keep", "2", "--with-tags"]) == 0
    assert "removed 20261101-120000-stress-" in capsys.readouterr().out


def test_sessions_that_cannot_be_removed_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that may only be read: exit status 4, not a success that left all as it was."""
    for minute in range(3):
        write_session(tmp_path, minute=minute, facts={"tag": "a" if minute == 0 else None}, summary={})
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    assert main(["--root", str(tmp_path), "prune", "--keep", "1"]) == 4
    shown = capsys.readouterr()
    assert "0 sessions removed, 3 left" in shown.out
    assert "1 session could not be removed: 20261101-120100-stress-" in shown.err


def test_a_shell_is_offered_tags_and_ids(tmp_path: Path) -> None:
    """The newest first."""
    session = write_session(tmp_path, facts={"tag": "before"}, summary={})
    context = report.make_context("repro-report", ["--root", str(tmp_path), "list"])
    offered = SESSION.shell_complete(context, report.params[0], "")
    assert [item.value for item in offered] == ["latest", "before", session.id]
    assert [item.value for item in SESSION.shell_complete(context, report.params[0], "bef")] == ["before"]
    write_session(tmp_path, minute=1, summary={})
    back = SESSION.shell_complete(context, report.params[0], "latest~")
    assert [(item.value, item.help) for item in back] == [("latest~1", session.id)]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_names_of_sessions(tmp_path: Path) -> None:
    """By the line of the README; a line break in a record makes no name."""
    write_session(tmp_path, facts={"tag": "before", "command": "pytest -k 'a\nplain,evil'"}, summary={})
    write_session(tmp_path, minute=1, facts={"tag": "be\nplain,evil"}, summary={})
    program = tmp_path / "bin" / "repro-report"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom pytest_repro.cli.report import main\nraise SystemExit(main())\n"
    )
    program.chmod(0o755)
    script = (
        'eval "$(_REPRO_REPORT_COMPLETE=bash_source repro-report)"\n'
        f"COMP_WORDS=(repro-report --root '{tmp_path}' show be) COMP_CWORD=4\n"
        "_repro_report_completion repro-report\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["before"]


def test_a_command_costs_only_what_it_needs(tmp_path: Path) -> None:
    """Listing sessions imports no template, no table and none of the other commands."""
    write_session(tmp_path, summary={})
    code = (
        "import sys; from pytest_repro.cli.report import main; status = main(sys.argv[1:]); "
        "print([name for name in sys.modules if name.startswith(('pytest_repro.cli.report_', "
        "'pytest_repro.scaffold', 'pandas', 'scipy', 'jinja2'))]); sys.exit(status)"
    )
    called = [sys.executable, "-c", code, "--root", str(tmp_path), "list"]
    done = subprocess.run(called, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_each_command_is_found_where_it_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names each, with a line of its own."""
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    context = click.Context(report)
    for name in report.list_commands(context):
        command = report.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert any(line.split()[:2] == [name, (command.help or "").split()[0]] for line in listed)


def test_a_misspelt_command_ends_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    """And says what there is."""
    assert main(["lst"]) == 4
    assert "No such command 'lst'" in capsys.readouterr().err


def _two(tmp_path: Path, *, processor: dict[str, int] | None = None) -> None:
    for minute, (tag, base) in enumerate((("before", 10**9), ("after", 2 * 10**9))):
        lines = [batch("t::a", [("passed", 8)], [base + i for i in range(8)])]
        session = write_session(
            tmp_path, minute=minute, facts={"tag": tag}, records={"iterations.jsonl": lines}, summary={}
        )
        state = read_json(session.path / STATE)
        write_json(session.path / STATE, {**state, "processor": processor})


def test_a_limit_that_cannot_be_checked_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the machine was shared nothing is said of times: exit status 6, unless that is accepted."""
    _two(tmp_path, processor={"ran_ns": 10**9, "waited_ns": 10**9})
    call = ["--root", str(tmp_path), "compare", "before", "after", "--fail-on"]
    assert main([*call, "duration>+10%"]) == 6
    shown = capsys.readouterr().out
    assert "--fail-on 'duration>+10%' was not checked: what it looks at could not be judged" in shown
    assert "contended (it waited 50 % of its time for a processor)" in shown
    assert main([*call, "failure_rate>+10%"]) == 0
    assert main([*call, "duration>+10%", "--even-if", "contended"]) == 1
    assert main([*call, "duration>+10%", "--json"]) == 6
    capsys.readouterr()


def test_names_are_whole_where_a_terminal_is_narrow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intervals give way."""
    _two(tmp_path)
    call = ["--root", str(tmp_path), "compare", "before", "after"]
    for columns, has_intervals in (("60", False), ("110", True)):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(call) == 0
        shown = capsys.readouterr().out
        assert "  failure rate " in shown
        assert ("95 % interval" in shown) is has_intervals


def test_two_sessions_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the terminal, as Markdown and as JSON; exit status 1 only for what must not be."""
    _two(tmp_path)
    call = ["--root", str(tmp_path), "compare", "before", "after"]
    assert main(call) == 0
    shown = capsys.readouterr().out
    (duration,) = (line for line in shown.splitlines() if line.startswith("  duration"))
    assert " ".join(duration.split()) == "duration 1.00 s 2.00 s +100 % +100 % to +100 % slower"
    assert "1 difference among 2 of 2 rows that could be judged: of 5.0 % or more" in shown
    assert main([*call, "--fail-on", "duration>+10%"]) == 1
    assert "--fail-on 'duration>+10%' is broken by t::a: duration +100 %" in capsys.readouterr().out
    assert main([*call, "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "- **Before**: 1.00 s\n- **After**: 2.00 s\n- **Improvement**: +100 %, slower\n" in shown
    assert "| `t::a: duration` | 1.00 s | 2.00 s | +100 % (slower) | - |" in shown
    assert main([*call, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["change"] for row in record["rows"]] == ["same", "higher"]
    assert main([*call, "--json", "--markdown"]) == 4
    assert main([*call, "--even-if", "x"]) == 4
    assert "Give some of host, devices, changes, contended." in capsys.readouterr().err
