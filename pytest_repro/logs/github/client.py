"""Asks GitHub's REST API, and tells apart all the ways in which it can refuse."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timezone
from email.message import Message
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from pytest_repro.errors import LogError
from pytest_repro.logs.github.address import RunAddress, check_encrypted

LIMIT_S = 60.0
_WAITS_S = (1.0, 2.0, 4.0)
"""Pauses before what failed on the server's side is asked again."""

_MOST_REDIRECTS = 5
_MOST_ANSWER_BYTES = 32 << 20
_PASSING = frozenset({500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Answer(Protocol):
    """What a server answers: a stream with its headers."""

    headers: Message

    def read(self, size: int = -1, /) -> bytes:
        """Returns at most `size` bytes, none at the end."""
        ...

    def close(self) -> None:
        """Hangs up."""
        ...


class RefusedError(Exception):
    """An answer that is no success.

    Args:
        status: Of HTTP.
        headers: Of the answer.
        text: What GitHub says, as far as it is needed.
    """

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.headers = headers
        self.text = text


class GithubClient:
    """Asks the API about one run.

    Args:
        address: Of the run; its token is shown to the API alone, never to where it redirects to.
        sleep: Waits for so many seconds.
    """

    def __init__(self, address: RunAddress, *, sleep: Callable[[float], None]) -> None:
        self._address = address
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, path: str) -> dict[str, Any]:
        """Returns the answer to a question, a JSON object.

        Args:
            path: Below the repository's part of the API.

        Raises:
            LogError: It is refused, or nobody answers.
        """
        try:
            with closing(self._open(path)) as answer:
                text = answer.read(_MOST_ANSWER_BYTES)
            data = json.loads(text)
        except RefusedError as refused:
            raise self._explained(refused, path) from refused
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise self._odd("is no JSON") from error
        if not isinstance(data, dict):
            raise self._odd("is no JSON object")
        return data

    def fetch(self, path: str) -> Answer:
        """Opens a log, to be read as a stream.

        Raises:
            LogError: It is refused, or nobody answers.
        """
        try:
            return self._open(path)
        except RefusedError as refused:
            raise self._explained(refused, path) from refused
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _open(self, path: str) -> Answer:
        url = f"{self._address.base}{path}"
        for wait_s in (*_WAITS_S, None):
            try:
                return self._followed(url)
            except RefusedError as refused:
                if refused.status not in _PASSING or wait_s is None:
                    raise
            except (OSError, http.client.HTTPException):
                if wait_s is None:
                    raise
            self._sleep(wait_s)
        raise AssertionError

    def _followed(self, url: str) -> Answer:
        for _ in range(_MOST_REDIRECTS):
            check_encrypted(url)
            try:
                answer: Answer = self._opener.open(self._request(url), timeout=LIMIT_S)
            except urllib.error.HTTPError as error:
                with closing(error):
                    location = error.headers.get("Location")
                    if error.code not in _REDIRECTS or not location:
                        raise RefusedError(error.code, dict(error.headers), _message(error)) from None
                url = urljoin(url, location)
                continue
            return answer
        raise RefusedError(508, {}, "too many redirects")

    def _request(self, url: str) -> urllib.request.Request:
        headers = {"User-Agent": "pytest-repro"}
        if _origin(url) == _origin(self._address.api):
            headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
            if self._address.token:
                headers["Authorization"] = f"Bearer {self._address.token}"
        return urllib.request.Request(url, headers=headers)

    def _explained(self, refused: RefusedError, path: str) -> LogError:
        limit = _rate_limit(refused)
        if limit is not None:
            return self._error(f"GitHub answers no more questions for a while: {limit}", self._wait_step())
        found = self._reason(refused, is_log=path.endswith("/logs"))
        return self._error(*found)

    def _reason(self, refused: RefusedError, *, is_log: bool) -> tuple[str, str]:
        """Returns what a refusal means, and what to do about it."""
        name, has_token = self._address.token_name, self._address.token is not None
        if refused.status == 404 and is_log:
            return (
                "GitHub has no log of it (404): it was deleted, or it is not written yet",
                "Wait until the job has ended, or give a log that somebody has kept with --log.",
            )
        told = f": {refused.text}" if refused.text else ""
        seen = f"the token in {name} may not see it" if has_token else "it is private"
        reading = f"a token that may read actions of this repository{' (authorised for SSO)' * has_token}"
        reasons = {
            401: (
                f"GitHub does not know the token in {name} (401)",
                f"Renew it, or unset {name} if the repository is public.",
            ),
            403: (f"GitHub does not let this be read (403){told}", f"Set {name} to {reading}."),
            404: (
                f"There is no such run or job, or {seen} (404)",
                f"Check the address, and that {name} holds a token that may read this repository.",
            ),
            410: (
                "The logs of this run have expired (410)",
                "Run the workflow again, or give a log that somebody has kept with --log.",
            ),
        }
        other = f"GitHub answers with {refused.status}: {refused.text or 'no reason'}", "Try again later."
        return reasons.get(refused.status, other)

    def _wait_step(self) -> str:
        if self._address.token is None:
            return f"Set {self._address.token_name}: with a token many more questions are answered."
        return "Wait until then, or give a log that is at hand with --log."

    def _unreachable(self, error: Exception) -> LogError:
        reason = getattr(error, "reason", None) or error
        host = urlsplit(self._address.api).netloc
        return self._error(
            f"{host} cannot be reached: {reason}",
            "Check the network and proxies, or give the log with --log.",
        )

    def _odd(self, what: str) -> LogError:
        return self._error(
            f"What {self._address.api} answers {what}", "Check the address, and GITHUB_API_URL if it is set."
        )

    def _error(self, fact: str, next_step: str) -> LogError:
        return LogError(fact, place=self._address.url, next_step=next_step)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are followed by hand, so that no token goes along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _message(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read(1 << 16))
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    message = told.get("message") if isinstance(told, dict) else None
    return " ".join(str(message).split())[:200] if message else ""


def _rate_limit(refused: RefusedError) -> str | None:
    """Returns when questions are answered again, None where that is not the reason."""
    if refused.status not in (403, 429):
        return None
    headers = {name.lower(): value for name, value in refused.headers.items()}
    if headers.get("retry-after", "").isdigit():
        return f"too many at once, again in {headers['retry-after']} s ({refused.status})"
    if headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "")
        until = datetime.fromtimestamp(int(reset), tz=timezone.utc) if reset.isdigit() else None
        when = f"again from {until:%H:%M:%S} UTC on" if until else "again within the hour"
        return (
            f"all {headers.get('x-ratelimit-limit', '')} of this hour are used up, {when} ({refused.status})"
        )
    is_told = refused.status == 429 or "rate limit" in refused.text.lower()
    return f"too many at once ({refused.status})" if is_told else None
