"""Which iteration this process is in, as the fixture `repro` tells it."""

from __future__ import annotations

import pytest


class Current:
    """The test and iteration that runs now; outside a stress run the only one.

    Attributes:
        worker: xdist's worker id, or `main`.
        test: Node id, empty before the first test.
        iteration: 1-based.
        seed: Seed that the iteration started from, or None where nothing was reseeded.
    """

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.test = ""
        self.iteration = 1
        self.seed: int | None = None

    def begin(self, *, test: str, iteration: int, seed: int | None) -> None:
        """Notes the iteration that begins now."""
        self.test, self.iteration, self.seed = test, iteration, seed


CURRENT: pytest.StashKey[Current] = pytest.StashKey()
