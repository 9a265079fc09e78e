"""Which CI workflows a change asks for, by the rules of the project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_repro.errors import ReportError
from pytest_repro.report.change.globs import matches
from pytest_repro.scaffold.settings import Settings

ALWAYS = "always"
SECTION = "[tool.pytest-repro.workflows]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One that is to be started.

    Attributes:
        name: As the project calls it.
        reason: The pattern that asks for it and a file that it names; empty where it is always asked for.
    """

    name: str
    reason: str = ""


def workflows_for(settings: Settings | None, paths: Iterable[str]) -> list[Workflow]:
    """Returns the workflows that changed files ask for, those that always run first.

    Args:
        settings: Of the project: in `workflows` each key is a pattern of paths (`"ttnn/**"`) with a name or a
            list of names; the key `always` holds those that every change asks for.
        paths: Of the changed files.

    Raises:
        ReportError: The rules cannot be read.
    """
    if settings is None or "workflows" not in settings.values:
        return []
    table = settings.values["workflows"]
    if not isinstance(table, dict):
        raise _unreadable(settings, repr(table))
    paths = list(paths)
    found = {name: Workflow(name=name) for name in _names(settings, ALWAYS, table.get(ALWAYS, []))}
    for pattern, value in table.items():
        names = _names(settings, pattern, value)
        path = next((path for path in paths if matches(pattern, path)), None)
        if pattern != ALWAYS and path is not None:
            for name in names:
                found.setdefault(name, Workflow(name=name, reason=f"{pattern}: {path}"))
    return list(found.values())


def _names(settings: Settings, pattern: str, value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _unreadable(settings, f"{pattern!r} = {value!r}")
    return names


def _unreadable(settings: Settings, what: str) -> ReportError:
    return ReportError(
        f"{SECTION} cannot be used: {what}",
        place=str(settings.file),
        next_step='Write patterns of paths with names: "ttnn/**" = ["ttnn-unit-tests"], always = ["ci"].',
    )
