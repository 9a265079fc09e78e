"""What a library needs to have for its calls to become phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_repro.timing.recorder import Recorder

TO_DEVICE = "to_device"
OP = "op"
TO_TORCH = "to_torch"
SYNCHRONIZE = "synchronize"
"""The test's own wait for the device: nothing with fences, all of the work to a timer without them."""

AUTOMATIC = (TO_DEVICE, OP, TO_TORCH)


class Backend(Protocol):
    """Turns the calls of one library into phases.

    `pytest_repro.timing.simulated.SimulatedBackend` is a short one to start from. The name of its entry
    point in the group `pytest_repro.timing` is the module that it waits for.
    """

    name: str

    def attach(self, recorder: Recorder) -> None:
        """Begins: wraps the library's calls and adds its fence. The library is imported by now."""

    # Optional: `def peak_bytes(self) -> dict[str, int]`, the most bytes in use so far by device; only read,
    # never reset, as that would change what a test sees. Asked at the end of phases of 5 ms and more.

    def detach(self) -> None:
        """Ends: puts back the originals, by identity, and takes the fence away."""
