"""What a session shows at its end, through pytest's own terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_repro.plugin.session import shown_path
from pytest_repro.report.stress import MOST_BUGS, stress_lines

if TYPE_CHECKING:
    from pytest_repro.plugin.profiles import ProfileBook
    from pytest_repro.plugin.stress_controller import StressController


def show_stress(terminal: Any, controller: StressController) -> None:
    """Writes the summary of a stress run, with the traceback of each bug that pytest did not show."""
    report = controller.report()
    verbose = terminal.config.option.verbose
    for bug in report.bugs[:MOST_BUGS]:
        if bug.first.text and not controller.was_shown(bug) and terminal.config.option.tbstyle != "no":
            name = f"bug {bug.signature.key}: {bug.first.test}, iteration {bug.first.iteration:,}"
            terminal.write_sep("_", name, red=True, bold=True)
            terminal.write_line(bug.first.text)
    colour = {"red": True} if report.failures else {"green": True} if report.is_complete else {"yellow": True}
    terminal.write_sep("=", "stress", **colour)
    for line in stress_lines(report, verbose=verbose):
        terminal.write_line(line, red=line.startswith("bug "))


NOTHING_TIMED = "timing: no test called a library that is known here, or opened a phase"


def show_profiles(terminal: Any, book: ProfileBook | None, *, is_asked: bool) -> None:
    """Writes the tables of phases; with `-q` only where the logs are, if they were asked for.

    Args:
        terminal: pytest's.
        book: What was timed, None if nothing was.
        is_asked: Whether an option asks for it; phases by hand need none.
    """
    verbose = terminal.config.option.verbose
    if verbose < (-1 if is_asked else 0):
        return
    if book is None:
        if is_asked and any(terminal.stats.get(outcome) for outcome in _RAN):
            terminal.write_line(NOTHING_TIMED)
        return
    if verbose >= 0:
        _show_tables(terminal, book)
    _show_files(terminal, book)


_RAN = ("passed", "failed", "xfailed", "xpassed")


def _show_tables(terminal: Any, book: ProfileBook) -> None:
    from pytest_repro.timing.lines import BOTTLENECK, TABLES_SHOWN

    terminal.write_sep("=", "timing")
    width = terminal.config.get_terminal_writer().fullwidth
    most = TABLES_SHOWN if terminal.config.option.verbose == 0 else None
    for line in book.lines(width=width, most=most):
        terminal.write_line(line, bold=line.endswith(BOTTLENECK))
    if book.samples is not None:
        for note in book.samples.notes(width=width):
            terminal.write_line(note)


def _show_files(terminal: Any, book: ProfileBook) -> None:
    if book.problem is not None:
        terminal.write_line(f"profiling logs are incomplete: {book.problem}")
        return
    if book.log is not None:
        terminal.write_line(f"profiling logs: {shown_path(terminal.config, book.log)}")
    if book.samples is not None and book.samples.page is not None:
        more = "" if book.samples.count == 1 else f" and {book.samples.count - 1:,} more"
        terminal.write_line(f"sampled lines: {shown_path(terminal.config, book.samples.page)}{more}")
