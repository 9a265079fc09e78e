"""The backend of a machine without a device: phases made by hand, and nothing but the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_repro.timing.recorder import Recorder


class WallBackend:
    """Wraps nothing and waits for nothing: a call is over when it returns."""

    name = "wall"

    def attach(self, recorder: Recorder) -> None:
        """Does nothing: the recorder has its clock."""

    def detach(self) -> None:
        """Does nothing."""
