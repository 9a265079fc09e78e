"""What a test takes from the project around it: where modules are found, conftest files, options."""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CARRIED = (
    "asyncio_mode",
    "asyncio_default_fixture_loop_scope",
    "asyncio_default_test_loop_scope",
    "anyio_mode",
    "trio_mode",
    "filterwarnings",
    "usefixtures",
    "markers",
    "python_classes",
    "python_functions",
    "python_files",
    "xfail_strict",
    "log_level",
    "env",
    "doctest_optionflags",
    "doctest_encoding",
    "disable_test_id_escaping_and_forfeit_all_rights_to_community_support",
    "DJANGO_SETTINGS_MODULE",
    "django_find_project",
)
"""Options in files that change what a test does, not how it is selected or shown."""

# Not `--import-mode`: with importlib, pytest takes the name `tests` for the reproduction's own folder.
_WITH_VALUE = ("-p", "-W", "--asyncio-mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The surroundings of a test file; all paths are relative to the root.

    Attributes:
        root: Folder from which the test is run.
        package: Package that the file lies in, empty outside of any.
        paths: Folders in which modules are found, the root among them.
        conftests: conftest files that apply to it, the outermost first.
        options: Options of the project's configuration file that change what a test does.
    """

    root: Path
    package: str
    paths: tuple[str, ...]
    conftests: tuple[str, ...]
    options: Mapping[str, str]

    def package_of(self, file: str) -> str:
        """Returns the dotted name of the package that a file lies in, empty outside of any."""
        path = self.root / file
        return ".".join(path.parent.relative_to(_base(path)).parts)


def read_project(root: Path, file: str) -> Project:
    """Reads what surrounds a test file.

    Args:
        root: Folder from which the test is run.
        file: Path of the test file below it, with forward slashes.
    """
    path = root / file
    folders = [
        root,
        *(root.joinpath(*path.relative_to(root).parts[:count]) for count in range(1, len(Path(file).parts))),
    ]
    conftests = [folder / "conftest.py" for folder in folders if (folder / "conftest.py").is_file()]
    found = _configuration(root)
    more = [root / each for each in found.get("pythonpath", "").split()]
    own = [_base(path), *map(_base, reversed(conftests)), root]
    bases = dict.fromkeys([*(each for each in more if each.is_relative_to(root)), *own])
    paths = tuple(Path(os.path.relpath(each, root)).as_posix() for each in bases)
    return Project(
        root=root,
        package=".".join(path.parent.relative_to(_base(path)).parts),
        paths=paths,
        conftests=tuple(each.relative_to(root).as_posix() for each in conftests),
        options=_options(found),
    )


def _base(path: Path) -> Path:
    """Returns the folder that pytest puts into `sys.path` for a file."""
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        folder = folder.parent
    return folder


def _options(found: Mapping[str, str]) -> dict[str, str]:
    options = {name: found[name] for name in _CARRIED if name in found}
    kept = " ".join(_kept_options(found.get("addopts", "")))
    return {**options, **({"addopts": kept} if kept else {})}


def has_options(folder: Path) -> bool:
    """Whether pytest takes a folder for its root, as a file in it holds options for it."""
    return any((folder / name).is_file() for name in ("pytest.ini", ".pytest.ini")) or bool(
        _configuration(folder)
    )


def _configuration(root: Path) -> Mapping[str, str]:
    """Reads the first file that pytest would take its options from."""
    return next((each for each in _configurations(root) if each), {})


def _configurations(root: Path) -> Iterator[Mapping[str, str]]:
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest")):
        yield _ini(root / name, section)
    yield _toml(root / "pyproject.toml")
    yield _ini(root / "tox.ini", "pytest")
    yield _ini(root / "setup.cfg", "tool:pytest")


def _ini(path: Path, section: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case, as pytest's do
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return {}
    return dict(parser[section]) if parser.has_section(section) else {}


def _toml(path: Path) -> Mapping[str, str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest itself brings it where Python has none
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        section = data["tool"]["pytest"]
        options = section.get("ini_options", section)  # pytest 9 reads the table itself
        return {name: _ini_text(value) for name, value in options.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _ini_text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _kept_options(addopts: str) -> Iterator[str]:
    try:
        words = iter(shlex.split(addopts))
    except ValueError:
        return
    for word in words:
        if word in _WITH_VALUE:
            yield from (word, shlex.quote(next(words, "")))
        elif word.startswith(tuple(f"{each}=" for each in _WITH_VALUE if each.startswith("--"))) or (
            word[:2] in ("-p", "-W") and len(word) > 2
        ):
            yield shlex.quote(word)
