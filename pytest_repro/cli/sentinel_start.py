"""How the sentinel starts: most stress runs are short, and over before it has to know anything.

Only what Python has loaded anyway is imported here, as this process costs each stress run its start.
"""

from __future__ import annotations

import os
import select
import sys

START = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_repro.cli.sentinel_start import wait
given = wait()
if given is not None:
    from pytest_repro.cli.sentinel import main
    main(given)
"""
"""Program of this process, to be run by `python -S -c` with the folder of the package as argument."""

DONE = b"done\n"
"""Line by which the pytest process says that it can tell everything itself."""

_SHORT_S = 0.25


def wait() -> bytes | None:
    """Waits for the end of a short stress run.

    Returns:
        None if it has come to its end; what was read of the standard input by then if it lasts or has died.
    """
    source = sys.stdin.fileno()
    given = b""
    while select.select([source], [], [], _SHORT_S)[0]:
        part = os.read(source, 1 << 20)
        given += part
        if given.endswith(DONE):
            return None
        if not part:
            break
    return given
