"""The options that say what becomes of a session's records."""

from __future__ import annotations

import re

import pytest

from pytest_repro.plugin.option_reader import OptionReader, at_least_one
from pytest_repro.store import KEPT_SESSIONS

RECORD_VALUES = (
    ("repro-tag", "NAME", "Name this session for repro-report; a session with a tag is kept."),
    ("repro-keep", "N", f"Keep the records of the newest N sessions ({KEPT_SESSIONS} unless given)."),
)

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_TAKEN = "latest"


def check_record_options(config: pytest.Config) -> None:
    """Refuses what cannot be used, before anything runs.

    Raises:
        OptionError: The tag cannot name a session, or what is to be kept is no number.
    """
    session_tag(config)
    kept_sessions(config)


def session_tag(config: pytest.Config) -> str | None:
    """Returns the name that this session is given, None without one.

    Raises:
        OptionError: It cannot name a session.
    """
    return OptionReader(config).value("repro-tag", _tag)


def kept_sessions(config: pytest.Config) -> int:
    """Returns how many of the newest sessions stay on record.

    Raises:
        OptionError: It is no number.
    """
    return OptionReader(config).value("repro-keep", at_least_one) or KEPT_SESSIONS


def _tag(text: str) -> str:
    # Not the id of a session, no `latest~1`, no path: repro-report takes all of these in the same place.
    if not _TAG.fullmatch(text) or text == _TAKEN:
        raise ValueError(
            f"up to 64 letters, digits, dots, dashes and underscores that begin with a letter, not {_TAKEN!r}"
        )
    return text
