"""Names of sessions on a command line, offered to the shell."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from pytest_repro.report.catalogue import NEWEST, Catalogue, find_root


class SessionName(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """Names a session: id, beginning of an id, `latest`, `latest~1`, tag or path."""

    name = "session"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offers the ids, newest first, and the tags."""
        del param
        root = ctx.find_root().params.get("root")
        entries = list(reversed(Catalogue(root or find_root(Path.cwd())).entries()))
        names = {NEWEST: "the newest session"}
        for entry in entries:
            if entry.tag:
                names.setdefault(entry.tag, entry.id)
            names[entry.id] = entry.command
        fitting = (name for name in names if name.startswith(incomplete))
        return [CompletionItem(name, help=names[name]) for name in fitting]


SESSION = SessionName()
