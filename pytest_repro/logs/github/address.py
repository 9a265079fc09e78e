"""Which run or job an address of GitHub names, which API knows it, and with which token it may be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_repro.errors import LogError

PUBLIC_HOST = "github.com"

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PATH = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+)/"
    r"(?:actions/runs/(?P<run>\d+)(?:/attempts/(?P<attempt>\d+))?(?:/jobs?/(?P<job>\d+))?"
    r"|(?:runs|actions/jobs)/(?P<only_job>\d+))/?"
)
_FORM = "https://github.com/OWNER/REPO/actions/runs/ID, with /attempts/N or /job/ID behind it if you like"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAddress:
    """A run, or one job of it.

    Attributes:
        url: The address as it was given.
        api: Where the API answers, without a slash at its end.
        owner: Owner of the repository.
        repo: Name of the repository.
        run: Number of the run, None where only the job is named.
        attempt: Which attempt of the run, None for the newest.
        job: Number of the job, None for all.
        token: What the API is shown, None without one.
        token_name: Name of the variable that the token is from, or that it should be in.
    """

    url: str
    api: str
    owner: str
    repo: str
    run: int | None
    attempt: int | None
    job: int | None
    token: str | None
    token_name: str

    @property
    def base(self) -> str:
        """Address of the repository's part of the API."""
        return f"{self.api}/repos/{self.owner}/{self.repo}"


def parse_run_url(url: str, environment: Mapping[str, str]) -> RunAddress:
    """Reads the address of a run as a browser shows it.

    Args:
        url: With or without what stands behind `?` and `#`.
        environment: `GITHUB_API_URL` where the API of `GITHUB_SERVER_URL` answers; `GH_TOKEN`,
            `GITHUB_TOKEN`, and for hosts of your own `GH_ENTERPRISE_TOKEN` and `GITHUB_ENTERPRISE_TOKEN`.

    Raises:
        LogError: It names no run, or would be asked for without encryption.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError as error:
        raise _not_a_run(url) from error
    found = _PATH.fullmatch(parts.path)
    if found is None or parts.scheme not in {"https", "http"} or not host:
        raise _not_a_run(url)
    if ".." in (found["owner"], found["repo"]) or "." in (found["owner"], found["repo"]):
        raise _not_a_run(url)
    check_encrypted(url)
    token_name, token = _token(host, environment)
    numbers = {name: int(found[name]) if found[name] else None for name in ("run", "attempt", "job")}
    return RunAddress(
        url=url.strip(),
        api=_api(parts.netloc.rpartition("@")[2], host, environment),
        owner=found["owner"],
        repo=found["repo"],
        run=numbers["run"],
        attempt=numbers["attempt"],
        job=numbers["job"] or (int(found["only_job"]) if found["only_job"] else None),
        token=token,
        token_name=token_name,
    )


def check_encrypted(url: str) -> None:
    """Refuses an address that would be spoken to without encryption, unless it is on this machine.

    Raises:
        LogError: It would.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise LogError(
            f"The log is not fetched over {parts.scheme or 'nothing'}: a token could be read on the way",
            place=f"{parts.scheme}://{parts.hostname}",
            next_step="Give an address that begins with https://.",
        )


def _api(netloc: str, host: str, environment: Mapping[str, str]) -> str:
    told = environment.get("GITHUB_API_URL", "").rstrip("/")
    server = urlsplit(environment.get("GITHUB_SERVER_URL", "") or f"https://{host}").hostname
    if told and server == host:
        check_encrypted(told)
        return told
    return (
        "https://api.github.com"
        if host in (PUBLIC_HOST, f"www.{PUBLIC_HOST}")
        else f"https://{netloc}/api/v3"
    )


def _token(host: str, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """A token of one host is never shown to another: the names are those that GitHub's own client has."""
    is_public = host in (PUBLIC_HOST, f"www.{PUBLIC_HOST}") or host.endswith(".ghe.com")
    names: tuple[str, ...] = ("GH_TOKEN", "GITHUB_TOKEN")
    if not is_public:
        names = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    if urlsplit(environment.get("GITHUB_SERVER_URL", "")).hostname == host:
        names = (*names, "GITHUB_TOKEN")  # within a job of that very host
    for name in names:
        token = environment.get(name, "").strip()
        if token:
            return name, token
    return names[0], None


def _not_a_run(url: str) -> LogError:
    shown = url if len(url) <= 200 else url[:200] + "..."
    return LogError(
        f"{shown!r} is no address of a run of GitHub Actions", place="--run-url", next_step=f"Give {_FORM}."
    )
