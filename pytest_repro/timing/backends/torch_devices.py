"""Accelerators of torch: waiting for them, when that is allowed, and the most memory that was in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def accelerator_type(torch: Any) -> str | None:
    """Returns the type of this machine's accelerators, as `cuda`; None where there is none."""
    if hasattr(torch, "accelerator"):
        return str(torch.accelerator.current_accelerator().type) if torch.accelerator.is_available() else None
    # Before torch 2.6.
    for name, is_available in (
        ("cuda", torch.cuda.is_available),
        ("mps", torch.backends.mps.is_available),
        ("xpu", getattr(torch, "xpu", torch.cuda).is_available),
    ):
        if is_available():
            return name
    return None


class TorchFence:
    """Waits for the accelerators that were used.

    Args:
        torch: The module.
        devices: The devices whose tensors were seen; others add to it.
    """

    def __init__(self, torch: Any, devices: set[Any]) -> None:
        self._torch = torch
        self._devices = devices
        self._cuda = torch.cuda if torch.cuda.is_available() else None
        # The originals: the backend wraps these names.
        self._cuda_synchronize = torch.cuda.synchronize
        self._others: dict[str, Callable[[Any], object]] = {}
        self._capturing: WeakSet[Any] = WeakSet()

    def learn(self, device_type: str) -> None:
        """Remembers how to wait for devices of a type other than CUDA, before that function is wrapped."""
        module = getattr(self._torch, device_type, None)
        synchronize = getattr(module, "synchronize", None)
        if device_type == "mps":
            self._others[device_type] = lambda _: synchronize() if synchronize is not None else None
        elif synchronize is not None:
            self._others[device_type] = synchronize
        elif hasattr(self._torch, "accelerator"):
            self._others[device_type] = self._torch.accelerator.synchronize

    def capture_begins(self, graph: Any) -> None:
        """Notes that work is captured into a graph, by any thread: waiting would spoil it."""
        self._capturing.add(graph)

    def capture_ended(self, graph: Any) -> None:
        """Notes that a capture is over, also by an error."""
        self._capturing.discard(graph)

    def is_usable(self) -> bool:
        """Returns False while a graph is being captured."""
        if self._capturing:
            return False
        cuda = self._cuda
        return cuda is None or not cuda.is_initialized() or not cuda.is_current_stream_capturing()

    def wait(self) -> None:
        """Waits for the work of all streams; for CUDA only once it is in use: waiting would initialise it."""
        current = None
        if self._cuda is not None and self._cuda.is_initialized():
            # Also where no tensor was seen: other libraries and other threads use the current device.
            self._cuda_synchronize()
            current = self._cuda.current_device()
        for device in tuple(self._devices):
            if device.type != "cuda":
                wait = self._others.get(device.type)
                if wait is not None:
                    wait(device)
            elif current is not None and device.index not in {None, current}:
                self._cuda_synchronize(device.index)

    def peak_bytes(self) -> Mapping[str, int]:
        """Returns the most memory that was in use, by device, since the process began or the test reset it.

        Reads torch's statistics only: resetting them would change what a test sees. It takes some 50 us a
        device, so it is for the ends of long phases only.
        """
        return {
            str(device): int(peak(device))
            for device in tuple(self._devices)
            if (peak := _peak_reader(self._torch, device.type)) is not None
        }


def _peak_reader(torch: Any, device_type: str) -> Callable[[Any], int] | None:
    reader: Callable[[Any], int] | None = getattr(
        getattr(torch, device_type, None), "max_memory_allocated", None
    )
    return reader
