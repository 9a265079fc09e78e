"""Which of the failing tests of a log is to be reproduced."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from pytest_repro.errors import ScaffoldError
from pytest_repro.logs.records import CiFailure
from pytest_repro.scaffold.render import one_line

_MOST_SHOWN = 20
_LONGEST_SHOWN = 160


def chosen(failures: Sequence[CiFailure], wanted: str | None) -> CiFailure | None:
    """Returns the failure to reproduce, None where the log has none.

    Args:
        failures: All of the log.
        wanted: Node id, or a part of one or a pattern with `*` and `?` that fits exactly one test; by default
            the first that did not pass later is taken.

    Raises:
        ScaffoldError: No failing test, or more than one, fits what is wanted.
    """
    if wanted is None:
        return next((one for one in failures if not one.passed_later), next(iter(failures), None))
    exact = next((one for one in failures if one.nodeid == wanted), None)
    if exact is not None:
        return exact
    fitting = [one for one in failures if _fits(wanted, one.nodeid)]
    nodeids = list(dict.fromkeys(one.nodeid for one in fitting))
    if len(nodeids) == 1:
        return fitting[0]
    raise _not_one(wanted, nodeids, list(dict.fromkeys(one.nodeid for one in failures)))


def _fits(wanted: str, nodeid: str) -> bool:
    """Brackets stand for themselves: they are the most common part of a node id that is no letter."""
    pieces = re.split(r"([*?])", wanted)
    pattern = "".join({"*": ".*", "?": "."}.get(piece) or re.escape(piece) for piece in pieces)
    return re.search(pattern, nodeid, re.DOTALL) is not None


def _not_one(wanted: str, fitting: list[str], known: list[str]) -> ScaffoldError:
    place = f"--test {_shown(wanted)}"
    if fitting:
        return ScaffoldError(
            f"{len(fitting)} failing tests of the log fit",
            place=place,
            next_step=f"Give one of them in full:{_listed(fitting)}",
        )
    if not known:
        return ScaffoldError(
            "The log names no failing test",
            place=place,
            next_step="Leave --test out: what the log does say is then in README.md.",
        )
    close = difflib.get_close_matches(wanted[:_LONGEST_SHOWN], known[:1000], n=3, cutoff=0.5)
    meant = f"Did you mean this?{_listed(close)}\n" if close else ""
    return ScaffoldError(
        f"None of the {len(known)} failing tests of the log fits",
        place=place,
        next_step=f"{meant}The failing tests are:{_listed(known)}",
    )


def _listed(nodeids: list[str]) -> str:
    lines = [f"\n  {_shown(nodeid)}" for nodeid in nodeids[:_MOST_SHOWN]]
    if len(nodeids) > _MOST_SHOWN:
        lines.append(f"\n  and {len(nodeids) - _MOST_SHOWN} more: see --list")
    return "".join(lines)


def _shown(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "..."
