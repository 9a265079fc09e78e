"""Each escaping filter of each template is held: taken out, hostile text breaks out, and that is seen."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest
from markdown_it import MarkdownIt

from pytest_repro.report.certificate_page import certificate_page
from pytest_repro.scaffold import render as rendering
from pytest_repro.scaffold.render import Safe, render
from pytest_repro.scaffold.templates import own_templates
from pytest_repro.verify.certificate.judgement import CertificateKind
from pytest_repro.verify.certificate.trials import Trial as CertificateTrial
from pytest_repro.verify.measures import Measure, TestMeasures
from tests.unit.report.test_certificate_page import dossier_of
from tests.unit.scaffold.hostile_contexts import contexts_of
from tests.unit.scaffold.test_hostile_logs import run_hostile

MARK = "mark"
HOSTILE = (
    "`mark` <b> x",
    "mark ```\n# Heading\n\n- item",
    'mark"; touch pwned; "',
    "mark$(touch pwned)",
    '"""\nmark\n"""',
    '", mark, "',
    "mark\\",
    "mark | a | b",
    "mark\x1b[31m\u202e\x9b",
    "mark\n\n    code\n~~~",
    "*mark* [x](y)",
)
UNSEEN = frozenset("\x1b\x9b\u202e\0")

CHECKED = {
    "name": "the name of a folder, of letters, digits, dots, dashes and underscores",
    "test_file": "made of that name",
    "suite.limit_s": "a number",
    "secret.name": "a name that a shell can set; only in the script: others are not among them",
    "history.worker": "`main`, or gw and digits",
    "side.commit": "hexadecimal digits, from git",
    "side.tree": "hexadecimal digits, from git",
    "fix_tree": "hexadecimal digits, from git",
    "bug.key": "hexadecimal digits; in a report they come from a record",
    "fact.label": "words of this program",
    "step": "words of this program, and hexadecimal digits",
}
"""Values that hold no hostile text, and why: their filters are not to be held by any."""

_FILTER = re.compile(r"""(?:\|\s*|map\(")(sh|py|doc|code|cell|fence|short)\b""")
_EXPRESSION = re.compile(r"\{\{.*?\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of a filter in a template.

    Attributes:
        template: Name of its file.
        start: Where the name of the filter begins.
        filter: Its name.
        expression: What it stands in.
        line: 1-based.
    """

    template: str
    start: int
    filter: str
    expression: str
    line: int

    @property
    def is_checked(self) -> bool:
        """Whether its value can hold no hostile text, or another filter makes it safe."""
        is_word_in_code = self.filter == "sh" and self.template.endswith(".md.j2")
        return is_word_in_code or any(
            re.search(rf"[{{( ]{re.escape(name)}\b", self.expression) for name in CHECKED
        )


def uses_of(path: Path) -> Iterator[Use]:
    text = path.read_text(encoding="utf-8")
    for expression in _EXPRESSION.finditer(text):
        for found in _FILTER.finditer(text, expression.start(), expression.end()):
            yield Use(
                template=path.name,
                start=found.start(1),
                filter=found[1],
                expression=expression[0],
                line=text.count("\n", 0, found.start()) + 1,
            )


USES = [use for path in own_templates() for use in uses_of(path)]


def _named(use: Use) -> str:
    return f"{use.template}:{use.line}:{use.filter}:{use.start}"


def naive(name: str, value: Any) -> str:
    """What somebody would write who thought of no hostile text: marks around it, nothing changed inside."""
    if name == "sh":
        return f'"{value}"'
    if name == "py" and isinstance(value, list | tuple):
        return "[" + ", ".join(naive("py", one) for one in value) + "]"
    if name == "py":
        return f'"{value}"'
    if name in ("code", "cell"):
        return f"`{value}`"
    return f"```text\n{value}\n```" if name == "fence" else str(value)


@dataclass(slots=True)
class Taken:
    """A filter that was taken out: what it was given."""

    name: str
    values: list[str] = field(default_factory=list)

    def __call__(self, value: Any, *_: Any) -> Any:
        self.values.append(str(value))
        text = naive(self.name, value)
        # `short` is no filter that makes anything safe: what follows it does.
        return text if self.name == "short" else Safe(text)


def outline(kind: str, text: str) -> Any:
    """What a text is to who reads it: with the texts themselves left out, those in code and in literals."""
    if kind == ".py":
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""
        return ast.dump(tree)
    tokens: list[Any] = []

    def walk(found: Sequence[Any]) -> None:
        for token in found:
            is_code = token.type in ("code_inline", "fence")
            tokens.append((token.type, token.tag, token.info, "" if is_code else token.content))
            walk(token.children or ())

    # Of the inline tokens only the parts count: the whole has the code in it.
    walk(MarkdownIt("commonmark").enable("table").parse(text))
    return [token for token in tokens if token[0] != "inline"]


def texts_of(template: str, text: str, overrides: Path | None) -> list[str]:
    """Returns what is written from a template, in each of its contexts, if every text is this one."""
    if template == "certificate.md.j2":
        return [certificate_page(one, overrides=overrides) for one in dossiers_of(text)]
    # Included, a template is made safe for the file that it is part of.
    whole = "README.md.j2" if template == "workflow.md.j2" else template
    return [render(whole, context, overrides=overrides) for context in contexts_of(whole, text)]


@cache
def harmless_outlines(template: str, kind: str) -> list[Any]:
    """Returns the outlines of what is written from a template if nothing in it is hostile."""
    return [outline(kind, text) for text in texts_of(template, "word", None)]


class Trial:
    """Renders a template with one text, as it is and with a filter taken out."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._mine = folder / "mine"
        self._mine.mkdir()
        self._taken: Taken | None = None
        self._used: Callable[[Any, int], Any] = lambda value, _: value
        environment_of = rendering._environment
        # To read a template takes longer than to fill it in.
        self._environments: dict[tuple[str, Path | None], jinja2.Environment] = {}

        def with_taken(template: str, overrides: Path | None) -> jinja2.Environment:
            key = (template, overrides)
            if key not in self._environments:
                self._environments[key] = environment_of(template, overrides)
                self._environments[key].filters |= {"taken": self._taken, "used": self._used}
            return self._environments[key]

        monkeypatch.setattr(rendering, "_environment", with_taken)

    def without(self, use: Use | None) -> Taken | None:
        """Takes one filter out, or puts all back."""
        for path in self._mine.iterdir():
            path.unlink()
        self._environments.clear()
        self._taken = None if use is None else Taken(use.filter)
        if use is not None:
            source = next(path for path in own_templates() if path.name == use.template)
            text = source.read_text(encoding="utf-8")
            text = text[: use.start] + "taken" + text[use.start + len(use.filter) :]
            (self._mine / use.template).write_text(text, encoding="utf-8")
        return self._taken

    def reached(self, uses: Sequence[Use]) -> set[Use]:
        """Returns those uses in one template that any of its contexts reaches."""
        self.without(None)
        source = next(path for path in own_templates() if path.name == uses[0].template)
        text = source.read_text(encoding="utf-8")
        for number, use in sorted(enumerate(uses), key=lambda one: -one[1].start):
            text = f"{text[: use.start]}used({number}) | {text[use.start :]}"
            # `map("sh")` names a filter: it is told of where it is used, as it is.
            text = re.sub(rf'map\("used\({number}\) \| (\w+)"\)', rf'used({number}) | map("\1")', text)
        (self._mine / source.name).write_text(text, encoding="utf-8")
        numbers: set[int] = set()

        def used(value: Any, number: int) -> Any:
            numbers.add(number)
            return value

        self._used = used
        texts_of(source.name, "word", self._mine)
        return {uses[number] for number in numbers}

    def breach(self, template: str, text: str) -> str | None:
        """Returns what breaks out if every text is this one, None if nothing does."""
        kind = Path(template.removesuffix(".j2")).suffix
        written = texts_of(template, text, self._mine)
        if kind == ".sh":
            return next(filter(None, map(self._run, dict.fromkeys(written))), None)
        seen: set[str] = set()
        for shown, expected in zip(written, harmless_outlines(template, kind), strict=True):
            if shown in seen:
                continue
            seen.add(shown)
            if UNSEEN & set(shown):
                return "unseen characters"
            try:
                if outline(kind, shown) != expected:
                    return "another outline"
            except (SyntaxError, ValueError) as error:
                return f"no Python: {error}"
        return None

    def _run(self, script: str) -> str | None:
        folder = self._folder / "here"
        folder.mkdir(exist_ok=True)
        path = folder / "run_test.sh"
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        code, _, _, output = run_hostile(folder)
        if any(self._folder.rglob("pwned")):
            for found in self._folder.rglob("pwned"):
                found.unlink()
            return "it was run"
        if UNSEEN & set(output):
            return "unseen characters"
        return None if code == 1 else f"status {code}: {output}"


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path, monkeypatch)


def dossiers_of(text: str) -> list[Any]:
    """Returns what reaches every branch of the certificate: reasons, steps, a measured phase."""
    whole = dossier_of(text)
    verdict = replace(
        whole.verdict, reasons=(text,), kind=CertificateKind.NOT_REPRODUCED, bugs=(), exit_status=1
    )
    return [
        whole,
        replace(whole, verdict=verdict),
        replace(whole, trials=tuple(_measured(one, text) for one in whole.trials)),
    ]


def _measured(trial: CertificateTrial, text: str) -> CertificateTrial:
    report = trial.run.report
    assert report is not None
    measures = TestMeasures(phases_ns={text: Measure(count=1, low=5, median=5, high=5)})
    tests = {test: replace(told, measures=measures) for test, told in report.tests.items()}
    return replace(trial, run=replace(trial.run, report=replace(report, tests=tests)))


def check_held(trial: Trial, use: Use) -> None:
    taken = trial.without(use)
    assert taken is not None
    breach: Callable[[str], str | None] = lambda text: trial.breach(use.template, text)  # noqa: E731
    is_noticed = any(breach(text) is not None for text in HOSTILE)
    assert taken.values, f"no context reaches {use}"
    assert is_noticed or use.is_checked, f"nothing notices that {use} is taken out"


@pytest.mark.parametrize("template", sorted({use.template for use in USES}))
def test_nothing_breaks_out_of_any_template(trial: Trial, template: str) -> None:
    """Every text of every branch is hostile, each kind of hostile text in turn."""
    for text in HOSTILE:
        assert trial.breach(template, text) is None, text


@pytest.mark.parametrize("template", sorted({use.template for use in USES}))
def test_every_filter_of_a_template_is_reached(trial: Trial, template: str) -> None:
    """One that no context reaches could be left out unnoticed: `hostile_contexts` is to reach it."""
    uses = [use for use in USES if use.template == template]
    reached = trial.reached(uses)
    assert [f"line {use.line}: {use.expression}" for use in uses if use not in reached] == []


@pytest.mark.slow
@pytest.mark.parametrize("use", USES, ids=_named)
def test_each_filter_of_each_template_is_held(trial: Trial, use: Use) -> None:
    """Taken out, one by one, with the marks that it makes left in their place."""
    check_held(trial, use)


FIRST = {(use.template, use.filter): use for use in reversed(USES) if not use.is_checked}


@pytest.mark.parametrize("use", FIRST.values(), ids=_named)
def test_one_filter_of_each_kind_is_held(trial: Trial, use: Use) -> None:
    """The cheap twin: the first of its kind in each template."""
    check_held(trial, use)
