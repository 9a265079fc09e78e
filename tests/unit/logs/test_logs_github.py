"""Logs by the address of a run, from a server on this machine that speaks GitHub's API."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_repro.cli.scaffold import main
from pytest_repro.errors import LogError
from pytest_repro.logs.github.address import parse_run_url
from pytest_repro.logs.github.client import GithubClient
from pytest_repro.logs.github.run import fetched_log
from pytest_repro.logs.reader import read_whole_log
from pytest_repro.logs.records import LogReport
from tests.unit.logs.github_server import Server, github_server

RUN = "https://github.com/o/r/actions/runs/7"
REPO = "/repos/o/r"
STAMP = "2026-11-01T10:00:00.0000000Z "
OUTPUT = """\
============================= test session starts ==============================
collected 1 item
test_a.py F                                                              [100%]
=================================== FAILURES ===================================
____________________________________ test_a ____________________________________
>       assert 1 == 2
E       assert 1 == 2
test_a.py:2: AssertionError
=========================== short test summary info ============================
FAILED test_a.py::test_a - assert 1 == 2
============================== 1 failed in 0.01s ===============================
"""
LOG = "".join(STAMP + line for line in OUTPUT.splitlines(keepends=True)).encode()
SECRET = "ghp_" + "s" * 36


@pytest.fixture
def server() -> Iterator[Server]:
    """The API, with a run of two jobs, one of which has failed."""
    with github_server() as one:
        run = {
            "status": "completed",
            "conclusion": "failure",
            "head_sha": "a" * 40,
            "path": ".github/workflows/ci.yml",
        }
        one.json(f"{REPO}/actions/runs/7", {**run, "name": "CI", "head_branch": "main", "run_attempt": 2})
        failed = {"id": 12, "name": "unit / py (3.11)", "conclusion": "failure", "status": "completed"}
        failed |= {"labels": ["ubuntu-latest"], "steps": [{"name": "Test", "conclusion": "failure"}]}
        jobs = [{"id": 11, "name": "lint", "conclusion": "success", "status": "completed"}, failed]
        one.json(f"{REPO}/actions/runs/7/jobs?per_page=100&page=1", {"total_count": 2, "jobs": jobs})
        one.json(f"{REPO}/actions/jobs/12", {**failed, "run_id": 7})
        one.replies[f"{REPO}/actions/jobs/12/logs"] = (302, {"Location": f"{one.other_url}/blob?sig=x"}, b"")
        one.replies["/blob?sig=x"] = (200, {}, LOG)
        yield one


def _read(
    server: Server, url: str = RUN, *, token: str | None = SECRET
) -> tuple[LogReport, list[str], list[float]]:
    environment = {"GITHUB_API_URL": server.url} | ({"GH_TOKEN": token} if token else {})
    address = parse_run_url(url, environment)
    waits: list[float] = []
    with fetched_log(address, GithubClient(address, sleep=waits.append)) as log:
        report, _ = read_whole_log(log)
        return report, list(log.notes), waits


def test_only_the_logs_of_failed_jobs_are_fetched(server: Server) -> None:
    """With the job's own name, and what the API knows of run and job beside it."""
    report, notes, _ = _read(server)
    assert [failure.nodeid for failure in report.failures] == ["test_a.py::test_a"]
    assert report.session.job is not None
    assert report.session.job.value == "unit / py (3.11)"
    assert {fact.label: fact.value for fact in report.told} == {
        "Workflow": "CI in .github/workflows/ci.yml",
        "Commit of the run": "a" * 40,
        "Branch": "main",
        "Attempt": "2",
        "Conclusion": "failure",
        "Job unit / py (3.11)": "failure, step Test, on ubuntu-latest",
    }
    assert notes == []


def test_the_token_is_shown_to_the_api_alone(server: Server) -> None:
    """Not to the host of the archive, to which the API redirects."""
    _read(server)
    shown = {path: headers.get("Authorization") for path, headers in server.asked}
    assert shown.pop("/blob?sig=x") is None
    assert set(shown.values()) == {f"Bearer {SECRET}"}


def test_one_job_is_fetched_by_its_own_address(server: Server) -> None:
    """And nothing is asked of the others."""
    report, _, _ = _read(server, f"{RUN}/job/12?pr=3#step:4:1")
    assert [failure.nodeid for failure in report.failures] == ["test_a.py::test_a"]
    assert f"{REPO}/actions/runs/7/jobs?per_page=100&page=1" not in [path for path, _ in server.asked]


def test_many_failed_jobs_come_in_one_archive(server: Server) -> None:
    """Each line once, with the real names of the jobs; pages of jobs are turned."""
    jobs = [
        {"id": i, "name": f"a/b ({i})", "conclusion": "failure", "status": "completed"} for i in range(120)
    ]
    path = f"{REPO}/actions/runs/7/jobs?per_page=100&page="
    server.json(f"{path}1", {"total_count": 120, "jobs": jobs[:100]})
    server.json(f"{path}2", {"total_count": 120, "jobs": jobs[100:]})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("0_ab (7).txt", LOG)
        file.writestr("ab (7)/1_Test.txt", LOG)
    server.replies[f"{REPO}/actions/runs/7/logs"] = (200, {}, archive.getvalue())
    report, _, _ = _read(server)
    assert len(report.failures) == 1
    assert report.session.job is not None
    assert report.session.job.value == "a/b (7)"


def test_a_run_without_a_failed_job_is_read_whole_and_that_is_said(server: Server) -> None:
    """A test may have passed when it was tried again."""
    server.json(f"{REPO}/actions/runs/7", {"status": "completed", "conclusion": "success"})
    server.json(f"{REPO}/actions/runs/7/jobs?per_page=100&page=1", {"jobs": []})
    server.replies[f"{REPO}/actions/runs/7/logs"] = (200, {}, LOG)
    _, notes, _ = _read(server)
    assert notes == ["no job of the run has failed (success): all 0 logs were read"]


def test_what_fails_on_the_servers_side_is_asked_again(server: Server) -> None:
    """Three times, with longer pauses; a connection that breaks off too."""
    good = server.replies[f"{REPO}/actions/runs/7"]
    assert isinstance(good, tuple)
    server.replies[f"{REPO}/actions/runs/7"] = [(502, {}, b""), (0, {}, b""), good]
    _, _, waits = _read(server)
    assert waits == [1.0, 2.0]
    server.replies[f"{REPO}/actions/runs/7"] = (503, {}, b"")
    with pytest.raises(LogError, match=r"GitHub answers with 503: no reason .* Try again later\."):
        _read(server)


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (401, {}, b"", r"GitHub does not know the token in GH_TOKEN \(401\)"),
        (403, {}, b'{"message": "SAML"}', r"does not let this be read \(403\): SAML .*authorised for SSO"),
        (404, {}, b"", r"There is no such run or job, or the token in GH_TOKEN may not see it \(404\)"),
        (
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "60", "X-RateLimit-Reset": "1793527200"},
            b"",
            r"all 60 of this hour are used up, again from \d\d:\d\d:00 UTC on \(403\).*Wait until then",
        ),
        (429, {"Retry-After": "30"}, b"", r"too many at once, again in 30 s \(429\)"),
        (
            403,
            {"X-RateLimit-Remaining": "41"},
            b'{"message": "You have exceeded a secondary rate limit."}',
            r"answers no more questions for a while: too many at once \(403\).*Wait until then",
        ),
        (200, {}, b"<html>", r"answers is no JSON .*GITHUB_API_URL"),
        (200, {}, b"[]", r"answers is no JSON object"),
    ],
)
def test_each_refusal_is_told_apart_with_what_to_do(
    server: Server, status: int, headers: dict[str, str], body: bytes, words: str
) -> None:
    """And never with the token."""
    server.replies[f"{REPO}/actions/runs/7"] = (status, headers, body)
    with pytest.raises(LogError, match=words) as raised:
        _read(server)
    assert SECRET not in str(raised.value)


def test_without_a_token_the_variable_is_named(server: Server) -> None:
    """The repository may be private, or the hour's questions be used up."""
    server.json(f"{REPO}/actions/runs/7", {}, status=404)
    with pytest.raises(LogError, match=r"or it is private \(404\).*GH_TOKEN holds a token"):
        _read(server, token=None)
    server.json(f"{REPO}/actions/runs/7", {}, status=403, x_ratelimit_remaining="0")
    with pytest.raises(LogError, match=r"Set GH_TOKEN: with a token many more"):
        _read(server, token=None)


def test_a_download_that_breaks_off_is_tried_again_and_then_told(server: Server) -> None:
    """Python's own client takes a connection that is gone for the end of the log."""
    good = server.replies["/blob?sig=x"]
    assert isinstance(good, tuple)
    longer = {"Content-Length": str(len(good[2]) + 5_000)}
    server.replies["/blob?sig=x"] = [(200, longer, good[2]), good]
    report, notes, _ = _read(server)
    assert len(report.failures) == 1
    assert notes == []
    server.replies["/blob?sig=x"] = (200, longer, good[2])
    report, notes, _ = _read(server)
    assert len(report.failures) == 1
    (note,) = notes
    assert f"3 downloads broke off, the last after {len(good[2]):,} of {len(good[2]) + 5_000:,} bytes" in note


@pytest.mark.parametrize(
    ("status", "words"),
    [(410, r"The logs of this run have expired \(410\)"), (404, r"GitHub has no log of it \(404\)")],
)
def test_logs_that_are_gone_are_told_from_runs_that_are_not_there(
    server: Server, status: int, words: str
) -> None:
    """Expired, deleted, or not yet written."""
    server.replies[f"{REPO}/actions/jobs/12/logs"] = (status, {}, b"")
    with pytest.raises(LogError, match=words):
        _read(server)


def test_a_run_that_goes_on_has_failed_jobs_or_has_to_be_waited_for(server: Server) -> None:
    """What has failed by now is read."""
    server.json(f"{REPO}/actions/runs/7", {"status": "in_progress"})
    _, notes, _ = _read(server)
    assert notes == ["the run goes on: jobs that fail later are not in what was read"]
    server.json(f"{REPO}/actions/runs/7/jobs?per_page=100&page=1", {"jobs": []})
    with pytest.raises(LogError, match=r"The run has not ended: GitHub says in_progress.*Wait until"):
        _read(server)


@pytest.mark.parametrize(
    ("url", "api", "numbers"),
    [
        (RUN, "https://api.github.com/repos/o/r", (7, None, None)),
        (f"{RUN}/attempts/2", "https://api.github.com/repos/o/r", (7, 2, None)),
        (f"{RUN}/job/9?pr=1", "https://api.github.com/repos/o/r", (7, None, 9)),
        ("https://github.com/o/r/runs/9", "https://api.github.com/repos/o/r", (None, None, 9)),
        (
            "https://ghe.example:8443/o/r.x/actions/runs/7/",
            "https://ghe.example:8443/api/v3/repos/o/r.x",
            (7, None, None),
        ),
    ],
)
def test_addresses_are_read_as_browsers_show_them(
    url: str, api: str, numbers: tuple[int | None, int | None, int | None]
) -> None:
    """Of github.com and of a company's own server."""
    address = parse_run_url(url, {})
    assert (address.base, (address.run, address.attempt, address.job)) == (api, numbers)


NO_RUNS = ("", "x", "https://github.com/o/r", f"{RUN}x", "https://github.com/o/../actions/runs/1")


@pytest.mark.parametrize("url", [*NO_RUNS, "https://[", "ftp://h/o/r/actions/runs/1"])
def test_what_is_no_address_of_a_run_is_refused(url: str) -> None:
    """With its form."""
    with pytest.raises(LogError, match=r"is no address of a run .*Give https://github\.com/OWNER/REPO"):
        parse_run_url(url, {})


def test_a_token_goes_neither_to_another_host_nor_over_a_bare_line() -> None:
    """That of github.com is not for a company's server, nor the other way round."""
    tokens = {"GH_TOKEN": "public", "GH_ENTERPRISE_TOKEN": "own"}
    assert parse_run_url(RUN, tokens).token == "public"
    assert parse_run_url("https://ghe.example/o/r/actions/runs/7", tokens).token == "own"
    inside = {
        "GITHUB_TOKEN": "job",
        "GITHUB_SERVER_URL": "https://ghe.example",
        "GITHUB_API_URL": "https://api.ghe.example",
    }
    assert parse_run_url("https://ghe.example/o/r/actions/runs/7", inside).api == "https://api.ghe.example"
    assert parse_run_url("https://ghe.example/o/r/actions/runs/7", inside).token == "job"
    assert parse_run_url(RUN, inside).api == "https://api.github.com"
    for url, environment in (
        ("http://github.com/o/r/actions/runs/7", {}),
        (RUN, {"GITHUB_API_URL": "http://h"}),
    ):
        with pytest.raises(LogError, match=r"is not fetched over http: a token could be read"):
            parse_run_url(url, environment)


def test_a_reproduction_is_made_from_an_address(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As from a log: the facts say who told them, and the token is nowhere."""
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GH_TOKEN", SECRET)
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    call = ["fetched", "--run-url", RUN, "--output", str(tmp_path), "--source", str(tmp_path), "--no-run"]
    assert main(call) == 0
    shown = capsys.readouterr().out
    assert "failing test: test_a.py::test_a" in shown
    page = (tmp_path / "fetched" / "README.md").read_text("utf-8")
    assert "`Conclusion: failure`" in page
    everything = "".join(
        path.read_text("utf-8") for path in (tmp_path / "fetched").rglob("*") if path.is_file()
    )
    assert SECRET not in everything + shown
    assert main([*call, "--log", "x"]) == 4
    assert "--run-url fetches the log that --log would name" in capsys.readouterr().err
