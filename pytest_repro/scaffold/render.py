"""Templates to text: nothing reaches a file but through a filter that makes it safe for that kind of file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_repro
from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.shell import quote

if TYPE_CHECKING:
    import jinja2


class Safe(str):
    """Text that a filter has made safe for the file that it goes into."""

    __slots__ = ()


def visible(text: str) -> str:
    """Returns the text with line ends kept and each other unprintable character spelled out.

    Characters that turn the direction of writing are among the unprintable ones, so that what is shown is
    what is there.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else _spelled(character)
        for character in text
    )


def _spelled(character: str) -> str:
    if character == "\t":
        return "    "
    return repr(character)[1:-1]


def one_line(text: str) -> str:
    """Returns the text as one visible line."""
    return visible(" ".join(text.split()))


def shell_word(text: str) -> Safe:
    """Returns one shell word."""
    return Safe(quote(str(text)))


def python_literal(value: object) -> Safe:
    """Returns a Python literal; `repr` spells out what cannot be printed."""
    return Safe(repr(value))


def python_docstring(text: str) -> Safe:
    """Returns a line for the inside of a docstring in triple quotes."""
    return Safe(one_line(text).replace("\\", "\\\\").replace('"', '\\"'))


def markdown_code(text: str) -> Safe:
    """Returns a code span; its marks are longer than any run of backticks inside."""
    shown = one_line(text) or " "
    marks = "`" * (_longest_run(shown, "`") + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    return Safe(f"{marks}{padding}{shown}{padding}{marks}")


def markdown_fence(text: str, language: str = "text") -> Safe:
    """Returns a fenced block; its fence is longer than any run of backticks inside."""
    shown = visible(text.replace("\r\n", "\n")).strip("\n")
    fence = "`" * max(3, _longest_run(shown, "`") + 1)
    return Safe(f"{fence}{language}\n{shown}\n{fence}")


def _longest_run(text: str, character: str) -> int:
    return max((len(run) for run in re.findall(f"{re.escape(character)}+", text)), default=0)


def render(template: str, context: Mapping[str, object], *, overrides: Path | None = None) -> str:
    """Fills in one template.

    Args:
        template: Its file name.
        context: What it may use.
        overrides: A folder whose templates come before the package's own.

    Raises:
        ScaffoldError: The template cannot be found or filled in.
    """
    import jinja2

    try:
        return _environment(overrides).get_template(template).render(context)
    except jinja2.TemplateError as error:
        raise ScaffoldError(
            f"The template {template} cannot be filled in: {error}",
            place=str(overrides or template_folder()),
            next_step="Correct the template, or leave it out so that the package's own is used.",
        ) from error


def _environment(overrides: Path | None) -> jinja2.Environment:
    import jinja2

    own = template_folder()
    folders = [folder for folder in (overrides, own, own.parent) if folder is not None]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the files are no HTML: each expression has its filter, see _only_safe
        finalize=_only_safe,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        sh=shell_word, py=python_literal, doc=python_docstring, code=markdown_code, fence=markdown_fence
    )
    return environment


def _only_safe(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Safe):
        import jinja2

        raise jinja2.TemplateRuntimeError(
            f"{value[:40]!r} was to be written without a filter (sh, py, doc, code, fence)"
        )
    return value


def template_folder() -> Path:
    """Returns the package's own templates: inside the wheel, or beside the package in a checkout."""
    package = Path(pytest_repro.__file__).parent
    inside = package / "templates" / "scaffold"
    return inside if inside.is_dir() else package.parent / "templates" / "scaffold"
