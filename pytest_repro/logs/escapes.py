"""What a terminal acts on and nobody reads: escape sequences, rubbed out text, control characters."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\x1b_bk;t=\d+(?:\x07|\x1b\\)"  # Buildkite's timestamp
    r"|\x1b[P^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # other APC, PM and DCS strings
    r"|\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # OSC: titles and links
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours and cursor
    r"|\x1b(?:\[[0-?]*[ -/]*|\]\d*;?|_[^\x07\x1b]{0,64})?$"  # cut off by the end of the log
    r"|\x1b[ -/]*[0-~]"
    r"|_bk;t=\d+\x07"
    r"|\^\[\[[0-9;]{1,12}m"  # colours that a copy has spelled out
)
_LEFT_OVER = re.compile(r"\[?\d{1,2}(?:;\d{1,2}){0,2}m(?=={3,} |_{3,} )")  # a colour whose escape was lost
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")


def strip_escapes(text: str) -> str:
    """Takes out terminal escapes, what was rubbed out, and control characters; a carriage return stays."""
    if "m==" in text or "m__" in text:
        text = _LEFT_OVER.sub("", text, count=1) if _LEFT_OVER.match(text) else text
    if text.isprintable() and "^[[" not in text:
        return text
    if "\x1b" in text or "_bk;t=" in text or "^[[" in text:
        text = _ESCAPE.sub("", text)
    if "\b" in text:
        text = _rubbed_out(text)
    return _CONTROL.sub("", text) if _CONTROL.search(text) else text


def _rubbed_out(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\r":
            kept.pop()
    return "".join(kept)
