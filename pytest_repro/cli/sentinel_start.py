"""How the sentinel starts: most stress runs are short, and over before it has to know anything.

Only what Python has loaded anyway is imported here, as this process costs each stress run its start.
"""

from __future__ import annotations

import os
import select
import sys

START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pytest_repro.cli.sentinel_start import start; start()"
)
"""Program of this process, to be run by `python -S -c` with the folder of the package as argument."""

DONE = b"done\n"
"""Line by which the pytest process says that it can tell everything itself."""

_SHORT_S = 0.25


def start() -> None:
    """Waits for the end of a short stress run; becomes the sentinel of one that lasts or has died."""
    source = sys.stdin.fileno()
    given = b""
    while select.select([source], [], [], _SHORT_S)[0]:
        part = os.read(source, 1 << 20)
        given += part
        if not part or given.endswith(DONE):
            break
    if not given.endswith(DONE):
        from pytest_repro.cli.sentinel import main

        main(given)
