"""The forms of a reproduction's test, from the one that stands alone to the one that is run where it is."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from pytest_repro.scaffold.extract.beside import below_its_root, beside_its_file
from pytest_repro.scaffold.extract.gather import Gathered, Module
from pytest_repro.scaffold.extract.project import Project, read_project
from pytest_repro.scaffold.extract.written import OWN_FILE, NotPossibleError
from pytest_repro.scaffold.render import Safe

NOTHING = Safe("")
_ADDS_OPTIONS = "pytest_addoption"


class FormKind(str, Enum):
    """How a reproduction's test comes to run."""

    STANDALONE = "standalone"
    """The case alone, fixtures of conftest files brought along."""

    REACHED = "standalone, with the project's own conftest files"
    """The case alone; conftest files are read where they are."""

    IMPORT = "an import of the file, as pytest does to collect it"
    """For a file that could not be collected."""

    IN_PLACE = "the original test, read from its own file"
    """pytest collects the original file in the place of the reproduction's."""

    CHILD = "the original test, in a pytest of its own"
    """A child process runs the original node id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of a test, as the templates need it.

    Attributes:
        kind: Which form it is.
        case: The test within its file: `Class::test[id]`.
        future: Imports that come first in the test's file.
        code: The case, of the forms that stand alone.
        conftest_future: Imports that come first in the conftest file.
        conftest: Code for the conftest file.
        paths: Folders below the source in which modules are found.
        conftests: conftest files below the source that are read.
        packages: Dotted name of each of `conftests`, empty where it lies in no package.
        module: Dotted name under which pytest imports the test's file.
        is_doctest: Whether it is a doctest.
        options: Options for `pytest.ini`.
        originals: For each file that was generated, the files that its code comes from.
    """

    kind: FormKind
    case: str
    future: Safe = NOTHING
    code: Safe = NOTHING
    conftest_future: Safe = NOTHING
    conftest: Safe = NOTHING
    paths: tuple[str, ...] = ()
    conftests: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    module: str = ""
    is_doctest: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    originals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def has_code(self) -> bool:
        """Whether the test's own code was brought along."""
        return self.kind in (FormKind.STANDALONE, FormKind.REACHED)

    @property
    def is_child(self) -> bool:
        """Whether the test runs in another process."""
        return self.kind is FormKind.CHILD

    @property
    def named_conftests(self) -> tuple[tuple[str, str], ...]:
        """Files of `conftests`, each with the name under which pytest imports it."""
        return tuple(
            (file, f"{package}.conftest" if package else "conftest")
            for file, package in zip(self.conftests, self.packages, strict=True)
        )

    @property
    def names_file(self) -> bool:
        """Whether the code asks for the file that it comes from."""
        return OWN_FILE in self.code

    @property
    def conftest_files(self) -> tuple[tuple[Safe, str], ...]:
        """The files that code of the conftest asks for as its own, each with the name that stands for it."""
        names = [(_own_file(index, len(self.conftests)), file) for index, file in enumerate(self.conftests)]
        return tuple((name, file) for name, file in names if re.search(rf"\b{name}\b", self.conftest))

    @property
    def option_lines(self) -> tuple[Safe, ...]:
        """Lines for `pytest.ini`."""
        return tuple(
            Safe(
                f"{name} =" + "".join(f"\n    {line.strip()}" for line in value.splitlines() if line.strip())
            )
            for name, value in self.options.items()
            if name != "markers"
        )

    @property
    def markers(self) -> tuple[Safe, ...]:
        """The project's own marks."""
        return tuple(
            Safe(line.strip()) for line in self.options.get("markers", "").splitlines() if line.strip()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The forms that can be written for a test, the narrowest first, and why others cannot."""

    forms: tuple[Form, ...]
    reasons: tuple[str, ...] = ()


def parted(nodeid: str) -> tuple[str, list[str], str | None]:
    """Parts a node id into its file, its names, and what stands in brackets."""
    plain, bracket, inside = nodeid.partition("[")
    file, *path = plain.split("::")
    return file, path, inside[:-1] if bracket else None


def forms_of(root: Path, nodeid: str, test_file: str, *, options: Sequence[str] = ()) -> Forms:
    """Returns the forms of a test whose source is at hand.

    Args:
        root: Folder from which the test is run.
        nodeid: The test.
        test_file: Path of the generated test in its folder.
        options: What is given to pytest; those that conftest files declare come with them.
    """
    file, path, bracket = parted(nodeid)
    case = nodeid.partition("::")[2]
    project = read_project(root.resolve(), file)
    child = Form(kind=FormKind.CHILD, case=case)
    in_place = Form(
        kind=FormKind.IN_PLACE,
        case=case,
        conftests=project.conftests,
        packages=tuple(map(project.package_of, project.conftests)),
        module=_module_name(project, file),
        paths=project.paths,
        options=project.options,
    )
    if not path or not file.endswith(".py") or any(not name.isidentifier() for name in path):
        return _of_no_function(project, file, path, in_place, child)
    if _is_doctest(project, file, path):
        return Forms(forms=(_doctest(in_place, file), child), reasons=("it is a doctest",))
    try:
        return _with_code(project, in_place, child, _Wanted(file, path, bracket, test_file, options))
    except _NotFromElsewhereError as error:
        return Forms(forms=(child,), reasons=(f"it cannot be run from elsewhere: {error}",))
    except (NotPossibleError, RecursionError) as error:
        return Forms(forms=(in_place, child), reasons=(f"it cannot stand alone: {error}",))


class _NotFromElsewhereError(Exception):
    """The test does not do the same where pytest is run in another folder; its text says why."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The case that is taken out."""

    file: str
    path: Sequence[str]
    bracket: str | None
    test_file: str
    options: Sequence[str]


def _with_code(project: Project, in_place: Form, child: Form, wanted: _Wanted) -> Forms:
    """Returns all forms of a case.

    Raises:
        NotPossibleError: It cannot be taken out of its file.
    """
    gathered = _case(project, wanted, asked=_asked_by(project))
    _parsed(gathered.text)
    _check_place(gathered)
    reached = replace(
        in_place,
        kind=FormKind.REACHED if project.conftests else FormKind.STANDALONE,
        future=Safe(gathered.future),
        code=Safe(gathered.text),
        originals={wanted.test_file: (wanted.file,)},
    )
    if not project.conftests:
        return Forms(forms=(reached, in_place, child))
    try:
        gathered, brought = _with_conftests(project, wanted)
    except NotPossibleError as error:
        reason = f"its conftest files cannot be brought along: {error}"
        return Forms(forms=(reached, in_place, child), reasons=(reason,))
    for each in brought.values():
        _check_place(each)
    alone = replace(
        reached,
        kind=FormKind.STANDALONE,
        future=Safe(gathered.future),
        code=Safe(gathered.text),
        conftest_future=Safe("".join(dict.fromkeys(each.future for each in brought.values()))),
        conftest=Safe("\n\n".join(_with_own_names([each.text for each in brought.values()]))),
        conftests=tuple(brought),
        packages=tuple(map(project.package_of, brought)),
        originals={wanted.test_file: (wanted.file,), "tests/conftest.py": tuple(brought)},
    )
    return Forms(forms=(alone, reached, in_place, child))


def _own_file(index: int, count: int) -> Safe:
    """The name that stands for one of several files that code comes from."""
    return Safe(OWN_FILE if count == 1 else f"{OWN_FILE}_{index + 1}")


def _with_own_names(texts: Sequence[str]) -> list[str]:
    """Returns the code of several files, each of which asks for itself by a name of its own."""
    return [
        re.sub(rf"\b{OWN_FILE}\b", _own_file(index, len(texts)), text) for index, text in enumerate(texts)
    ]


def _check_place(gathered: Gathered) -> None:
    if (reason := below_its_root(gathered)) is not None:
        raise _NotFromElsewhereError(reason)
    if (reason := beside_its_file(gathered)) is not None:
        raise NotPossibleError(reason)


def _of_no_function(project: Project, file: str, path: Sequence[str], in_place: Form, child: Form) -> Forms:
    if not path:
        forms = (replace(in_place, kind=FormKind.IMPORT), child) if file.endswith(".py") else (child,)
        return Forms(forms=forms, reasons=("the file as a whole failed, no test of it",))
    if _is_doctest(project, file, path):
        return Forms(forms=(_doctest(in_place, file), child), reasons=("it is a doctest",))
    return Forms(forms=(child,), reasons=("it is no function or method of a Python file",))


def _module_name(project: Project, file: str) -> str:
    return ".".join(part for part in (project.package, Path(file).stem) if part)


def _is_doctest(project: Project, file: str, path: Sequence[str]) -> bool:
    if len(path) != 1:
        return False
    if not file.endswith(".py"):
        return path[0] == Path(file).name
    module = _module_name(project, file)
    if path[0] != module:
        return path[0].startswith(f"{module}.")
    # That of the module's own docstring, unless a test has the name of its module.
    try:
        text = (project.root / file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError):
        return False
    return not re.search(rf"^[ \t]*(?:async\s+def|def|class)\s+{re.escape(path[0])}\b", text, re.MULTILINE)


def _doctest(form: Form, file: str) -> Form:
    collected = "--doctest-modules" if file.endswith(".py") else f"--doctest-glob={Path(file).name}"
    addopts = " ".join((form.options.get("addopts", ""), shlex.quote(collected))).strip()
    return replace(form, is_doctest=True, options={**form.options, "addopts": addopts})


def _case(project: Project, wanted: _Wanted, *, asked: frozenset[str]) -> Gathered:
    module = _module(project, wanted.file, project.package)
    gathered = module.case(wanted.path, wanted.bracket, asked=asked)
    own = _module_name(project, wanted.file)
    for quote in "'\"":
        if f"{quote}{own}." in gathered.text:
            raise NotPossibleError(f"it names its own module, {own}, in a text")
    return gathered


def _module(project: Project, file: str, package: str) -> Module:
    try:
        text = (project.root / file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise NotPossibleError(f"{file} cannot be read: {error}") from error
    return Module(text, package=package)


def _asked_by(project: Project) -> frozenset[str]:
    """Returns all fixtures that conftest files ask for; none of a file that cannot be read."""
    asked: set[str] = set()
    for file in project.conftests:
        try:
            asked.update(_module(project, file, project.package_of(file)).requests)
        except NotPossibleError:
            continue
    return frozenset(asked)


def _with_conftests(project: Project, wanted: _Wanted) -> tuple[Gathered, dict[str, Gathered]]:
    """Gathers a case and what it takes of the conftest files.

    What a fixture of these asks for may be defined nearer to the test, where nothing else may ask for it.
    """
    asked: frozenset[str] = frozenset()
    while True:
        case = _case(project, wanted, asked=asked)
        brought = _brought(project, case, wanted.options)
        more = frozenset().union(*(each.asked for each in brought.values()))
        if more <= asked:
            return case, brought
        asked |= more


def _brought(project: Project, case: Gathered, options: Sequence[str]) -> dict[str, Gathered]:
    """Gathers fixtures of the conftest files, each file with what it gives; the outermost first."""
    wanted, replaced = case.requested, case.fixtures - case.requested
    brought: dict[str, Gathered] = {}
    bound: set[str] = set()
    for file in reversed(project.conftests):
        # Outside of packages the innermost one is the module `conftest`, as the brought one is going to be.
        names = _from_conftest(case.text) if file == project.conftests[-1] else frozenset()
        module = _module(project, file, project.package_of(file))
        hooks = module.hooks_for(wanted, options)
        gathered = module.fixtures(wanted, names=names | hooks, replaced=replaced)
        if "getoption" in f"{case.text}{gathered.text}" and module.has(_ADDS_OPTIONS):
            gathered = module.fixtures(wanted, names=names | hooks | {_ADDS_OPTIONS}, replaced=replaced)
        if _from_conftest(gathered.text):
            raise NotPossibleError("one imports from the module conftest")
        if not gathered.text.strip():
            continue
        twice = {name for name in gathered.binds & bound if not _is_imported_alike(name, gathered, brought)}
        if twice:
            raise NotPossibleError(f"{min(twice)} is defined in more than one of them")
        brought[file] = gathered
        bound |= gathered.binds
        wanted = (wanted - gathered.fixtures) | gathered.requested
        replaced = (replaced | gathered.fixtures) - gathered.requested
    return dict(reversed(brought.items()))


def _from_conftest(text: str) -> frozenset[str]:
    """Returns names that code imports from a module `conftest` outside of packages."""
    names: set[str] = set()
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "conftest" and not node.level:
            names.update(each.name for each in node.names)
        elif isinstance(node, ast.Import) and any(each.name == "conftest" for each in node.names):
            raise NotPossibleError("the module conftest is imported as a whole")
    return frozenset(names)


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise NotPossibleError(f"what was taken out is no Python: {error}") from error


def _is_imported_alike(name: str, gathered: Gathered, brought: Mapping[str, Gathered]) -> bool:
    lines = set(_imports_of(name, gathered))
    return bool(lines) and all(
        lines == set(_imports_of(name, each)) for each in brought.values() if name in each.binds
    )


def _imports_of(name: str, gathered: Gathered) -> Iterator[str]:
    for line in gathered.text.splitlines():
        if line.startswith(("import ", "from ")) and name in line.replace(",", " ").split():
            yield line
