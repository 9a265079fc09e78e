"""What a case finds by the place of its test file, so that a copy elsewhere could never pass again."""

from __future__ import annotations

import re

from pytest_repro.scaffold.extract.gather import Gathered

_FIXTURES = re.compile(
    r"snapshot(?:_\w+)?|image_snapshot|\w+_regression|(?:original_|lazy_|shared_|lazy_shared_)?datadir|regtest|golden"
    r"|resource_path|vcr|betamax_\w+"
)
"""Of pytest-regressions, pytest-datadir, syrupy, pytest-snapshot and the like, which keep data there."""

_MARKS = re.compile(r"\bmark\.(?P<name>vcr|default_cassette|mpl_image_compare|golden_test)\b")
_PATH = re.compile(
    r"\brequest\.(?:node\.)?(?:path|fspath)\b|\brequest\.module\.__file__|\bitem\.(?:path|fspath)\b"
)
_ROOT = re.compile(
    r"\b(?:pytestconfig|config)\.(?:rootpath|rootdir|inipath|inifile|invocation_dir|invocation_params)\b"
)


def beside_its_file(gathered: Gathered) -> str | None:
    """Returns what looks for files beside the test's own, with the reason; None where nothing is seen to."""
    fixture = next((name for name in sorted(gathered.requested) if _FIXTURES.fullmatch(name)), None)
    if fixture is not None:
        return f"{fixture} looks for files beside the test's own"
    mark = _MARKS.search(gathered.text)
    if mark is not None:
        return f"the mark {mark['name']} looks for files beside the test's own"
    path = _PATH.search(gathered.text)
    return f"{path[0]} is asked for, the path of the test's file" if path is not None else None


def below_its_root(gathered: Gathered) -> str | None:
    """Returns what asks for pytest's own root, with the reason; None where nothing is seen to."""
    root = _ROOT.search(gathered.text)
    return f"{root[0]} is asked for, which pytest takes from the folder that it runs in" if root else None
