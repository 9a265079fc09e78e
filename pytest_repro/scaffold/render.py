"""Templates to text: nothing reaches a file but through a filter that makes it safe for that kind of file."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.shell import quote
from pytest_repro.scaffold.templates import SUFFIX, template_folders

if TYPE_CHECKING:
    import jinja2

LONGEST_LINE = 1000


class Safe(str):
    """Text that is safe in every file: words of this program, and names that were checked."""

    __slots__ = ()


class ShellSafe(Safe):
    """One shell word."""

    __slots__ = ()


class PythonSafe(Safe):
    """A Python literal, or a line for the inside of a docstring."""

    __slots__ = ()


class MarkdownSafe(Safe):
    """A code span or a fence."""

    __slots__ = ()


_KINDS: Mapping[str, tuple[type[Safe], str]] = {
    ".sh": (ShellSafe, "sh"),
    ".py": (PythonSafe, "py or doc"),
    ".md": (MarkdownSafe, "code, cell or fence"),
}
"""By the file that a template makes: what may go into it besides `Safe`, and by which filters."""


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


def short_line(text: str) -> str:
    """Returns the text as one visible line that a person reads; its end is left out where it is long."""
    line = one_line(text)
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]}... ({len(line):,} characters)"


def shell_word(text: str) -> Safe:
    """Returns one shell word."""
    return ShellSafe(quote(str(text)))


def python_literal(value: object) -> Safe:
    """Returns a Python literal; `repr` spells out what cannot be printed."""
    return PythonSafe(repr(value))


def python_docstring(text: str) -> Safe:
    """Returns a line for the inside of a docstring in triple quotes."""
    return PythonSafe(short_line(text).replace("\\", "\\\\").replace('"', '\\"'))


def markdown_code(text: str) -> Safe:
    """Returns a code span; its marks are longer than any run of backticks inside."""
    shown = short_line(text) or " "
    marks = "`" * (_longest_run(shown, "`") + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    return MarkdownSafe(f"{marks}{padding}{shown}{padding}{marks}")


def markdown_cell(text: str) -> Safe:
    """Returns a code span for a cell of a table, where a bar would end the cell."""
    return MarkdownSafe(markdown_code(text).replace("|", "\\|"))


def markdown_fence(text: str, language: str = "text") -> Safe:
    """Returns a fenced block; its fence is longer than any run of backticks inside."""
    lines = visible(text.replace("\r\n", "\n")).strip("\n").split("\n")
    shown = "\n".join(line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + "..." for line in lines)
    fence = "`" * max(3, _longest_run(shown, "`") + 1)
    return MarkdownSafe(f"{fence}{language}\n{shown}\n{fence}")


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
    environment = _environment(template, overrides)
    try:
        return environment.get_template(template).render(context)
    except Exception as error:  # a user's template may raise anything
        raise _broken(error, template, context, overrides) from error


def check_template(template: str, *, overrides: Path | None = None) -> None:
    """Reads one template, long before there is anything to fill it in with.

    Raises:
        ScaffoldError: It cannot be found or read.
    """
    try:
        _environment(template, overrides).get_template(template)
    except Exception as error:  # as in `render`
        raise _broken(error, template, {}, overrides) from error


def _folders(overrides: Path | None) -> list[Path]:
    """Returns where a template is looked for, in order."""
    folders = (overrides, *template_folders())
    return [folder for folder in folders if folder is not None]


def _environment(template: str, overrides: Path | None) -> jinja2.Environment:
    import jinja2

    folders = _folders(overrides)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the files are no HTML: each expression has its filter, see _only_safe
        finalize=_only_safe(template),
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        sh=shell_word,
        py=python_literal,
        doc=python_docstring,
        code=markdown_code,
        cell=markdown_cell,
        fence=markdown_fence,
        short=short_line,
    )
    return environment


def _only_safe(template: str) -> Callable[[object], object]:
    """Gives what stops all that no filter has made safe for just this kind of file."""
    kind, filters = _KINDS.get(Path(template.removesuffix(SUFFIX)).suffix, (Safe, "no"))

    def check(value: object) -> object:
        import jinja2

        # An undefined name goes on, and raises an error that says its name.
        if type(value) in {Safe, kind, int} or isinstance(value, jinja2.Undefined):
            return value
        if isinstance(value, Safe):
            raise jinja2.TemplateRuntimeError(
                f"{value[:40]!r} was made safe for another kind of file: for this one it is {filters}"
            )
        raise jinja2.TemplateRuntimeError(
            f"{str(value)[:40]!r} was to be written without a filter: for this kind of file it is {filters}"
        )

    return check


def _broken(
    error: Exception, template: str, context: Mapping[str, object], overrides: Path | None
) -> ScaffoldError:
    import jinja2

    place = _place(error, template, overrides)
    reason = str(error) if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: {error}"
    next_step = "Correct the template, or leave it out so that the package's own is used."
    unknown = re.match(r"'(\w+)' is undefined", reason)
    if unknown:
        close = difflib.get_close_matches(unknown[1], list(context), n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        reason += f" ({meant}the variables are {', '.join(sorted(context))})"
    return ScaffoldError(
        f"The template {template} cannot be filled in: {visible(reason)}", place=place, next_step=next_step
    )


def _place(error: Exception, template: str, overrides: Path | None) -> str:
    """The line of a template at which it ended, or its file where no line is known."""
    import jinja2

    folders = _folders(overrides)
    file = next((folder / template for folder in folders if (folder / template).is_file()), folders[0])
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or file}:{error.lineno}"
    lines = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent in folders
    ]
    return lines[-1] if lines else str(file)
