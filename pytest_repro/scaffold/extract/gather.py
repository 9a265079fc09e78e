"""The case put together: the failing test, and all that it needs of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_repro.scaffold.extract.classes import kept_members, member_named, mentioned, trimmed
from pytest_repro.scaffold.extract.fixtures import fixture_mark, fixture_name, is_autouse, requests
from pytest_repro.scaffold.extract.imports import is_future, is_star
from pytest_repro.scaffold.extract.names import names_in
from pytest_repro.scaffold.extract.parameters import direct_names, shortened, shortened_fixture
from pytest_repro.scaffold.extract.text import Edit, Source, first_line, last_line
from pytest_repro.scaffold.extract.units import (
    Unit,
    class_marks,
    decorators,
    defined_in,
    is_import,
    listed,
    root_of,
    without_tests,
)
from pytest_repro.scaffold.extract.written import NotPossibleError, unit_text, written

_HOOKS = frozenset(
    {
        *("pytestmark", "pytest_plugins", "pytest_generate_tests", "setup_module", "teardown_module"),
        *("setup_function", "teardown_function", "setUpModule", "tearDownModule"),
    }
)
_GENERATES, _ADDS_OPTIONS = "pytest_generate_tests", "pytest_addoption"
_HOOKS_OF_CONFTEST = frozenset({"pytest_plugins", "pytest_make_parametrize_id"})
_PRINTS = frozenset({"print", "unittest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Code of a module that stands alone.

    Attributes:
        future: Imports that have to come first in a file.
        text: The other code; where it asks for its own file, it asks for `REPRO_FILE`.
        asked: Fixtures that it asks for.
        requested: Those of them that it does not define; a fixture that asks for its own name, as it stands
            in the place of one further out, asks for that one.
        fixtures: Names of the fixtures that it defines.
        binds: Names that it gives a value.
    """

    future: str
    text: str
    asked: frozenset[str]
    requested: frozenset[str]
    fixtures: frozenset[str]
    binds: frozenset[str]


class Module:
    """A module of which parts are kept.

    Args:
        text: Its source.
        package: Dotted name of the package that it lies in, empty outside of any.

    Raises:
        NotPossibleError: Its source cannot be read by this interpreter.
    """

    def __init__(self, text: str, *, package: str) -> None:
        try:
            self.source = Source(text)
        except (SyntaxError, ValueError) as error:
            raise NotPossibleError(f"its source cannot be read: {error}") from error
        self._package = package
        self._units = list(self._parted())
        for unit in self._units:
            self._name(unit)

    @property
    def requests(self) -> frozenset[str]:
        """Fixtures that anything in it asks for."""
        return frozenset(requests(self.source.tree))

    def case(
        self, path: Sequence[str], bracket: str | None, *, asked: frozenset[str] = frozenset()
    ) -> Gathered:
        """Gathers one test.

        Args:
            path: Names of its classes, then its own.
            bracket: What its node id has in brackets.
            asked: Fixtures that those of conftest files ask for: the module may have its own in their place.

        Raises:
            NotPossibleError: It does not stand in the module as a function or a method of a class.
        """
        target = self._defining(path[0])
        node, around = defined_in(target.nodes, path[0])
        if node is None:
            raise NotPossibleError(f"{path[0]} is no function or class at the top of the module")
        beside = without_tests(self.source, around, node)
        asked |= self._for_others()
        while True:
            # Fixtures that stand in a class are kept if they are asked for, and ask for others.
            edits, marks, kept = self._trimmed(node, path, asked)
            requested = {name for each in (*kept, *marks) for name in requests(each)} - direct_names(marks)
            closed = frozenset(requested) | self._asked_in_bases(node)
            if closed <= asked:
                break
            asked |= closed
        target.requested = asked
        try:
            short = shortened(self.source, marks, bracket, self._list_named)
            self._edit(target, (*beside, *edits, *short))
        except NotPossibleError:
            self._edit(target, (*beside, *edits))
        for base in self._bases(node) if isinstance(node, ast.ClassDef) else ():
            self._edit(self._defining(base.name), trimmed(self.source, base, path[-1:], asked))
        self._shorten_fixtures(bracket, but=target)
        return self._gathered([target])

    def fixtures(
        self,
        fixtures: frozenset[str],
        *,
        names: frozenset[str] = frozenset(),
        replaced: frozenset[str] = frozenset(),
    ) -> Gathered:
        """Gathers what a conftest file gives to a test.

        Args:
            fixtures: Names of fixtures that are asked for.
            names: Other names that are asked for.
            replaced: Names of fixtures in whose place others stand nearer to the test.
        """
        seeds = [
            unit
            for unit in self._units
            if _gives(unit, fixtures, replaced) or unit.binds & (names | _HOOKS_OF_CONFTEST)
        ]
        return self._gathered(seeds, wanted=fixtures | names, replaced=replaced)

    def has(self, name: str) -> bool:
        """Whether the module gives a name a value."""
        return any(name in unit.binds for unit in self._units)

    def hooks_for(self, fixtures: frozenset[str], options: Sequence[str]) -> frozenset[str]:
        """Returns the hooks of a conftest file without which a test has no such arguments or options."""
        given = frozenset(option.partition("=")[0] for option in options)
        wanted = {_GENERATES: fixtures, _ADDS_OPTIONS: given}
        return frozenset(
            name
            for unit in self._units
            for name in unit.binds & frozenset(wanted)
            if wanted[name] & set(_texts(unit.nodes))
        )

    def _for_others(self) -> frozenset[str]:
        """Names of fixtures that nothing in the module asks for, so that a plugin's or a conftest's does."""
        defined = {name for node in ast.walk(self.source.tree) if (name := fixture_name(node))}
        return frozenset(defined - self.requests)

    def _shorten_fixtures(self, bracket: str | None, *, but: Unit) -> None:
        """Leaves one set of parameters in each fixture of the module whose failing one is known."""
        for unit in self._units:
            for node in unit.nodes if bracket and unit is not but else ():
                mark, name = fixture_mark(node), fixture_name(node)
                if bracket and mark is not None and name is not None:
                    edits = shortened_fixture(self.source, mark, name, bracket, self._list_named)
                    if edits:
                        self._edit(unit, (*unit.edits, *edits))

    def _parted(self) -> Iterator[Unit]:
        last = 0
        group: Unit | None = None
        for node in self.source.tree.body:
            first = first_line(node)
            if group is not None and first <= group.last:
                group.nodes.append(node)
                group.last = max(group.last, last_line(node))
                continue
            if group is not None:
                yield group
                last = group.last
            while first - 1 > last and self.source.line(first - 1).startswith("#"):
                first -= 1
            group = Unit(nodes=[node], first=first, last=last_line(node))
        if group is not None:
            yield group

    def _edit(self, unit: Unit, edits: tuple[Edit, ...]) -> None:
        unit.edits = edits
        self._name(unit)

    def _name(self, unit: Unit) -> None:
        try:
            names = names_in(unit_text(self.source, unit))
        except (SyntaxError, ValueError) as error:
            raise NotPossibleError(f"line {unit.first} cannot be taken out: {error}") from error
        unit.binds, unit.uses = names.binds, names.uses

    def _defining(self, name: str) -> Unit:
        found = [unit for unit in self._units if name in unit.binds]
        if not found:
            raise NotPossibleError(f"{name} is not defined in the module")
        return found[-1]

    def _trimmed(
        self, node: ast.stmt, path: Sequence[str], asked: frozenset[str]
    ) -> tuple[tuple[Edit, ...], list[ast.expr], list[ast.stmt]]:
        """Returns edits, marks of the test (the nearest first), and the parts that are kept."""
        module_marks = self._module_marks()
        if not isinstance(node, ast.ClassDef):
            return (), [*reversed(decorators(node)), *module_marks], [node]
        edits: tuple[Edit, ...] = ()
        marks: list[ast.expr] = list(module_marks)
        kept: list[ast.stmt] = []
        current: ast.stmt | None = node
        rest = list(path[1:])
        asked |= self._of_classes()
        edits = trimmed(self.source, node, rest, asked)
        while isinstance(current, ast.ClassDef):
            kept += [
                each for each in kept_members(current, rest, asked) if not isinstance(each, ast.ClassDef)
            ]
            marks = [*reversed(decorators(current)), *class_marks(current), *marks]
            current = member_named(current, rest[0]) if rest else None
            rest = rest[1:]
        if current is not None:
            marks = [*reversed(decorators(current)), *marks]
        elif len(path) > 1:
            for base in self._bases(node):
                inherited = member_named(base, path[-1])
                if inherited is not None:
                    marks = [*reversed(decorators(inherited)), *marks]
                    kept.append(inherited)
                    break
        return edits, marks, kept

    def _of_classes(self) -> frozenset[str]:
        """Names that a hook of the module, which makes sets of parameters, may ask a class for."""
        hooks = [unit for unit in self._units if _GENERATES in unit.binds]
        return frozenset(name for unit in hooks for node in unit.nodes for name in mentioned(node))

    def _bases(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        for base in node.bases:
            if isinstance(base, ast.Name):
                for unit in self._units:
                    if (
                        isinstance(unit.only, ast.ClassDef)
                        and unit.only.name == base.id
                        and unit.only is not node
                    ):
                        yield unit.only
                        yield from self._bases(unit.only)

    def _asked_in_bases(self, node: ast.stmt) -> frozenset[str]:
        bases = self._bases(node) if isinstance(node, ast.ClassDef) else ()
        return frozenset(
            name for base in bases for each in base.body if is_autouse(each) for name in requests(each)
        )

    def _module_marks(self) -> list[ast.expr]:
        return [
            mark
            for unit in self._units
            if "pytestmark" in unit.binds and isinstance(unit.only, ast.Assign)
            for mark in listed(unit.only.value)
        ]

    def _list_named(self, name: str) -> ast.expr | None:
        found = [unit.only for unit in self._units if name in unit.binds]
        uses = sum(
            name in unit.uses
            for unit in self._units
            if not isinstance(unit.only, ast.FunctionDef | ast.ClassDef)
        )
        if len(found) == 1 and not uses and isinstance(found[0], ast.Assign):
            return found[0].value
        return None

    def _gathered(
        self,
        seeds: Sequence[Unit],
        *,
        wanted: frozenset[str] | None = None,
        replaced: frozenset[str] = frozenset(),
    ) -> Gathered:
        kept = list(seeds)
        requested: set[str] = set()
        if wanted is None:  # it is the test's own module
            kept += [unit for unit in self._units if unit.binds & _HOOKS and unit not in kept]
            kept += [unit for unit in self._units if any(map(is_autouse, unit.nodes)) and unit not in kept]
        kept += [
            unit
            for unit in self._units
            if unit.only is not None and (is_future(unit.only) or is_star(unit.only)) and unit not in kept
        ]
        seen = 0
        while True:
            while seen < len(kept):
                unit = kept[seen]
                seen += 1
                asked = self._requested(unit) - replaced
                requested |= asked
                needed = unit.uses | asked
                kept += [
                    each for each in self._units if each not in kept and self._provides(each, needed, asked)
                ]
            acting = [unit for unit in self._units if unit not in kept and self._acts(unit, kept)]
            if not acting:
                break
            kept += acting
        needed = frozenset().union(*(unit.uses for unit in kept), requested, _HOOKS, wanted or ())
        ordered = [unit for unit in self._units if unit in kept]
        first = [unit for unit in ordered if unit.only is not None and is_future(unit.only)]
        binds = frozenset().union(*(unit.binds for unit in kept)) if kept else frozenset()
        named = [(name, node) for unit in kept for node in unit.nodes if (name := fixture_name(node))]
        from_further_out = {name for name, node in named if name in requests(node)}
        defined = frozenset(name for name, _ in named)
        return Gathered(
            future="".join(unit_text(self.source, unit) for unit in first),
            text=written(self.source, [unit for unit in ordered if unit not in first], needed, self._package),
            asked=frozenset(requested),
            requested=frozenset((requested - defined - binds) | from_further_out),
            fixtures=defined,
            binds=binds,
        )

    def _requested(self, unit: Unit) -> frozenset[str]:
        if unit.requested:
            return unit.requested
        names = {name for node in unit.nodes if not isinstance(node, ast.ClassDef) for name in requests(node)}
        is_asking = any(
            fixture_name(node) or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in unit.nodes
        )
        is_hook = bool(unit.binds & _HOOKS)
        return frozenset(names) if is_asking and not is_hook else frozenset()

    def _provides(self, unit: Unit, needed: frozenset[str] | set[str], asked: frozenset[str]) -> bool:
        if needed & unit.binds:
            return True
        return any(fixture_name(node) in asked for node in unit.nodes)

    def _acts(self, unit: Unit, kept: Sequence[Unit]) -> bool:
        """Whether a statement changes what the case sees, though nothing asks for a name of it."""
        if unit.binds - unit.uses or all(
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in unit.nodes
        ):
            return False
        if any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in unit.nodes
        ):
            return False
        if "__name__" in unit.uses and any(isinstance(node, ast.If) for node in unit.nodes):
            return False
        root = root_of(unit.nodes[0])
        if root is None or root in _PRINTS:
            return False
        here = {name for each in kept for name in each.binds}
        imported = {name for each in self._units if is_import(each) for name in each.binds}
        defined = {name for each in self._units for name in each.binds} - imported
        if root in imported:
            return not (unit.uses & defined - here)
        return root in here


def _texts(nodes: Sequence[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def _gives(unit: Unit, names: frozenset[str], replaced: frozenset[str]) -> bool:
    """Whether a part of a conftest file defines a fixture that is asked for, or each test gets."""
    node = unit.only
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return fixture_name(node) in names or (is_autouse(node) and fixture_name(node) not in replaced)
    return bool(names & unit.binds) and not isinstance(node, ast.ClassDef)
