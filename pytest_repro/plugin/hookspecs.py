"""Hooks that a plugin, or the conftest at the root of a project, can implement for pytest-repro."""

from __future__ import annotations


def pytest_repro_reset_device(worker: str, device: str | None, reason: str) -> None:
    """Takes a device back to a state in which it can be trusted.

    Called in a stress run after a crash or a hang, by the process that starts the next worker, and after a
    device error, by the process that had it, once all fixtures were torn down. It runs in a thread, for the
    time that one reset may take; what it raises is reported and ends nothing, but for `pytest.exit`.

    Args:
        worker: xdist's worker id of who used the device; `main` without workers.
        device: The device that is leased to it (`--repro-devices`), None where none is.
        reason: `crash`, `hang`, or `error: ` and which error.
    """
