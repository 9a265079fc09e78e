"""What a session says of itself before any test: versions, rootdir, plugins, or that its call was wrong."""

from __future__ import annotations

import re

_VERSIONS = (
    re.compile(
        r"(?:\[gw\d+\] )?platform (?P<platform>\S+) -- Python (?P<python>\S+?),? "
        r"(?:-- (?:py-\S+ -- )?)?pytest-(?P<pytest>[^\s,]+)(?:(?:,| --).*)?"  # before 2.8 with dashes
    ),
    re.compile(
        r"Test session starts \(platform: (?P<platform>[^,]+), Python (?P<python>[^,]+), "
        r"pytest (?P<pytest>[^,)]+)(?:,.*)?\)"  # pytest-sugar
    ),
)
_FIELDS = ("rootdir: ", "plugins: ", "timeout: ")
_USAGE = re.compile(
    r"(?:ERROR: (?:usage: .*|file (?:or directory )?not found: .*|not found: .*|Unknown .*)|"
    r"pytest: error: .*|__main__\.py: error: .*|ERROR: usage)"
)
_USAGE_STARTS = ("ERROR: ", "pytest: error: ", "__main__.py: error: ")
_USAGE_HEAD = re.compile(r"usage: .*\[file_or_dir\].*")  # under the name of the program that called pytest
_USAGE_END = re.compile(r"\S+: error: \S.*")


def versions(text: str) -> dict[str, str] | None:
    """Reads platform, Python and pytest; None where the line is another one."""
    if "platform" not in text:
        return None
    match = next((found for pattern in _VERSIONS if (found := pattern.fullmatch(text))), None)
    return None if match is None else match.groupdict()


def field(text: str) -> tuple[str, str] | None:
    """Reads rootdir, plugins or timeout; None where the line is another one."""
    if not text.startswith(_FIELDS):
        return None
    head, _, rest = text.partition(": ")
    if not rest:
        return None
    return head, rest.split(", inifile:")[0].split(", configfile:")[0].split(", testpaths:")[0]


class UsageReader:
    """Tells by its lines that pytest was called with options or paths that it does not know."""

    def __init__(self) -> None:
        self._has_head = False

    def feed(self, text: str) -> bool:
        """Takes the next line; returns whether it says so."""
        if text.startswith("usage: ") and _USAGE_HEAD.fullmatch(text):
            self._has_head = True
            return False
        said = text.startswith(_USAGE_STARTS) and _USAGE.fullmatch(text)
        return bool(said or (self._has_head and _USAGE_END.fullmatch(text)))
