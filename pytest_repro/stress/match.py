"""Which failures are the ones that a session looks for (`--repro-match`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_repro.errors import OptionError
from pytest_repro.model import Signature
from pytest_repro.signature import (
    differences,
    normalise_message,
    signature_from_dict,
    signature_to_dict,
)

_KEY = re.compile(r"[0-9a-f]{12}")
_FILE_NAME = re.compile(r"[^\s\\]+\.jsonl?")
_MOST_KEYS = 5
_MOST_BYTES = 10_000_000


class Match(Protocol):
    """Tells the failures that are looked for from all others."""

    @property
    def title(self) -> str:
        """What is looked for, for people."""

    def accepts(self, signature: Signature, message: str) -> bool:
        """Tells whether a failure with this signature and this message, as it was, is looked for."""

    def contradictions(self, signature: Signature) -> tuple[str, ...]:
        """Names the fields in which another failure differs, where fields are compared at all."""

    def to_payload(self) -> dict[str, Any]:
        """Returns plain builtins for a worker's channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureMatch:
    """Failures that agree with a signature in all that both sides know."""

    signature: Signature

    @property
    def title(self) -> str:
        """See `Match`."""
        return self.signature.title

    def accepts(self, signature: Signature, message: str) -> bool:
        """See `Match`."""
        del message
        return not differences(self.signature, signature)

    def contradictions(self, signature: Signature) -> tuple[str, ...]:
        """See `Match`."""
        return differences(self.signature, signature)

    def to_payload(self) -> dict[str, Any]:
        """See `Match`."""
        return {"signature": signature_to_dict(self.signature)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMatch:
    """Failures of the signature with this key."""

    key: str

    @property
    def title(self) -> str:
        """See `Match`."""
        return f"signature {self.key}"

    def accepts(self, signature: Signature, message: str) -> bool:
        """See `Match`."""
        del message
        return signature.key == self.key

    def contradictions(self, signature: Signature) -> tuple[str, ...]:
        """See `Match`: a key does not tell its fields."""
        del signature
        return ()

    def to_payload(self) -> dict[str, Any]:
        """See `Match`."""
        return {"key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternMatch:
    """Failures in whose `exception: message`, or in whose message, a regular expression is found."""

    pattern: str

    @property
    def title(self) -> str:
        """See `Match`."""
        return f"/{self.pattern}/"

    def accepts(self, signature: Signature, message: str) -> bool:
        """See `Match`."""
        whole = f"{signature.exception}: {message}" if signature.exception else message
        return any(re.search(self.pattern, text, re.MULTILINE) is not None for text in (whole, message))

    def contradictions(self, signature: Signature) -> tuple[str, ...]:
        """See `Match`: a text has no fields."""
        del signature
        return ()

    def to_payload(self) -> dict[str, Any]:
        """See `Match`."""
        return {"pattern": self.pattern}


def match_from_payload(payload: Mapping[str, Any]) -> Match:
    """Reads what a `to_payload` made."""
    if "signature" in payload:
        return SignatureMatch(signature=signature_from_dict(payload["signature"]))
    return KeyMatch(key=payload["key"]) if "key" in payload else PatternMatch(pattern=payload["pattern"])


def parse_match(text: str, *, folder: Path) -> Match:
    """Reads what a user gives: a signature's file, its key, or a regular expression.

    Args:
        text: As given.
        folder: What a relative path is relative to.

    Raises:
        OptionError: A file cannot be read, or holds no signature.
        ValueError: The text is empty or no regular expression.
    """
    wanted = text.strip()
    if not wanted:
        raise ValueError("a signature file, a key of twelve hexadecimal digits, or a regular expression")
    if _KEY.fullmatch(wanted):
        return KeyMatch(key=wanted)
    path = folder / wanted
    if _is_file(path) or _FILE_NAME.fullmatch(wanted):
        return SignatureMatch(signature=read_signature_file(path))
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression, a signature file or a key: {error}") from error
    return PatternMatch(pattern=text)


def read_signature_file(path: Path) -> Signature:
    """Reads a signature from the file of a scaffold, or from a record of a session.

    It is a JSON object that is a signature or holds one as `signature`, or a summary with a single bug.

    Raises:
        OptionError: The file cannot be read, or holds no signature or several.
    """
    found = _signature_object(_json_object(path), path)
    fields = {name: found.get(name) for name in ("exception", "message", "file", "function", "statement")}
    for name, value in fields.items():
        if value is not None and not isinstance(value, str):
            raise _unusable(f"The field {name!r} of the signature is no text", path)
    # A signature that a person wrote has a message as it was.
    message = fields["message"] or ""
    fields["message"] = message if "key" in found else normalise_message(message)
    signature = signature_from_dict(fields)
    if signature == Signature(exception=None, message=""):
        raise _unusable("The signature is empty: every failure would match it", path)
    return signature


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a regular expression that no file could be named by


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise _unusable(f"The signature file cannot be read: {error.strerror or error}", path) from error
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, json.JSONDecodeError) else "it is no text, or nested too deep"
        raise _unusable(f"The signature file is not one JSON object: {reason}", path) from error
    if not isinstance(data, dict):
        raise _unusable("The signature file is not one JSON object", path)
    return data


def _signature_object(data: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    bugs = data.get("bugs")
    if isinstance(bugs, list):
        data = _only_bug([bug for bug in bugs if isinstance(bug, dict)], path)
    found = data.get("signature", data)
    if found is None:
        raise _unusable("The file holds no signature: no failing test was known when it was made", path)
    if not isinstance(found, dict) or not {"exception", "message"} & found.keys():
        raise _unusable("The file holds no signature: it has neither 'exception' nor 'message'", path)
    return found


def _only_bug(bugs: list[dict[str, Any]], path: Path) -> Mapping[str, Any]:
    if len(bugs) == 1:
        return bugs[0]
    if not bugs:
        raise _unusable("The summary holds no bug", path)
    signatures = [bug.get("signature") for bug in bugs]
    keys = [str(one.get("key")) for one in signatures if isinstance(one, dict)]
    raise OptionError(
        f"The summary holds {len(bugs):,} bugs",
        place=str(path),
        next_step=f"Give the key of one of them: {', '.join(keys[:_MOST_KEYS])}.",
    )


def _unusable(fact: str, path: Path) -> OptionError:
    return OptionError(
        fact,
        place=str(path),
        next_step="Give a signature file (such as a scaffold's signature.json), a key of twelve hexadecimal "
        "digits, or a regular expression.",
    )
