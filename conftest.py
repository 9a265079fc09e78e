"""Fixtures for the project's own tests."""

from __future__ import annotations

import signal
from importlib.util import find_spec

import pytest

pytest_plugins = ["pytester"]

# The README's first command runs in this folder too, with what the package itself needs and no more.
if find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # No test depends on how fast a shared machine is: one example may take long where others work beside it.
    settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # `.ci/run` tries the same examples each time: what it says is of the change alone.
    settings.register_profile("same", settings.get_profile("project"), derandomize=True)
    settings.load_profile("project")


def pytest_configure() -> None:
    """Undoes what `nohup` and a shell's `&` do: sessions that the tests start are to end by a signal."""
    for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Starts sessions without hypothesis's plugin: at the end of each it spends most of a second."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    return pytester
