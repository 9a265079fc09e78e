"""The rules of how the package is built: who imports whom, who may know pytest, who may ask for the time.

Each rule takes one module and yields what breaks it, and is itself tested on a wrong example.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pytest_repro"

# From the foundations up: a module imports from lower layers and from its own.
LAYERS = (
    "errors",
    "model",
    "clock",
    "processes",
    "imports",
    "signature",
    "stats",
    "store",
    "order",
    "stress",
    "verify",
    "timing",
    "logs",
    "scaffold",
    "report",
    "cli",
    "plugin",
)
FRAMEWORKS = frozenset({"pytest", "_pytest", "xdist", "pluggy", "execnet", "pytest_repeat", "pytest_timeout"})
HEAVY = frozenset(
    {"pandas", "numpy", "jinja2", "pyinstrument", "scipy", "torch", "ttnn", "jax", "rich", "yaml"}
)
INTERNALS = f"{PACKAGE}.plugin.internals"
PRIVATE_NAMES = frozenset({"_setupstate", "_initrequest", "_nodeid", "_request", "dsession"})
CLOCK = f"{PACKAGE}.clock"
BROAD = frozenset({"Exception", "BaseException"})
SAYS_NOTHING = frozenset(
    {"util", "utils", "utilities", "helper", "helpers", "common", "misc", "miscellaneous"}
)
MOST_LINES_PACKAGE = 400
MOST_LINES_TESTS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file.

    Attributes:
        name: Dotted, as it is imported; a package has the name of its folder.
        is_package: Whether it is an `__init__.py`.
        lines: Its text.
        tree: Its syntax.
    """

    name: str
    is_package: bool
    lines: tuple[str, ...]
    tree: ast.Module

    @property
    def layer(self) -> str | None:
        """The part of the package that it belongs to, None for the package's own `__init__.py`."""
        return layer_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that a module imports.

    Attributes:
        target: Dotted; for `from a import b` it is `a.b`, whether b is a module or not.
        line: 1-based.
        is_lazy: Whether it stands in a function, so that it runs only when that is called.
        is_for_types: Whether it stands under `if TYPE_CHECKING:`, so that it never runs.
    """

    target: str
    line: int
    is_lazy: bool
    is_for_types: bool

    @property
    def top(self) -> str:
        """The library that it comes from."""
        return self.target.partition(".")[0]


Rule = Callable[[Module], Iterator[str]]


def parsed(name: str, text: str, *, is_package: bool = False) -> Module:
    """Makes a module from its text."""
    return Module(name=name, is_package=is_package, lines=tuple(text.splitlines()), tree=ast.parse(text))


def read_modules(folder: Path) -> tuple[Module, ...]:
    """Reads every Python file below a folder of the repository."""
    modules = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules.append(parsed(name, path.read_text(encoding="utf-8"), is_package=is_package))
    return tuple(modules)


def layer_of(name: str) -> str | None:
    """Returns the layer of a dotted name of the package; None for the package itself and other libraries."""
    top, _, rest = name.partition(".")
    return rest.partition(".")[0] or None if top == PACKAGE else None


def imports_of(module: Module) -> Iterator[Import]:
    """Yields all that a module imports, also by `import_module("literal")`."""
    yield from _imports_in(module, module.tree.body, is_lazy=False, is_for_types=False)


def _imports_in(
    module: Module, nodes: Iterable[ast.AST], *, is_lazy: bool, is_for_types: bool
) -> Iterator[Import]:
    for node in nodes:
        for target in _targets(module, node):
            line = getattr(node, "lineno", 0)
            yield Import(target=target, line=line, is_lazy=is_lazy, is_for_types=is_for_types)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports_in(module, node.body, is_lazy=is_lazy, is_for_types=True)
            yield from _imports_in(module, node.orelse, is_lazy=is_lazy, is_for_types=is_for_types)
            continue
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        children = ast.iter_child_nodes(node)
        yield from _imports_in(module, children, is_lazy=is_lazy or is_function, is_for_types=is_for_types)


def _targets(module: Module, node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = _absolute(module, node)
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).rpartition(".")[2]
        name = node.args[0].value
        if called in {"import_module", "__import__"} and isinstance(name, str):
            return [name]
    return []


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*kept, *([node.module] if node.module else [])])


def layering(module: Module) -> Iterator[str]:
    """A module imports from lower layers and from its own."""
    if module.layer is not None and module.layer not in LAYERS:
        yield f"{module.name} belongs to no layer: add {module.layer!r} to LAYERS, and to the design"
        return
    own = -1 if module.layer is None else LAYERS.index(module.layer)
    for found in imports_of(module):
        layer = layer_of(found.target)
        if layer in LAYERS and LAYERS.index(layer) > own:
            yield f"{module.name}:{found.line} imports {found.target}, which lies above it"


def frameworks(module: Module) -> Iterator[str]:
    """Only `plugin/` knows pytest and xdist."""
    if module.layer == "plugin":
        return
    for found in imports_of(module):
        if found.top in FRAMEWORKS:
            yield f"{module.name}:{found.line} imports {found.target}; only {PACKAGE}.plugin may"


def internals_only(module: Module) -> Iterator[str]:
    """Only `plugin/internals/` touches what pytest and xdist do not promise to keep."""
    if module.name == INTERNALS or module.name.startswith(f"{INTERNALS}."):
        return
    for found in imports_of(module):
        if found.top == "_pytest":
            yield f"{module.name}:{found.line} imports {found.target}; only {INTERNALS} may"
    for node in ast.walk(module.tree):
        name = _private_name(module, node)
        if name is not None:
            yield f"{module.name}:{getattr(node, 'lineno', 0)} touches {name}; only {INTERNALS} may"


def _private_name(module: Module, node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        # `os._exit` is documented, whatever its name.
        if _is_self(node.value) or node.attr.startswith("__") or ast.unparse(node) == "os._exit":
            return None
        is_foreign = module.layer == "plugin" and node.attr.startswith("_")
        return node.attr if is_foreign or node.attr in PRIVATE_NAMES else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PRIVATE_NAMES:
        return node.value
    if isinstance(node, ast.Name) and node.id in PRIVATE_NAMES:
        return node.id
    return None


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def clock_only(module: Module) -> Iterator[str]:
    """Only `clock.py` asks for the time; everything else is handed a clock."""
    if module.name == CLOCK:
        return
    for found in imports_of(module):
        if found.top in {"time", "timeit"}:
            yield f"{module.name}:{found.line} imports {found.target}; only {CLOCK} may"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and re.search(
            r"\b(date|datetime)\.(now|utcnow|today)$", ast.unparse(node.func)
        ):
            yield f"{module.name}:{node.lineno} asks for the time of day; only {CLOCK} may"


def reasons(module: Module) -> Iterator[str]:
    """What catches every exception says why beside it, or raises it again."""
    for node in ast.walk(module.tree):
        is_broad_handler = (
            isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and not _raises_again(node)
        )
        is_broad_suppress = (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] == "suppress"
            and any(_catches_all(argument) for argument in node.args)
        )
        if is_broad_handler or is_broad_suppress:
            line = getattr(node, "lineno", 0)
            if not _has_reason(module.lines[line - 1]) and not _has_reason(module.lines[line]):
                yield f"{module.name}:{line} catches every exception without a comment that says why"


def _catches_all(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in BROAD for name in names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _has_reason(line: str) -> bool:
    comment = line.partition("#")[2]
    without_codes = re.sub(r"noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|noqa|type: ignore(\[[^]]*\])?", "", comment)
    return len(re.findall(r"\w+", without_codes)) >= 3


def lazy_imports(module: Module) -> Iterator[str]:
    """Heavy libraries are imported in functions, never when a module is loaded."""
    for found in imports_of(module):
        if found.top in HEAVY and not (found.is_lazy or found.is_for_types):
            yield f"{module.name}:{found.line} imports {found.target} when it is loaded; do it where needed"


def telling_names(module: Module) -> Iterator[str]:
    """No module has a name that says nothing of what is in it."""
    for part in re.split(r"[._]", module.name.removeprefix(PACKAGE)):
        if part in SAYS_NOTHING:
            yield f"{module.name}: {part!r} does not say what is in it"


def sizes(module: Module) -> Iterator[str]:
    """A module can be read in one sitting."""
    most = MOST_LINES_PACKAGE if module.name.partition(".")[0] == PACKAGE else MOST_LINES_TESTS
    if len(module.lines) > most:
        yield f"{module.name} has {len(module.lines)} lines, more than {most}: split it"


def cycle_in(modules: Iterable[Module]) -> list[str]:
    """Returns modules that import each other in a circle, first and last the same; empty if none do."""
    known = {module.name for module in modules}
    graph: dict[str, set[str]] = {}
    for module in modules:
        targets = {
            name
            for found in imports_of(module)
            if not found.is_for_types
            for name in (found.target, found.target.rpartition(".")[0])
            if name in known and name != module.name
        }
        graph[module.name] = {name for name in targets if not module.name.startswith(f"{name}.")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return []


PACKAGE_MODULES = read_modules(ROOT / PACKAGE)
TEST_MODULES = read_modules(ROOT / "tests")
PACKAGE_RULES: tuple[Rule, ...] = (
    layering,
    frameworks,
    internals_only,
    clock_only,
    reasons,
    lazy_imports,
    telling_names,
    sizes,
)
TEST_RULES: tuple[Rule, ...] = (reasons, telling_names, sizes)


def _rule_name(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=_rule_name)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    """Every module of the package keeps every rule of the design."""
    breaches = [breach for module in PACKAGE_MODULES for breach in rule(module)]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("rule", TEST_RULES, ids=_rule_name)
def test_the_tests_keep_the_rule(rule: Rule) -> None:
    """Tests and benchmarks keep the rules that are for every file."""
    breaches = [breach for module in TEST_MODULES for breach in rule(module)]
    assert not breaches, "\n".join(breaches)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within a layer too there is a below and an above."""
    assert cycle_in(PACKAGE_MODULES) == []


def test_all_layers_are_read() -> None:
    """The rules look at real files: every layer of the design has at least one module."""
    assert {module.layer for module in PACKAGE_MODULES} == {None, *LAYERS}
    assert f"{PACKAGE}.plugin.internals" in {module.name for module in PACKAGE_MODULES}
    assert "tests.unit.test_architecture" in {module.name for module in TEST_MODULES}


WRONG = (
    (layering, "model", "from pytest_repro.store import Store"),
    (layering, "stress.loop", "from pytest_repro import verify"),
    (layering, "stress.loop", "from ..plugin import options"),
    (layering, "stress.loop", "def run():\n    import pytest_repro.timing.recorder"),
    (layering, "stress.loop", "from importlib import import_module\nimport_module('pytest_repro.cli')"),
    (layering, "verify.verdict", "if TYPE_CHECKING:\n    from pytest_repro.report import words"),
    (layering, "tools.new", "import os"),
    (frameworks, "stress.loop", "import pytest"),
    (frameworks, "report.words", "from _pytest.terminal import TerminalReporter"),
    (frameworks, "cli.scaffold", "def main():\n    import xdist.plugin"),
    (frameworks, "timing.attach", "import importlib\nimportlib.import_module('pluggy')"),
    (internals_only, "plugin.gate", "from _pytest.config import Config"),
    (internals_only, "plugin.gate", "item._initrequest()"),
    (internals_only, "plugin.gate", "config._ensure_unconfigure()"),
    (internals_only, "plugin.gate", "setattr(item, '_nodeid', 'a')"),
    (internals_only, "plugin.gate", "session._setupstate.stack"),
    (internals_only, "plugin.gate", "config.pluginmanager.get_plugin('dsession').shouldstop = True"),
    (internals_only, "store", "print(item._request)"),
    (clock_only, "store", "import time"),
    (clock_only, "timing.recorder", "from time import perf_counter_ns"),
    (clock_only, "plugin.session", "def now():\n    import time as t"),
    (clock_only, "plugin.session", "import datetime\ndatetime.datetime.now()"),
    (clock_only, "store", "from datetime import date\ndate.today()"),
    (reasons, "store", "try:\n    f()\nexcept Exception:\n    g()"),
    (reasons, "store", "try:\n    f()\nexcept (OSError, BaseException):  # noqa: BLE001\n    g()"),
    (reasons, "store", "try:\n    f()\nexcept:  # noqa\n    g()"),
    (reasons, "store", "with contextlib.suppress(Exception):\n    f()"),
    (lazy_imports, "stats", "import scipy.special"),
    (lazy_imports, "timing.attach", "try:\n    import torch\nexcept ImportError:\n    pass"),
    (lazy_imports, "report.words", "class Words:\n    from pandas import DataFrame"),
    (telling_names, "report.utils", ""),
    (telling_names, "stress.plan_helpers", ""),
    (telling_names, "common.plan", ""),
    (sizes, "store", "x = 1\n" * (MOST_LINES_PACKAGE + 1)),
)

RIGHT = (
    (layering, "stress.loop", "from pytest_repro.stress.plan import Slice\nfrom pytest_repro import model"),
    (layering, "plugin.gate", "from pytest_repro.report.verify import run_line\nimport pytest_repro"),
    (frameworks, "plugin.gate", "import pytest"),
    (internals_only, "plugin.gate", "self._nodeid = nodeid\nreturn_value.__class__"),
    (internals_only, "plugin.gate", "os._exit(0)"),
    (internals_only, "plugin.internals.items", "from _pytest import runner\nitem._initrequest()"),
    (clock_only, "clock", "import time"),
    (clock_only, "store", "from datetime import datetime\nfrom pytest_repro.clock import monotonic_ns"),
    (reasons, "store", "try:\n    f()\nexcept Exception:  # noqa: BLE001  a user's hook may raise\n    g()"),
    (reasons, "store", "try:\n    f()\nexcept Exception:\n    # A user's hook may raise.\n    g()"),
    (reasons, "store", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (reasons, "store", "try:\n    f()\nexcept OSError:\n    g()"),
    (lazy_imports, "stats", "def interval():\n    from scipy.special import betaincinv"),
    (lazy_imports, "report.frames", "if TYPE_CHECKING:\n    import pandas"),
    (telling_names, "report.words", ""),
    (sizes, "store", "x = 1\n" * MOST_LINES_PACKAGE),
)


@pytest.mark.parametrize(("rule", "name", "text"), WRONG)
def test_a_rule_finds_what_breaks_it(rule: Rule, name: str, text: str) -> None:
    """A rule that cannot fail is worthless: each one objects to a wrong example."""
    assert list(rule(parsed(f"{PACKAGE}.{name}", text))) != []


@pytest.mark.parametrize(("rule", "name", "text"), RIGHT)
def test_a_rule_lets_pass_what_keeps_it(rule: Rule, name: str, text: str) -> None:
    """A rule objects to nothing else."""
    assert list(rule(parsed(f"{PACKAGE}.{name}", text))) == []


def test_every_rule_has_a_wrong_example() -> None:
    """No rule is added without a proof that it can fail."""
    assert {rule for rule, _, _ in WRONG} == {*PACKAGE_RULES, *TEST_RULES}


def test_a_test_module_may_be_longer_than_a_module_of_the_package() -> None:
    """Tests list cases, so their limit is a wider one."""
    assert list(sizes(parsed("tests.unit.test_plan", "x = 1\n" * MOST_LINES_TESTS))) == []
    assert list(sizes(parsed("tests.unit.test_plan", "x = 1\n" * (MOST_LINES_TESTS + 1)))) != []


def test_a_circle_is_found_and_a_ladder_is_not() -> None:
    """Three modules in a circle are named; imports that only serve types do not close one."""
    below = parsed("pytest_repro.stress.a", "from pytest_repro.stress import b")
    middle = parsed("pytest_repro.stress.b", "def f():\n    from pytest_repro.stress.c import C")
    closes = parsed("pytest_repro.stress.c", "from pytest_repro.stress.a import A")
    for_types = parsed("pytest_repro.stress.c", "if TYPE_CHECKING:\n    from pytest_repro.stress.a import A")
    assert set(cycle_in((below, middle, closes))) == {below.name, middle.name, closes.name}
    assert cycle_in((below, middle, for_types)) == []
