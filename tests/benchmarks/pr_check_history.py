"""How often `repro-report pr-check` objects to kept commits: `python pr_check_history.py [REPO] [N]`.

Each of the last N commits of a repository is held against its parent. What was kept is taken as right, so all
that is found is a false alarm, unless somebody really left it there: each is printed, to be looked at.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pytest_repro.report.change.cleanliness import findings_in
from pytest_repro.report.change.difference import difference_to
from pytest_repro.scaffold.settings import find_settings


def main() -> None:
    """Prints each finding, and how many commits have any."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    number = sys.argv[2] if len(sys.argv) > 2 else "200"
    listed = subprocess.run(
        ("git", "-C", str(root), "log", "--no-merges", f"-n{number}", "--format=%H %P"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    pairs = [line.split() for line in listed if " " in line]
    settings = find_settings(root)
    touched = warned = lines = 0
    for commit, *parents in pairs:
        difference = difference_to(root, parents[0], environment=os.environ, head=commit)
        findings = findings_in(difference, settings=settings)
        errors = [one for one in findings if not one.is_warning]
        lines += sum(len(file.added) for file in difference.files)
        touched += bool(errors)
        warned += len(errors) < len(findings)
        for one in errors:
            print(f"{commit[:10]} {one.path}:{one.line}: {one.what}")  # noqa: T201
    print(  # noqa: T201
        f"{touched} of {len(pairs)} commits with an objection, {warned} with a warning; {lines:,} lines added"
    )


if __name__ == "__main__":
    main()
