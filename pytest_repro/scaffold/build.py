"""A reproduction folder from a plan: each file's text, and the log without its secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from pytest_repro.logs.secrets import Masker
from pytest_repro.logs.sources import Log
from pytest_repro.order.order_file import order_text
from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.findings import Findings
from pytest_repro.scaffold.forms import Form, FormKind
from pytest_repro.scaffold.render import render
from pytest_repro.scaffold.signatures import SIGNATURE_FILE
from pytest_repro.scaffold.write import PlannedFile, text_file
from pytest_repro.signature import signature_to_dict

FORMAT_VERSION = 1
CONFTEST = "tests/conftest.py"
CI_LOG = "logs/ci.log"
PROOF_LOG = "logs/proof.log"
_ORDERS = "order_*.txt"


def template_variables(
    reproduction: Reproduction, form: Form | None, findings: Findings | None = None
) -> dict[str, object]:
    """Returns all that a template may use; the README tells users of each."""
    return {
        **{field.name: getattr(reproduction, field.name) for field in fields(reproduction)},
        "test_file": reproduction.test_file,
        "order_file": reproduction.order_file,
        "form": form,
        "findings": findings,
    }


def planned_files(
    reproduction: Reproduction,
    *,
    log: Log | None,
    masker: Masker,
    overrides: Path | None = None,
    form: Form | None = None,
    findings: Findings | None = None,
) -> list[PlannedFile]:
    """Plans all files of a reproduction.

    Args:
        reproduction: What goes into them.
        log: The log, None without one.
        masker: Takes secrets out of the log's copy.
        overrides: A folder whose templates come before the package's own.
        form: How the test comes to run; None to run it in a child process, or where no test is known.
        findings: What is known of that form; None where no source was found.
    """
    context = template_variables(reproduction, form, findings)

    def text(template: str) -> str:
        return render(template, context, overrides=overrides)

    files = [
        text_file("run_test.sh", text("run_test.sh.j2"), is_executable=True),
        text_file(reproduction.test_file, text("test_repro.py.j2")),
        text_file("README.md", text("README.md.j2")),
        text_file(SIGNATURE_FILE, _signature_json(reproduction, form)),
        text_file("pytest.ini", text("pytest.ini.j2")),
        text_file(".gitignore", text("gitignore.j2")),
    ]
    if form is not None and not form.is_child:
        files.append(text_file(CONFTEST, text("conftest.py.j2")))
    if log is None:
        return [*files, text_file("logs/.gitkeep", "")]
    return [
        *files,
        *_order_files(reproduction, masker),
        PlannedFile(path=CI_LOG, write=lambda file: log.copy(file, masker.lines()), is_edited=False),
    ]


def outdated_files(folder: Path, planned: Iterable[PlannedFile]) -> tuple[str, ...]:
    """Returns files of an earlier reproduction in a folder that would be taken for this one's.

    A conftest file that another form of the test needed, what a proof has printed, the log, and the order in
    which a worker ran its tests.
    """
    try:
        record = json.loads((folder / SIGNATURE_FILE).read_text(encoding="utf-8"))
        had_conftest = record["form"] not in (None, FormKind.CHILD.name.lower())
    except (OSError, ValueError, LookupError, TypeError):
        return ()
    new = {file.path for file in planned}
    made = (PROOF_LOG, CI_LOG, *(f"logs/{path.name}" for path in sorted(folder.glob(f"logs/{_ORDERS}"))))
    old = [CONFTEST] * had_conftest + [path for path in made if (folder / path).exists()]
    return tuple(path for path in old if path not in new)


def _order_files(reproduction: Reproduction, masker: Masker) -> list[PlannedFile]:
    if reproduction.history is None or reproduction.order_file is None:
        return []
    tests = reproduction.history.tests
    comments = (
        f"What {reproduction.history.worker} ran in CI until the failure, in order: {len(tests)} tests.",
        "From the root of the tests' source: pytest --repro-order=THIS_FILE",
    )
    return [text_file(reproduction.order_file, order_text(map(masker, tests), comments=comments))]


def _signature_json(reproduction: Reproduction, form: Form | None) -> str:
    signature = reproduction.signature
    record = {
        "format_version": FORMAT_VERSION,
        "test": reproduction.nodeid,
        "signature": signature_to_dict(signature) if signature else None,
        "is_flaky": reproduction.is_flaky,
        "form": form.kind.name.lower() if form else None,
        "subtest": reproduction.subtest,
        "example": dict(reproduction.example),
        "versions": dict(reproduction.versions),
        "originals": {file: list(files) for file, files in form.originals.items()} if form else {},
    }
    return json.dumps(record, indent=2) + "\n"
