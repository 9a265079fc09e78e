"""Where the profiles of a session arrive; a book is made for the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.plugin.options import Options
from pytest_repro.plugin.session import is_worker, worker_output
from pytest_repro.plugin.timing import payload_of

if TYPE_CHECKING:
    from pytest_repro.model import Profile
    from pytest_repro.plugin.profiles import ProfileBook
    from pytest_repro.store import SessionFolder


_INTERRUPTED = "repro_interrupted"
"""What a worker tells at its end: the profile of the test that was interrupted."""


class ProfileDesk:
    """Takes profiles in the controller, those of its own tests included.

    Args:
        config: Of the controller.
        options: What was asked for.
        folder: Makes the session's folder.
        note: Told of each profile.
        interrupted: Returns the payload of a test that runs in this process and will not end, if any.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        *,
        folder: Callable[[], SessionFolder],
        note: Callable[[Profile], None],
        interrupted: Callable[[], Mapping[str, Any] | None],
    ) -> None:
        self._config = config
        self._options = options
        self._folder = folder
        self._note = note
        self._interrupted = interrupted
        self.book: ProfileBook | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the profile that a report carries."""
        payload = payload_of(report)
        if payload is not None and not is_worker(self._config):
            self.add(payload)

    def pytest_keyboard_interrupt(self) -> None:
        """Takes what was timed in a test that Ctrl-C or `pytest.exit` has ended: it makes no report."""
        payload = self._interrupted()
        if payload is None:
            return
        output = worker_output(self._config)
        if output is None:
            self.add(payload)
        else:
            output[_INTERRUPTED] = payload

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes the same of a worker."""
        # A worker may be told to be down twice.
        payload = getattr(node, "workeroutput", {}).pop(_INTERRUPTED, None)
        if payload is not None:
            self.add(payload)

    def add(self, payload: Mapping[str, Any]) -> None:
        """Writes one profile that a process has sent."""
        if self.book is None:
            self.book = self._open()
        self._note(self.book.add(payload))

    def add_profile(self, profile: Profile | None) -> None:
        """Writes one profile, if there is one."""
        if profile is None:
            return
        from pytest_repro.timing.formats import profile_to_payload

        self.add(profile_to_payload(profile))

    def record(self) -> list[dict[str, Any]]:
        """Returns what was timed, for programs; empty if nothing was."""
        return [] if self.book is None else self.book.record()

    def finish(self, exit_status: int, user_path: Path | None, *, is_summed_up: bool) -> None:
        """Completes the logs.

        Args:
            exit_status: Of the session.
            user_path: Where the summary is also written, or None.
            is_summed_up: Whether the summary of a stress run holds what was timed.
        """
        if self.book is not None:
            self.book.close()
        if is_summed_up or (self.book is None and user_path is None):
            return
        folder = self._folder()
        summary = {"kind": "timing", "exit_status": int(exit_status), "timing": self.record()}
        folder.conclude(summary)
        folder.write_for_user(user_path, summary)

    def _open(self) -> ProfileBook:
        from pytest_repro.plugin.profiles import begin_book

        return begin_book(self._config, self._folder(), self._options)
