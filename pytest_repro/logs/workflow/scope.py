"""What an expression sees at one place of a workflow, and texts with their expressions filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Contexts
from dataclasses import dataclass

from pytest_repro.logs.workflow.document import Mapping, Node, Scalar, Sequence
from pytest_repro.logs.workflow.evaluate import evaluate
from pytest_repro.logs.workflow.functions import LONGEST_TEXT
from pytest_repro.logs.workflow.records import Place, Text
from pytest_repro.logs.workflow.values import Partial, Unresolved, Value, text_of, truth_of, typed

WORKSPACE = "/github/workspace"
"""Stands for the checkout's folder, whose real place is the runner's; the script puts the source there."""

_BODY = re.compile(r"(?:[^'}]|'[^']*'|\}(?!\}))*\}\}")
_SECRET = re.compile(r"secrets\.(?P<name>[\w-]+)|(?P<token>github\.token)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text: as it stands, or an expression with its value."""

    text: str
    value: Value = None
    is_expression: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The contexts at one place, by name."""

    contexts: Contexts[str, Value]

    def with_contexts(self, **contexts: Value) -> Scope:
        """Returns a scope in which some contexts are others."""
        return Scope({**self.contexts, **contexts})

    def text(self, scalar: Scalar) -> Text:
        """Fills in the expressions of a value."""
        return self.text_at(_plain_text(scalar), scalar.place)

    def text_at(self, text: str, place: Place) -> Text:
        """Fills in the expressions of a text."""
        written: list[str] = []
        unresolved: list[str] = []
        secrets: list[str] = []
        length = 0
        for piece in self.pieces(text):
            is_open = isinstance(piece.value, Unresolved)
            filled = piece.text if is_open or not piece.is_expression else text_of(piece.value)
            if isinstance(piece.value, Partial):
                unresolved += piece.value.unresolved
                secrets += piece.value.secrets
            length += len(filled)
            if length > LONGEST_TEXT and piece.is_expression:
                filled, is_open = piece.text, True
            written.append(filled)
            if is_open:
                unresolved.append(piece.text)
                secrets += _secrets(piece.value)
        return Text(
            text="".join(written),
            place=place,
            unresolved=tuple(dict.fromkeys(unresolved)),
            secrets=tuple(dict.fromkeys(secrets)),
        )

    def pieces(self, text: str) -> Iterator[Piece]:
        """Splits a text into what stands there and what is an expression."""
        end = 0
        while (start := text.find("${{", end)) >= 0:
            body = _BODY.match(text, start + 3)
            if body is None:
                break
            yield Piece(text=text[end:start])
            end = body.end()
            inner = body[0][:-2]
            yield Piece(text=text[start:end], value=evaluate(inner, self.contexts), is_expression=True)
        yield Piece(text=text[end:])

    def value(self, node: Node | None) -> Value:
        """Evaluates a value, a list or a mapping with all that is in it."""
        if isinstance(node, Sequence):
            return [self.value(item) for item in node.items]
        if isinstance(node, Mapping):
            return {key.text: self.value(item) for key, item in node.entries}
        if node is None:
            return None
        pieces = [piece for piece in self.pieces(node.text) if piece.text]
        if len(pieces) == 1 and pieces[0].is_expression:
            return pieces[0].value
        if not any(piece.is_expression for piece in pieces):
            return typed(node)
        return value_of(self.text(node))

    def condition(self, scalar: Scalar | None) -> bool | None:
        """Decides an `if:`; None where the file does not decide it. Without one, a step is run."""
        if scalar is None:
            return True
        text = scalar.text.strip()
        pieces = [piece for piece in self.pieces(text) if piece.text]
        if not text:
            return True
        if len(pieces) == 1 and pieces[0].is_expression:
            return truth_of(pieces[0].value)
        if any(piece.is_expression for piece in pieces):
            return True  # GitHub makes a text of it, and a text that is not empty counts as true
        return truth_of(evaluate(text, self.contexts))


def value_of(text: Text) -> Value:
    """Returns a text as a value for further expressions."""
    if text.is_known:
        return text.text
    return Partial(text.text, unresolved=text.unresolved, secrets=text.secrets)


def _plain_text(scalar: Scalar) -> str:
    if "${{" in scalar.text:
        return scalar.text
    return text_of(typed(scalar))


def _secrets(value: Value) -> Iterator[str]:
    names = value.names if isinstance(value, Unresolved) else ()
    for name in sorted(names):
        match = _SECRET.match(name)
        if match is not None:
            yield match["name"] or "GITHUB_TOKEN"
