"""What all console scripts share: how they are called, what they return, and how they tell of an error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from pytest_repro.errors import ReproError
from pytest_repro.model import EXIT_INTERRUPTED, EXIT_USAGE

EXIT_DONE = 0

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def run_command(command: click.Command, argv: Sequence[str] | None, *, program: str) -> int:
    """Runs a console script.

    Args:
        command: Returns the exit status, None for 0.
        argv: Arguments without the program's name, those of the process by default.
        program: Its name, which stands before each error.

    Returns:
        The command's own exit status; 4 for arguments or input that cannot be used, 2 for Ctrl-C.
    """
    try:
        status = command.main(
            args=list(argv) if argv is not None else None, prog_name=program, standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except click.Abort:
        sys.stderr.write(f"{program}: interrupted\n")
        return EXIT_INTERRUPTED
    except ReproError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return EXIT_USAGE
    return EXIT_DONE if status is None else int(status)
