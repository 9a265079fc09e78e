"""Looks options up, on the command line first, then in the ini file, and reads their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import pytest

from pytest_repro.errors import OptionError

_Value = TypeVar("_Value")


class OptionReader:
    """Looks an option up on the command line, then in the ini file.

    Args:
        config: Of this process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def value(self, name: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Returns the value of an option, None where it is not given.

        Args:
            name: Without the dashes before it.
            parse: Reads the text; the message of its `ValueError` says what to give.

        Raises:
            OptionError: It cannot be read.
        """
        text, place = self._text(name)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise OptionError(f"{place} {text!r} cannot be used", next_step=f"Give {error}.") from error

    def values(self, name: str) -> tuple[str, ...] | None:
        """Returns the values of an option that can be repeated, None where it is not given."""
        given = self._config.getoption(destination(name))
        return tuple(given or self._config.getini(destination(name)) or ()) or None

    def flag(self, name: str) -> bool | None:
        """Returns whether a flag is set, None where nothing is said of it."""
        value = self._config.getoption(destination(name))
        if value is None:
            value = self._config.getini(destination(name))
        return value if value is None else bool(value)

    def refuse_alone(self, name: str, partner: str, *, without: str = "a stress run") -> None:
        """Refuses an option of the command line that has nothing to do.

        Args:
            name: Without the dashes before it.
            partner: What it needs beside it.
            without: The same in words.

        Raises:
            OptionError: It is given.
        """
        if self._config.getoption(destination(name)) is not None:
            raise OptionError(f"--{name} does nothing without {without}", next_step=f"Add {partner}.")

    def _text(self, name: str) -> tuple[str | None, str]:
        given = self._config.getoption(destination(name))
        if given is not None:
            return str(given), f"--{name}"
        ini = self._config.getini(destination(name))
        return (str(ini), f"{destination(name)} in the ini file:") if ini else (None, "")


def at_least_one(text: str) -> int:
    """Reads a whole number from 1 on.

    Raises:
        ValueError: It is none.
    """
    number = int(text) if re.fullmatch(r"\d{1,18}", text.strip()) else 0
    if number < 1:
        raise ValueError("a whole number from 1 on")
    return number


def destination(name: str) -> str:
    """Returns the name under which pytest keeps an option and the ini file has it."""
    return name.replace("-", "_")
