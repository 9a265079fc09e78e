"""YAML to nodes that keep their text and their line; bounded, and never made into objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.records import Place

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 2_000_000
MOST_VALUES = 200_000
DEEPEST = 100
_CORRECT = "Correct the file, or check it with a YAML linter."


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value as the text in the file.

    Attributes:
        text: The text, free of quotes.
        place: Where it begins.
        is_plain: Whether it has no quotes, so that YAML gives it a type.
        is_literal: Whether it is a block whose lines are those of the file (`|`).
    """

    text: str
    place: Place
    is_plain: bool = True
    is_literal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping; its keys are texts, each once."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place

    def get(self, name: str) -> Node | None:
        """Returns the value of a key."""
        return next((value for key, value in self.entries if key.text == name), None)

    def scalar(self, name: str) -> Scalar | None:
        """Returns the value of a key where it is a single one."""
        value = self.get(name)
        return value if isinstance(value, Scalar) else None

    def mapping(self, name: str) -> Mapping | None:
        """Returns the value of a key where it is a mapping."""
        value = self.get(name)
        return value if isinstance(value, Mapping) else None

    def items(self, name: str) -> tuple[Node, ...]:
        """Returns the values of a list, none where the key holds no list."""
        value = self.get(name)
        return value.items if isinstance(value, Sequence) else ()


Node = Scalar | Sequence | Mapping


def read_document(path: Path, shown: str) -> Node | None:
    """Reads a YAML file.

    Args:
        path: The file.
        shown: Its name for people.

    Returns:
        Its only document, None for a file without any value.

    Raises:
        LogError: It cannot be read, is too large, or is no YAML that GitHub would take.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise LogError(
            f"The workflow file cannot be read: {error.strerror or error}",
            place=shown,
            next_step="Give a file that exists and that you may read, such as .github/workflows/test.yml.",
        ) from error
    if len(data) > MOST_BYTES:
        raise LogError(
            f"The workflow file has more than {MOST_BYTES:,} bytes, and no workflow is as long as that",
            place=shown,
            next_step="Give the workflow file itself.",
        )
    return parse_document(_decoded(data), shown)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def parse_document(text: str, shown: str) -> Node | None:
    """Reads the only YAML document of a text; see `read_document`."""
    import yaml

    builder = _Builder(shown)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.feed(event)
    except yaml.YAMLError as error:
        raise _no_yaml(error, text, shown) from error
    except RecursionError as error:
        raise _too_deep(shown) from error
    return builder.root


def _no_yaml(error: yaml.YAMLError, text: str, shown: str) -> LogError:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is not None:
        place = f"{shown}:{mark.line + 1}:{mark.column + 1}"
        problem = getattr(error, "problem", None) or "it cannot be parsed"
    elif isinstance(position, int):
        before = text[:position]
        place = f"{shown}:{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"
        problem = "it holds a character that YAML does not allow"
    else:
        place, problem = shown, "it cannot be parsed"
    return LogError(f"The file is no YAML: {problem}", place=place, next_step=_CORRECT)


def _too_deep(place: str) -> LogError:
    return LogError(f"The file is nested deeper than {DEEPEST} levels", place=place, next_step=_CORRECT)


@dataclass(slots=True)
class _Frame:
    """A list or a mapping that is not complete yet."""

    place: Place
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Place] = field(default_factory=dict)
    key: Scalar | None = None
    size: int = 1


class _Builder:
    """Makes nodes of events, without recursion, so that no file can exhaust the stack."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        self.root: Node | None = None

    def feed(self, event: Any) -> None:
        """Takes the next event of the parser."""
        import yaml

        place = Place(file=self._shown, line=event.start_mark.line + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise LogError(
                    "The file holds more than one YAML document", place=str(place), next_step=_CORRECT
                )
        elif isinstance(event, yaml.ScalarEvent):
            scalar = Scalar(
                text=event.value,
                place=place,
                is_plain=event.style in {None, ""} and event.implicit[0],
                is_literal=event.style == "|",
            )
            self._add(scalar, size=1, anchor=event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", place)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if len(self._frames) >= DEEPEST:
                raise _too_deep(str(place))
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            self._frames.append(_Frame(place=place, anchor=event.anchor, is_mapping=is_mapping))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            frame = self._frames.pop()
            self._add(_node(frame), size=frame.size, anchor=frame.anchor)

    def _alias(self, name: str, place: Place) -> None:
        if name not in self._anchors:
            raise LogError(
                f"The alias *{name} stands before the end of what it names, or names nothing",
                place=str(place),
                next_step=_CORRECT,
            )
        node, size = self._anchors[name]
        self._add(node, size=size, anchor=None)

    def _add(self, node: Node, *, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        frame.size += size
        if frame.size > MOST_VALUES:
            raise LogError(
                f"The file holds more than {MOST_VALUES:,} values once its aliases are followed",
                place=str(frame.place),
                next_step=_CORRECT,
            )
        if frame.is_mapping and frame.key is None:
            frame.key = self._key(frame, node)
            return
        if frame.key is not None:
            frame.items.append(frame.key)
            frame.key = None
        frame.items.append(node)

    def _key(self, frame: _Frame, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise LogError("A key is a list or a mapping", place=str(node.place), next_step=_CORRECT)
        if node.text in frame.keys:
            raise LogError(
                f"The key {node.text[:80]!r} stands twice in one mapping, first in line "
                f"{frame.keys[node.text].line}",
                place=str(node.place),
                next_step="Take one of them away: GitHub refuses such a file.",
            )
        frame.keys[node.text] = node.place
        return node


def _node(frame: _Frame) -> Node:
    if frame.is_mapping:
        return Mapping(entries=tuple(_pairs(frame.items)), place=frame.place)
    return Sequence(items=tuple(frame.items), place=frame.place)


def _pairs(items: list[Node]) -> Iterator[tuple[Scalar, Node]]:
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, Scalar):
            yield key, value
