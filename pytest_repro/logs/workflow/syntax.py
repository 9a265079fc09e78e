"""The syntax of GitHub's expressions: from text to a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_repro.logs.workflow.values import Number, Value, parsed_number

LONGEST_EXPRESSION = 21_000
DEEPEST_EXPRESSION = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>[-+]?(?:0x[\da-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w-]))"
    r"|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.*]))",
    re.ASCII,
)
_WORDS: dict[str, Value] = {
    "true": True,
    "false": False,
    "null": None,
    "nan": Number(float("nan")),
    "infinity": Number(float("inf")),
}
_BINDING = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))


class ExpressionError(Exception):
    """A text that is no expression."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written down."""

    value: Value


@dataclass(frozen=True, slots=True)
class Context:
    """A name such as `github` or `matrix`."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`base.name` or `base[key]`."""

    base: Tree
    key: Tree


@dataclass(frozen=True, slots=True)
class Star:
    """`base.*`: all values of a list or of an object."""

    base: Tree


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given; its name is in lower case."""

    name: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`!operand`."""

    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and what stands between them."""

    sign: str
    left: Tree
    right: Tree


Tree = Literal | Context | Index | Star | Call | Not | Binary


def parse_expression(text: str) -> Tree:
    """Parses what stands between `${{` and `}}`.

    Raises:
        ExpressionError: It is no expression, or longer or deeper than GitHub allows.
    """
    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(f"{len(text)} characters")
    parser = _Parser(list(_tokens(text)))
    tree = parser.operation(0)
    if parser.kind != "end":
        raise ExpressionError(parser.text)
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.strip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ExpressionError(text[position : position + 20])
        yield match.lastgroup, match[match.lastgroup]
        position = match.end()
    yield "end", ""


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._next][0]

    @property
    def text(self) -> str:
        return self._tokens[self._next][1]

    def operation(self, level: int) -> Tree:
        """Parses operators of one binding strength and of all stronger ones."""
        if level == len(_BINDING):
            return self._operand()
        tree = self.operation(level + 1)
        count = 0
        while self.kind == "sign" and self.text in _BINDING[level]:
            count += 1
            if count > 20 * DEEPEST_EXPRESSION:
                raise ExpressionError(f"more than {count} operators")
            sign = self._take()
            tree = Binary(sign, tree, self.operation(level + 1))
        return tree

    def _take(self) -> str:
        text = self.text
        self._next += 1
        return text

    def _expect(self, sign: str) -> None:
        if self.kind != "sign" or self.text != sign:
            raise ExpressionError(self.text)
        self._next += 1

    def _operand(self) -> Tree:
        self._depth += 1
        if self._depth > DEEPEST_EXPRESSION:
            raise ExpressionError("nested too deep")
        tree = self._not_or_path()
        self._depth -= 1
        return tree

    def _not_or_path(self) -> Tree:
        if self.kind == "sign" and self.text == "!":
            self._take()
            return Not(self._operand())
        tree = self._atom()
        count = 0
        while self.kind == "sign" and self.text in {".", "["}:
            count += 1
            if count > DEEPEST_EXPRESSION:
                raise ExpressionError("nested too deep")
            tree = self._property(tree)
        return tree

    def _atom(self) -> Tree:
        kind, text = self.kind, self._take()
        if kind == "string":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(Number(parsed_number(text) or 0.0))
        if kind == "name":
            if self.kind == "sign" and self.text == "(":
                return self._call(text.lower())
            return Literal(_WORDS[text.lower()]) if text.lower() in _WORDS else Context(text.lower())
        if kind == "sign" and text == "(":
            tree = self.operation(0)
            self._expect(")")
            return tree
        raise ExpressionError(text)

    def _call(self, name: str) -> Tree:
        self._expect("(")
        arguments: list[Tree] = []
        while not (self.kind == "sign" and self.text == ")"):
            if arguments:
                self._expect(",")
            arguments.append(self.operation(0))
        self._take()
        return Call(name, tuple(arguments))

    def _property(self, base: Tree) -> Tree:
        if self._take() == "[":
            if self.kind == "sign" and self.text == "*":
                self._take()
                self._expect("]")
                return Star(base)
            key = self.operation(0)
            self._expect("]")
            return Index(base, key)
        kind, text = self.kind, self._take()
        if kind == "sign" and text == "*":
            return Star(base)
        if kind != "name":
            raise ExpressionError(text)
        return Index(base, Literal(text))
