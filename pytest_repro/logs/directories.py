"""The folder in which a command runs, as `cd` lines of scripts and traces tell it."""

from __future__ import annotations

import posixpath
import re

from pytest_repro.logs.records import Found

_LONGEST = 1000
"""Characters; a longer line is not looked at."""
_LEAD = re.compile(
    r"\s*(?:(?:[$%#>]|\+{1,3}|nox >|\[command\]|[\w.-]+: commands\[\d+\](?: \||>))\s+|"
    r"Run |RUN |I: pybuild \S+: )*"
)
_CHANGE = re.compile(
    r"(?:cd|pushd|chdir) (?:-- )?(?P<folder>'[^']*'|\"[^\"]*\"|[^\s;&|'\"]+)\s*(?:$|;|&&|\|\|)\s*(?P<rest>.*)"
)
_MAKE = re.compile(r"make(?:\[\d+\])?: (?P<word>Entering|Leaving) directory [`'\"](?P<folder>[^'\"]+)['\"]")
_DOCKER = re.compile(r"(?:Step \d+/\d+ : |#\d+ \[[^\]]*\d+/\d+\] )WORKDIR (?P<folder>\S+)")
_NOT_FOLLOWED = ("-",)


class DirectoryReader:
    """Follows the working directory of a step, one line after the other.

    A folder stays as it is written: `$HOME/plant` names a variable, `plant` is below where the step began.
    """

    def __init__(self) -> None:
        self._present: Found | None = None

    def begin_step(self) -> None:
        """Goes back to where every step begins."""
        self._present = None

    @property
    def present(self) -> Found | None:
        """The folder that the next line runs in, None for the one where the step began."""
        return self._present

    def feed(self, number: int, text: str) -> None:
        """Takes the next line of a script or a trace.

        Args:
            number: 1-based line.
            text: The line.
        """
        if len(text) > _LONGEST:
            return
        if "directory" in text:
            self._make(number, text)
        elif "WORKDIR " in text:
            docker = _DOCKER.match(text)
            if docker is not None:
                self._go(number, docker["folder"])
        elif "cd " in text or "pushd " in text or "chdir " in text:
            self._script(number, text)

    def _script(self, number: int, text: str) -> None:
        lead = _LEAD.match(text)
        rest = text[lead.end() :] if lead is not None else text
        while (change := _CHANGE.match(rest)) is not None:
            self._go(number, change["folder"].strip("'\""))
            rest = change["rest"]

    def _make(self, number: int, text: str) -> None:
        match = _MAKE.fullmatch(text)
        if match is None:
            return
        if match["word"] == "Entering":
            self._go(number, match["folder"])
        else:
            self._present = None

    def _go(self, number: int, folder: str) -> None:
        if folder in _NOT_FOLLOWED:
            self._present = None
            return
        is_own = folder.startswith(("/", "~", "$", "%")) or folder[1:2] == ":"
        before = "" if is_own or self._present is None else self._present.value
        path = posixpath.normpath(posixpath.join(before, folder))
        self._present = None if path == "." else Found(value=path, line=number)
