"""What templates are filled in with to be tried: every text the same hostile one, every branch reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from pytest_repro.logs.history import WorkerHistory
from pytest_repro.logs.records import CiFailure, Variable
from pytest_repro.model import Outcome, Signature
from pytest_repro.scaffold.build import template_variables
from pytest_repro.scaffold.context import Reproduction, Setting
from pytest_repro.scaffold.facts import Conflict, Fact, Suite, WorkflowPart
from pytest_repro.scaffold.findings import Findings
from pytest_repro.scaffold.forms import Form, FormKind
from pytest_repro.scaffold.render import Safe

Context = Mapping[str, Any]


def contexts_of(template: str, text: str) -> list[Context]:
    """Returns contexts that reach every branch of a template, each text in them `text`."""
    if template in ("execution_report.md.j2", "pull_request.md.j2"):
        return _of_reports(text)
    is_markdown = template.endswith(".md.j2")
    if template == "conftest.py.j2":
        return [
            {**_of_folder(_reproduction(text, is_shell=False), form, None), "source": source}
            for form, _ in _forms(text)
            if form is not None
            for source in (text, None)
        ]
    return [
        _of_folder(_reproduction(text, is_shell=not is_markdown), form, findings)
        for form, findings in _forms(text)
    ] + _without_a_test(text, is_shell=not is_markdown)


def _of_folder(reproduction: Reproduction, form: Form | None, findings: Findings | None) -> Context:
    return template_variables(reproduction, form, findings)


def _reproduction(text: str, *, is_shell: bool) -> Reproduction:
    fact = Fact(label=Safe("Job"), value=text, line=3, file=text)
    secret = "API_TOKEN" if is_shell else text
    return Reproduction(
        name=Safe("x-1"),
        slug=Safe("x_1"),
        nodeid=text,
        file=text,
        # A path of this machine: the script shows it as it is.
        source="".join(filter(str.isprintable, text)) if is_shell else text,
        facts=(fact, replace(fact, label=Safe("Test"))),
        error=text,
        message=text,
        text=text,
        others=(CiFailure(nodeid=text, line=4, outcome=Outcome.FAILED),),
        settings=tuple(
            Setting(name=Safe("MODE"), word=Safe("1"), shown=text, line=5, file=text, extends=extends)
            for extends in (False, True)
        ),
        secrets=tuple(Variable(name=secret, value=None, line=6, file=file) for file in (text, None)),
        unset=(fact,),
        hypotheses=(fact,),
        missing=(fact,),
        signature=Signature(exception=text, message=text, file=text, function=text),
        has_log=True,
        options=(text, text),
        history=WorkerHistory(worker="gw0", tests=(text,)),
    )


def _forms(text: str) -> list[tuple[Form | None, Findings | None]]:
    findings = Findings(
        form=Safe("a form"),
        reasons=(text,),
        proof=text,
        here=text,
        result=Safe("other"),
        interpreter=text,
    )
    named = Form(
        kind=FormKind.STANDALONE,
        case=text,
        code=Safe("NAME = REPRO_FILE\n\n\ndef test_a():\n    pass\n"),
        conftest=Safe("NAMES = REPRO_FILE, REPRO_FILE_1, REPRO_FILE_2\n"),
        conftests=(text, text),
        packages=("", text),
        paths=(text,),
        module=text,
    )
    return [
        (named, findings),
        (replace(named, kind=FormKind.REACHED, conftest=Safe("")), None),
        (replace(named, kind=FormKind.IN_PLACE, code=Safe(""), conftest=Safe("")), None),
        (replace(named, kind=FormKind.IN_PLACE, code=Safe(""), conftest=Safe(""), is_doctest=True), None),
        (replace(named, kind=FormKind.IMPORT, case="", code=Safe(""), conftest=Safe("")), None),
        (None, None),
    ]


def _without_a_test(text: str, *, is_shell: bool) -> list[Context]:
    whole = _reproduction(text, is_shell=is_shell)
    fact = whole.facts[0]
    suite = Suite(
        module=Safe("pytest"),
        folder=text,
        words=(text, text),
        to_be_set=(text,),
        left=(fact,),
        limit_s=60,
        command=text,
        line=7,
        file=text,
    )
    conflict = Conflict(label=text, log=text, log_line=1, workflow=text, file=text, line=2)
    workflow = WorkflowPart(
        facts=(fact,),
        steps=((fact, text),),
        unread=(fact,),
        open=(fact,),
        conflicts=(conflict,),
        looked_into=(fact,),
        in_plain_text=frozenset({text}),
    )
    no_test = replace(whole, nodeid=None, file=None, signature=None, history=None)
    return [
        _of_folder(replace(no_test, suite=suite, workflow=workflow), None, None),
        _of_folder(replace(no_test, suite=replace(suite, module=Safe("unittest"))), None, None),
        _of_folder(replace(whole, can_run=False), None, None),
        _of_folder(replace(no_test, error=None, has_log=False), None, None),
    ]


def _of_reports(text: str) -> list[Context]:
    words = Safe("words")
    session = {"id": text, "session": text, "text": text, "result": text, "tag": text, "command": text}
    certificate = {"said": [text], "facts": [(words, text)], "path": text}
    full: dict[str, Any] = {
        "title": words,
        "generated": words,
        "status": words,
        "is_success": False,
        "is_failed": False,
        "duration": words,
        "tests": [text],
        "commands": [text],
        "failure_type": words,
        "bugs": [
            {"title": text, "key": text, "failures": words, "tests": [text], "first": words, "replay": text}
        ],
        "failing": text,
        "failing_text": text,
        "files": [{"path": text, "what": words, "lines": words}],
        "more_files": 1,
        "branch": text,
        "head": text,
        "base": text,
        "difference_problem": text,
        "attempts": [{"number": 1, "code": text, "standing": words, "sessions": [session]}],
        "verdicts": [
            {"command": text, "id": text, "said": said, "count": text, "is_stable": True}
            for said in ([text], [])
        ],
        "certificate": certificate,
        "newest": session,
        "story": [session],
        "impact": words,
        "impact_hint": words,
        "timed": text,
        "timing": [text],
        "sizes": [{"test": text, "name": text, "calls": 1, "size": words, "largest": text}],
        "facts": [(words, text)],
        "workflows": [{"name": text, "reason": text}],
        "has_rules": True,
        "reviewers": [SimpleNamespace(handle=None, owner=text, files=words)],
    }
    return [full, {**full, "branch": None, "base": None, "bugs": []}, {**full, "files": []}]
