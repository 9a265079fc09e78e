"""Names of sessions on a command line, offered to the shell."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from pytest_repro.report.catalogue import NEWEST, Catalogue, find_root
from pytest_repro.report.words import visible


class SessionName(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """Names a session: id, beginning of an id, `latest`, `latest~1`, tag or path."""

    name = "session"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offers the ids, newest first, and the tags; after `latest~` how far back each session is."""
        del param
        root = ctx.find_root().params.get("root")
        entries = list(reversed(Catalogue(root or find_root(Path.cwd())).entries()))
        names = {NEWEST: "the newest session"}
        is_counted = incomplete.startswith(f"{NEWEST}~")
        for back, entry in enumerate(entries):
            # Each stands on a line of its own on the way to the shell, whatever a record holds.
            if entry.tag and entry.tag.isprintable():
                names.setdefault(entry.tag, entry.id)
            names[visible(entry.id)] = visible(entry.command)
            if is_counted and back:
                names[f"{NEWEST}~{back}"] = entry.id
        fitting = (name for name in names if name.startswith(incomplete))
        return [CompletionItem(name, help=names[name]) for name in fitting]


SESSION = SessionName()
