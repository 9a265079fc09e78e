"""Fixtures for the project's own tests."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytest_plugins = ["pytester"]

# The README's first command runs in this folder too, with what the package itself needs and no more.
if find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # No test depends on how fast a shared machine is: one example may take long where others work beside it.
    settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("project")


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Starts sessions without hypothesis's plugin: at the end of each it spends most of a second."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    return pytester
