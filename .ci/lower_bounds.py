"""Prints the dependencies of pyproject.toml as requirements, each at its declared lower bound.

Arguments name packages to leave out, because the caller pins them itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

# Of the tools for developing, only these are imported by the tests.
TESTED_TOOLS = ("hypothesis", "pyte")
_BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9][0-9a-z.]*)(?:;(.+))?")


def lower_bounds(project: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields name, lowest version and marker (such as `;python_version<'3.11'`) of each dependency.

    Raises:
        ValueError: A dependency has no lower bound, or more than that.
    """
    tools = [text for text in project["optional-dependencies"]["dev"] if text.startswith(TESTED_TOOLS)]
    for text in [*project["dependencies"], *tools]:
        found = _BOUND.fullmatch(text.replace(" ", ""))
        if found is None:
            raise ValueError(f"{text!r} in pyproject.toml is not `name>=version`. Give it a lower bound.")
        yield found[1], found[2], f";{found[3]}" if found[3] else ""


def main() -> None:
    """Prints one requirement a line."""
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    for name, version, marker in lower_bounds(tomllib.loads(text)["project"]):
        if name not in sys.argv[1:]:
            sys.stdout.write(f"{name}=={version}{marker}\n")


if __name__ == "__main__":
    main()
