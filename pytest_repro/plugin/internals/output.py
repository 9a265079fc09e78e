"""Captured output and logs of a slice, kept open from its first iteration to its last.

pytest's capture and logging plugins swap file descriptors and handlers around each stage of each test. Here
they stay in place for a whole slice, and each stage only looks whether something was written.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from _pytest.logging import caplog_handler_key, caplog_records_key, catching_logs

_SETTLING = 3
"""Iterations after which the loggers of a test are taken to be there."""


class SliceOutput:
    """Does for each stage what pytest's capture and logging plugins do, as cheaply as nothing happens.

    Args:
        item: The item that runs again and again.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._capture = _Capture(item)
        plugin = item.config.pluginmanager.get_plugin("logging-plugin")
        self._logs = None if plugin is None else _Logs(item, plugin)

    def start(self) -> None:
        """Takes over output and logs."""
        self._capture.start()
        if self._logs is not None:
            self._logs.start()

    def stop(self) -> None:
        """Gives output and logs back."""
        if self._logs is not None:
            self._logs.stop()
        self._capture.stop()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Lets the block write to the real terminal."""
        self._capture.suspend()
        if self._logs is not None:
            self._logs.detach()
        try:
            yield
        finally:
            self._capture.resume()
            if self._logs is not None:
                self._logs.start()

    def begin_iteration(self) -> None:
        """An iteration begins."""
        if self._logs is not None:
            self._logs.begin_iteration()

    def begin(self, when: str) -> None:
        """A stage begins."""
        self._capture.begin()
        if self._logs is not None:
            self._logs.begin(when)

    def end(self, when: str) -> None:
        """A stage ended: what it wrote becomes a section of the item's report."""
        try:
            self._capture.end(when)
        finally:
            if self._logs is not None:
                self._logs.end(when)


def take_captured(config: pytest.Config) -> str:
    """Returns what is captured and belongs to no report: the last words of a forked process that died."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    if manager is None or manager._global_capturing is None:
        return ""
    return "".join(manager.read_global_capture())


def real_output(config: pytest.Config) -> contextlib.AbstractContextManager[None]:
    """Gives the block the terminal that pytest itself writes to."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    if manager is None:
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[None] = manager.global_and_fixture_disabled()
    return context


class _Capture:
    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._manager: Any = item.config.pluginmanager.get_plugin("capturemanager")
        capturing = None if self._manager is None else self._manager._global_capturing
        self._capturing: Any = capturing
        self._positions: list[Callable[[], int]] = []
        self._streams: list[tuple[str, Any]] = []
        streams = () if capturing is None else (("stdout", capturing.out), ("stderr", capturing.err))
        self._descriptors = [
            (stream.tmpfile.fileno(), stream.targetfd)
            for _, stream in streams
            if stream is not None and hasattr(stream, "targetfd")
        ]
        for name, stream in streams:
            if stream is not None:
                self._positions.append(_position_of(stream))
                self._streams.append((name, stream.tmpfile))

    def start(self) -> None:
        if self._capturing is not None:
            self._manager.resume_global_capture()

    def stop(self) -> None:
        self.suspend()

    def suspend(self) -> None:
        if self._capturing is not None:
            self._manager.suspend_global_capture(in_=False)

    def resume(self) -> None:
        if self._capturing is not None:
            self._manager.resume_global_capture()

    def begin(self) -> None:
        manager = self._manager
        if manager is None:
            return
        if self._capturing is not None and self._capturing._state != "started":
            manager.resume_global_capture()
        # A test may have put another file or stream there and left it; looking costs more than setting.
        for file, descriptor in self._descriptors:
            os.dup2(file, descriptor)
        for name, stream in self._streams:
            setattr(sys, name, stream)
        if manager._capture_fixture is not None:
            manager.activate_fixture()

    def end(self, when: str) -> None:
        manager = self._manager
        if manager is None:
            return
        if manager._capture_fixture is not None:
            manager.deactivate_fixture()
        for position in self._positions:
            if position():
                out, err = manager.read_global_capture()
                self._item.add_report_section(when, "stdout", out)
                self._item.add_report_section(when, "stderr", err)
                return


def _position_of(stream: Any) -> Callable[[], int]:
    """Returns a function that tells, above 0, that something was written; far cheaper than reading."""
    if hasattr(stream, "targetfd"):
        # The file shares its offset with the descriptor that stands in for stdout, also in child processes.
        file, seek = stream.tmpfile.fileno(), os.lseek
        return lambda: seek(file, 0, os.SEEK_CUR)
    buffer = getattr(stream.tmpfile, "buffer", None)
    tell: Callable[[], int] = (stream.tmpfile if buffer is None else buffer).tell
    return tell


class _Logs:
    def __init__(self, item: pytest.Item, plugin: Any) -> None:
        self._item = item
        self._caplog = plugin.caplog_handler
        self._report = plugin.report_handler
        self._level: int | None = plugin.log_level
        self._root = logging.getLogger()
        self._catching: list[Any] = []
        self._loggers = 0
        self._settling = _SETTLING
        self._root_level = 0
        self._records: dict[str, list[logging.LogRecord]] = {}

    def start(self) -> None:
        self._catching = [
            catching_logs(self._caplog, level=self._level),
            catching_logs(self._report, level=self._level),
        ]
        for catching in self._catching:
            catching.__enter__()
        self._loggers = len(self._root.manager.loggerDict)
        self._root_level = self._root.level

    def stop(self) -> None:
        self.detach()
        stash: Any = self._item.stash
        for key in (caplog_records_key, caplog_handler_key):
            if key in stash:
                del stash[key]

    def detach(self) -> None:
        for catching in reversed(self._catching):
            catching.__exit__(None, None, None)
        self._catching = []

    def attach_again(self) -> None:
        """Finds loggers that have turned up since, which do not hand their records on to the root."""
        self.detach()
        self.start()

    def begin_iteration(self) -> None:
        if self._settling:
            self._settling -= 1
            self.attach_again()
        self._records = {}
        stash = self._item.stash
        stash[caplog_records_key] = self._records
        stash[caplog_handler_key] = self._caplog

    def begin(self, when: str) -> None:
        handlers = self._root.handlers
        are_last = len(handlers) > 1 and handlers[-1] is self._report and handlers[-2] is self._caplog
        if not are_last or len(self._root.manager.loggerDict) != self._loggers:
            self.attach_again()
        elif self._level is not None and self._root.level != self._root_level:
            self._root.setLevel(self._root_level)
        if self._caplog.records:
            self._caplog.reset()
        else:
            self._caplog.records = []
        if self._report.records:
            self._report.reset()
        self._records[when] = self._caplog.records

    def end(self, when: str) -> None:
        if self._report.records:
            self._item.add_report_section(when, "log", self._report.stream.getvalue().strip())
