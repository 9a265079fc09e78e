"""Names that tests give, on their way to a terminal or a line of a log."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

from pytest_repro.model import Phase, Stage


def printable(text: str) -> str:
    """Returns a text with all escaped that a terminal obeys instead of showing it; line ends too."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def encodable(text: str) -> str:
    """Returns a text that can be written and sent: lone surrogates are escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def cells(text: str) -> int:
    """Returns the columns that a printable text takes on a terminal: wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 1 + (east_asian_width(one) in {"F", "W"}) for one in text)


def fitted(text: str, width: int) -> str:
    """Returns a printable text in exactly this many columns: with blanks after it, or its end cut off."""
    if cells(text) > width:
        while cells(text) > width - 3:
            text = text[:-1]
        text += "..."
    return text + " " * (width - cells(text))


def word(text: str) -> str:
    """Returns a name without what would break a log line into wrong parts."""
    return printable(re.sub(r"[\s=,#]+", "_", text))


def staged(name: str, stage: Stage) -> str:
    """Returns the name of a phase as it is added up: `to_device`, of fixtures `setup: to_device`."""
    return name if stage is Stage.CALL else f"{stage.value}: {name}"


def staged_name(phase: Phase) -> str:
    """Returns the name under which a phase is added up."""
    return staged(phase.name, phase.stage)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
