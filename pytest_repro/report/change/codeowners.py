"""Who owns a file, as GitHub and GitLab read CODEOWNERS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.report.change.globs import matches

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where the two look for it: the first that is there counts, the others do not."""

_LARGEST_BYTES = 3 * 1024 * 1024
"""GitHub reads no larger one."""

_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_OWNER = re.compile(r"@[A-Za-z0-9][\w-]*(?:/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_SECTION = re.compile(r"\^?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?:\s+(?P<owners>.*))?")
"""A heading of GitLab's, with a number of approvals and owners for lines that name none."""

_HANDLE = re.compile(r"@[\w/.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of it.

    Attributes:
        pattern: Of paths.
        owners: `@user`, `@team/name` or an address; none takes the files from their owners.
        section: In which it stands, in small letters; empty before the first one, and always on GitHub.
    """

    pattern: str
    owners: tuple[str, ...]
    section: str = ""


def read_rules(top: Path) -> list[Rule]:
    """Returns the rules of a checkout, in their order; none where there is no file that GitHub would read.

    Args:
        top: Of the checkout.
    """
    for place in PLACES:
        path = top / place
        try:
            if path.is_file() and path.stat().st_size < _LARGEST_BYTES:
                return parse_rules(path.read_text(encoding="utf-8-sig", errors="replace"))
        except OSError:
            continue
    return []


def parse_rules(text: str) -> list[Rule]:
    """Returns the rules of a text; a line that neither can read counts for nothing."""
    return list(_rules(text))


def _rules(text: str) -> Iterator[Rule]:
    section = ""
    shared: tuple[str, ...] = ()
    for line in text.splitlines():
        heading = _SECTION.fullmatch(line.strip())
        if heading:
            section, shared = heading["name"].strip().lower(), tuple(_words(heading["owners"] or ""))
            continue
        words = _words(line)
        if not words:
            continue
        pattern, *named = words
        owners = named or shared
        is_readable = not pattern.startswith("!") and "[" not in pattern
        if is_readable and all(_OWNER.fullmatch(owner) for owner in owners):
            yield Rule(pattern=re.sub(r"\\(.)", r"\1", pattern), owners=tuple(owners), section=section)


def _words(line: str) -> list[str]:
    """Returns the words of a line before its comment."""
    words = _WORD.findall(line)
    return words[: next((number for number, word in enumerate(words) if word.startswith("#")), None)]


def owners_of(rules: Iterable[Rule], path: str) -> tuple[str, ...]:
    """Returns the owners of a file: those of the last rule of each section that names it."""
    owners = {rule.section: rule.owners for rule in rules if matches(rule.pattern, path)}
    return tuple(dict.fromkeys(owner for named in owners.values() for owner in named))


def reviewers_of(rules: Iterable[Rule], paths: Iterable[str]) -> dict[str, list[str]]:
    """Returns for each owner the files that he owns, who owns most first."""
    rules = list(rules)
    found: dict[str, list[str]] = {}
    for path in paths:
        for owner in owners_of(rules, path):
            found.setdefault(owner, []).append(path)
    return dict(sorted(found.items(), key=lambda each: (-len(each[1]), each[0])))


def is_handle(owner: str) -> bool:
    """Tells whether an owner is a name on GitHub, without a character of Markdown."""
    return _HANDLE.fullmatch(owner) is not None
