"""Hooks by which xdist's schedulers outlive any number of deaths."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_repro.plugin.internals.schedulers import mend_scheduler


class SchedulingHooks:
    """Registered in the controller of a stress run."""

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> Generator[None, Any, Any]:
        """Has what dead workers leave undone given out in order."""
        scheduler = yield
        mend_scheduler(scheduler)
        return scheduler
