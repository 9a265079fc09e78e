from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.document import (
    MOST_BYTES,
    Mapping,
    Scalar,
    Sequence,
    parse_document,
    read_document,
)


def scalar(text: str, name: str) -> Scalar:
    document = parse_document(text, "x.yml")
    assert isinstance(document, Mapping)
    found = document.scalar(name)
    assert found is not None
    return found


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_values_keep_their_text_and_line(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither YAML 1.1 nor Python turns `on`, `3.10` or `0777` into something else."""
    if loader == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    text = "on: push\nversion: 3.10\nmode: 0777\nquoted: '3.10'\nscript: |\n  one\n  two\n"
    assert scalar(text, "on").text == "push"
    assert (scalar(text, "version").text, scalar(text, "version").place.line) == ("3.10", 2)
    assert scalar(text, "mode").text == "0777"
    assert scalar(text, "version").is_plain
    assert not scalar(text, "quoted").is_plain
    script = scalar(text, "script")
    assert (script.text, script.place.line, script.is_literal) == ("one\ntwo\n", 5, True)


def test_aliases_stand_for_what_they_name() -> None:
    """An anchored list is the same list where it is named again."""
    document = parse_document("a: &x [1, 2]\nb: *x\n", "x.yml")
    assert isinstance(document, Mapping)
    assert document.items("b") == document.items("a")
    assert isinstance(document.get("b"), Sequence)


def test_aliases_cannot_grow_without_bounds() -> None:
    """Nine levels of nine aliases each are an error, not a gigabyte."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(LogError, match="more than 200,000 values once its aliases are followed"):
        parse_document("\n".join(lines), "x.yml")


@pytest.mark.parametrize(
    ("text", "fact", "place"),
    [
        ("a: [1\nb: 2", "The file is no YAML", "x.yml:2:2"),
        ("a:\n\tb: 1", "The file is no YAML", "x.yml:2:1"),
        ("a: 1\nb: \x01", "a character that YAML does not allow", "x.yml:2:4"),
        ("a: 1\nb: 2\na: 3", "The key 'a' stands twice in one mapping, first in line 1", "x.yml:3"),
        ("? [1]\n: 2", "A key is a list or a mapping", "x.yml:1"),
        ("a: 1\n---\nb: 2", "more than one YAML document", "x.yml:2"),
        ("a: *b", "The alias \\*b", "x.yml:1"),
        ("a: &a [*a]", "The alias \\*a", "x.yml:1"),
        ("[" * 200, "nested deeper than 100 levels", "x.yml:1"),
    ],
)
def test_what_is_no_yaml_is_an_error_with_its_place(text: str, fact: str, place: str) -> None:
    """The place is the line and, where the parser knows it, the column."""
    with pytest.raises(LogError, match=fact) as raised:
        parse_document(text, "x.yml")
    assert raised.value.place == place


def test_marks_and_encodings_of_the_file_are_no_text(tmp_path: Path) -> None:
    """A byte order mark and UTF-16 are read; CRLF ends a line."""
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "x.yml").write_bytes("a: é\r\nb: 2\r\n".encode(encoding))
        document = read_document(tmp_path / "x.yml", "x.yml")
        assert isinstance(document, Mapping)
        found = document.scalar("a")
        assert found is not None
        assert found.text == "é"


def test_a_file_that_is_no_workflow_by_its_size_is_not_read(tmp_path: Path) -> None:
    """Two megabytes are more than any workflow has."""
    (tmp_path / "x.yml").write_bytes(b"a" * (MOST_BYTES + 1))
    with pytest.raises(LogError, match="more than 2,000,000 bytes"):
        read_document(tmp_path / "x.yml", "x.yml")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """The system's own words are in the error."""
    with pytest.raises(LogError, match="cannot be read: No such file"):
        read_document(tmp_path / "none.yml", "none.yml")
