"""Hooks by which xdist's schedulers outlive any number of deaths."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest

from pytest_repro.plugin.internals.schedulers import mend_scheduler, remember_collection


class SchedulingHooks:
    """Registered in the controller of a stress run.

    Args:
        config: Of the controller.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> Generator[None, Any, Any]:
        """Has what dead workers leave undone given out in order."""
        scheduler = yield
        mend_scheduler(scheduler)
        return scheduler

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Has also those workers replaced that replace others."""
        remember_collection(self._config, node, ids)
