"""Errors after which a device is not to be trusted, recognised by their text."""

from __future__ import annotations

import re

DEVICE_ERRORS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("tt-metal timeout", re.compile(r"TIMEOUT: device timeout, potential hang detected")),
    ("tt-metal timeout", re.compile(r"Timeout \(\d+ ms\) waiting for physical cores to finish")),
    ("tt-metal timeout", re.compile(r"Timeout waiting for Ethernet core service remote IO request")),
    ("tt-metal mailbox", re.compile(r"Read unexpected run_mailbox value")),
    ("tt-metal hang", re.compile(r"\bNocHangError\b|\bDeviceTimeoutError\b|\bNOC\d appears hung: ")),
    ("tt-metal hang", re.compile(r"Read 0xf{8} (?:from|over) (?:ARC|PCI)", re.IGNORECASE)),
    ("tt-metal error", re.compile(r"\bTT_(?:FATAL|THROW|ASSERT)(?: @ \S|: )")),
    ("tt-metal core", re.compile(r"No core coordinate found at location: \(")),
    ("CUDA out of memory", re.compile(r"\bCUDA out of memory\. ")),
    ("CUDA error", re.compile(r"\bCUDA (?:driver |runtime )?error: ", re.IGNORECASE)),
    ("CUDA error", re.compile(r"\bcudaError[A-Z]\w+|\bCUDA_ERROR_[A-Z_]+\b")),
    ("CUDA library error", re.compile(r"\bCU(?:BLAS|DNN|SPARSE|SOLVER|FFT)_STATUS_(?!SUCCESS)[A-Z_]+\b")),
    ("NCCL error", re.compile(r"\bNCCL error in: |\bnccl(?:Unhandled|System|Internal|Remote)\w*Error\b")),
)
"""Pairs of a name and what the text of an exception holds; several may have one name.

They are held against exceptions alone and not against tracebacks: these show source, and a test may well
speak of the error that it expects.
"""


def device_error_in(raised: str) -> str | None:
    """Returns which device error an exception is, or None.

    Args:
        raised: Types and messages of the exception and of those that led to it.
    """
    return next((name for name, pattern in DEVICE_ERRORS if pattern.search(raised)), None)
