"""Writes what a stress run learns, as it learns it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_repro.clock import now_utc
from pytest_repro.model import Failure
from pytest_repro.report.stress import StressReport, batch_record, failure_record, report_record
from pytest_repro.store import SessionFolder
from pytest_repro.stress.loop import Message
from pytest_repro.stress.texts import KeptTexts


class StressRecords:
    """Iterations, failures and summary of one session.

    Args:
        folder: Of the session.
        user_path: Where the summary is also written, or None.
        timing: Returns what was timed.
    """

    def __init__(
        self, folder: SessionFolder, *, user_path: Path | None, timing: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self._folder = folder
        self._user_path = user_path
        self._timing = timing
        self._texts = KeptTexts()
        self._is_summed_up = False

    def write_batch(self, message: Message) -> None:
        """Writes iterations of one slice."""
        self._folder.append("iterations.jsonl", batch_record(message))

    def write_failure(self, failure: Failure, *, is_surplus: bool = False) -> None:
        """Writes one failing iteration.

        Args:
            failure: The iteration.
            is_surplus: Whether it was under way when the last failure that was asked for became known.
        """
        kept, left_out = self._texts.kept(failure)
        record: dict[str, Any] = failure_record(kept)
        record["text_left_out"] = None if left_out is None else left_out.value
        if is_surplus:
            record["is_surplus"] = True
        self._folder.append("failures.jsonl", record)

    def write_summary(self, report: Callable[[], StressReport], exit_status: int) -> None:
        """Writes the summary, the first time that it is called."""
        if self._is_summed_up:
            return
        summary = {**report_record(report(), exit_status=exit_status), "timing": self._timing()}
        self._folder.conclude(summary)
        self._folder.write_for_user(self._user_path, summary)
        self._is_summed_up = True

    def finish(self) -> None:
        """Notes that all is written that will be."""
        self._folder.note_finished(now_utc())
        self._folder.close()
