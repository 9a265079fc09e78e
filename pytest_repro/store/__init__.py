"""Session folders and JSON Lines: the only writer of results."""

from __future__ import annotations

from pytest_repro.store.folder import SessionFolder, file_identity
from pytest_repro.store.json_files import (
    FORMAT_VERSION,
    each_json_line,
    read_json,
    read_json_lines,
    write_json,
)
from pytest_repro.store.owners import HEIR, OWNER, is_left_behind, note_owner, processor_record
from pytest_repro.store.sessions import FOLDER, KEPT_SESSIONS, Store, by_time, tag_of
from pytest_repro.store.state import FACTS, STATE, SUMMARY, SessionState, session_state, told_state

__all__ = [
    "FACTS",
    "FOLDER",
    "FORMAT_VERSION",
    "HEIR",
    "KEPT_SESSIONS",
    "OWNER",
    "STATE",
    "SUMMARY",
    "SessionFolder",
    "SessionState",
    "Store",
    "by_time",
    "each_json_line",
    "file_identity",
    "is_left_behind",
    "note_owner",
    "processor_record",
    "read_json",
    "read_json_lines",
    "session_state",
    "tag_of",
    "told_state",
    "write_json",
]
