"""Arguments of a pytest call in a file, told apart by what they do."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pytest_repro.logs.secret_shapes import mask_shapes
from pytest_repro.logs.secrets import is_secret
from pytest_repro.logs.workflow.scope import WORKSPACE
from pytest_repro.scaffold.render import Safe
from pytest_repro.scaffold.shell_words import Word, read_words

_UNKNOWN = Safe("a shell or CI fills it in")
_LOADS = Safe("could load code, or choose which configuration is read")
_WRITES = Safe("writes, deletes or sends files")
_SECRET = Safe("looks secret")
_OUTSIDE = Safe("is not below the source")
_CHOOSES = Safe("chooses or spreads tests, and one is run here")
_OTHER = Safe("is not known to be harmless")
_OPEN = (_UNKNOWN, _SECRET, _OUTSIDE)

_PYTEST = re.compile(r"(?:\S*/)?(?:pytest|pytest-3|py\.test)(?:\.exe)?")
_OF_UNITTEST = re.compile(
    r"-[vqfbc]+|--(?:verbose|quiet|failfast|buffer|catch|locals)|-[kspt]"
    r"|--(?:start-directory|top-level-directory|pattern|durations)(?:=.*)?",
    re.DOTALL,
)
_FOLDER_OF_UNITTEST = ("-s", "-t", "--start-directory", "--top-level-directory")
_FLAGS = re.compile(r"-[vqsxl]+")
_SHORT = re.compile(r"-[vqsxl]*(?P<letter>[kmnrWpco])(?P<value>.*)", re.DOTALL)
_LONG = re.compile(r"(?P<name>--[\w-]+)(?:=(?P<value>.*))?", re.DOTALL)
_OFF = re.compile(r"no:\w[\w.-]*")
_DOTTED_CATEGORY = re.compile(r"[^:]*:[^:]*:(?!pytest\.\w+(?::|$))[^:]*\.[^:]*")

_LOADING = frozenset(
    {
        "--rootdir", "--config-file", "--inifile", "--override-ini", "--confcutdir", "--pyargs",
        "--import-mode", "--pdb", "--pdbcls", "--trace", "--ds", "--dc", "--tx", "--rsyncdir", "--px",
    }
)  # fmt: skip
_WRITING = re.compile(
    r"--(?:basetemp|junit-?xml|junit-?prefix|debug|pastebin|log-file(?:-\w+)*|cov(?:-\w+)*|no-cov(?:-\w+)*|html|"
    r"self-contained-html|json-report(?:-\w+)*|report-log|resultlog|alluredir|clean-alluredir|"
    r"benchmark-(?:json|save|autosave|storage)(?:-\w+)*|cache-clear|store-durations|durations-path|splits|group|"
    r"snapshot-update|update-snapshots|force-regen|inline-snapshot|repro-(?:json|certificate\S*)|memray\S*|profile\S*)"
)
_TAKES_VALUE = frozenset(
    {
        "--rootdir", "--config-file", "--inifile", "--override-ini", "--confcutdir", "--import-mode",
        "--pdbcls", "--ds", "--dc", "--tx", "--rsyncdir", "--px", "--basetemp", "--junitxml", "--junit-xml",
        "--junit-prefix", "--junitprefix", "--pastebin", "--log-file", "--log-file-mode",
        "--log-file-level", "--log-file-format", "--log-file-date-format", "--cov-config", "--cov-report",
        "--cov-context", "--cov-fail-under", "--html", "--json-report-file", "--report-log", "--resultlog",
        "--alluredir",
        "--benchmark-json", "--benchmark-storage", "--durations-path", "--splits", "--group", "--repro-json",
    }
)  # fmt: skip
_HARMLESS_FLAGS = frozenset(
    {"--strict", "--strict-markers", "--strict-config", "--exitfirst", "--verbose", "--quiet", "--full-trace",
     "--showlocals", "--no-header", "--no-summary", "--disable-warnings", "--disable-pytest-warnings"}
)  # fmt: skip
_HARMLESS_VALUES = frozenset(
    {"--tb", "--timeout", "--timeout-method", "--color", "--maxfail", "--durations", "--durations-min",
     "--dist", "--numprocesses", "--maxprocesses", "--verbosity", "--capture", "--show-capture",
     "--deselect"}
)  # fmt: skip
_CHOOSING = frozenset(
    {"-k", "-m", "-n", "--deselect", "--dist", "--numprocesses", "--maxprocesses", "--maxfail"}
)


class Known(Enum):
    """Which options are carried on."""

    ALL = auto()
    """All but those that load code, or write, delete or send files."""
    HARMLESS = auto()
    """Those that are known to do nothing of it."""
    FOR_ONE_TEST = auto()
    """Of these, those that neither choose nor spread tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A part of a call that is not carried on.

    Attributes:
        text: The part, its secrets masked.
        reason: Why.
        is_open: Whether it is to be set, as its value is not known.
    """

    text: str
    reason: Safe
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Arguments of a call.

    Attributes:
        words: Those that are carried on, each as pytest gets it.
        left: What is left of it.
    """

    words: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


def read_arguments(
    text: str, *, variables: Mapping[str, str], unresolved: Iterable[str] = (), known: Known = Known.ALL
) -> Arguments:
    """Reads arguments as a POSIX shell would, without one.

    Args:
        text: What stands after `pytest`.
        variables: Values of variables that it may name.
        unresolved: Expressions in it that are not decided.
        known: Which options are carried on.
    """
    words = list(read_words(text, variables=variables, unresolved=tuple(unresolved)))
    kept: list[str] = []
    left: list[Left] = []
    while words:
        word, following = words[0], words[1] if len(words) > 1 else None
        judged = _judged(word, following, known)
        if known is Known.FOR_ONE_TEST and judged.reason is None and _chooses(word):
            judged = _Judged(_CHOOSES, judged.words)
        taken, words = words[: judged.words], words[judged.words :]
        if judged.reason is None:
            kept += [one.text for one in taken if one.text is not None]
            continue
        raw = " ".join(one.raw for one in taken)
        shown = f"{_name(word)} ***" if judged.reason is _SECRET else mask_shapes(raw)
        left.append(Left(text=shown, reason=judged.reason, is_open=judged.reason in _OPEN))
    return Arguments(words=tuple(kept), left=tuple(left))


def parted_call(command: str) -> tuple[str, str | None]:
    """Parts a call into what runs pytest and pytest's arguments, None where pytest is not called."""
    found = [word for word in re.finditer(r"\S+", command) if _PYTEST.fullmatch(word.group())]
    if not found:
        return command, None
    call = found[0]
    for other in found[1:]:
        # `uv run --with pytest pytest` names it twice.
        if command[call.end() : other.start()].strip():
            break
        call = other
    return command[: call.start()].strip(), command[call.end() :].strip()


def read_unittest_arguments(
    text: str, *, variables: Mapping[str, str], unresolved: Iterable[str] = ()
) -> Arguments:
    """Reads the arguments of `python -m unittest` as a POSIX shell would, without one.

    Args:
        text: What stands after `unittest`.
        variables: Values of variables that it may name.
        unresolved: Expressions in it that are not decided.
    """
    kept: list[str] = []
    left: list[Left] = []
    takes_folder = False
    for word in read_words(text, variables=variables, unresolved=tuple(unresolved)):
        reason: Safe | None = None
        if word.text is None or mask_shapes(word.text) != word.text:
            reason = _UNKNOWN if word.text is None else _SECRET
        elif is_outside(word.text) or (takes_folder and word.text.startswith("-")):
            reason = _OUTSIDE
        elif not takes_folder and word.text.startswith("-") and not _OF_UNITTEST.fullmatch(word.text):
            reason = _OTHER
        if reason is None and word.text is not None:
            kept.append(word.text)
        else:
            option = f"{kept.pop()} " if takes_folder else ""
            shown = "***" if reason is _SECRET else mask_shapes(word.raw)
            left.append(Left(text=option + shown, reason=reason or _OTHER, is_open=reason in _OPEN))
        takes_folder = word.text in _FOLDER_OF_UNITTEST
    return Arguments(words=tuple(kept), left=tuple(left))


@dataclass(frozen=True, slots=True)
class _Judged:
    """Why an argument is left, None where it is not; and how many words it has."""

    reason: Safe | None
    words: int = 1


def _judged(word: Word, following: Word | None, known: Known) -> _Judged:
    text = word.text
    if text is None or mask_shapes(text) != text:
        return _Judged(_UNKNOWN if text is None else _SECRET)
    if not text.startswith("-") or text == "-":
        return _Judged(_path_reason(text) if known is Known.ALL else _OTHER)
    option = _LONG.fullmatch(text)
    if option is not None:
        return _long_judged(option["name"], option["value"], following, known)
    short = _SHORT.fullmatch(text)
    if short is not None:
        is_apart = not short["value"]
        value = (following.text if following else None) if is_apart else short["value"]
        reason = _UNKNOWN if value is None else _short_reason(short["letter"], value)
        if value is not None and mask_shapes(value) != value:
            reason = _SECRET
        return _Judged(reason, 1 + is_apart)
    return _Judged(None if _FLAGS.fullmatch(text) else _OTHER)


def _chooses(word: Word) -> bool:
    return _name(word) in _CHOOSING


def _name(word: Word) -> str:
    """Returns the name of an option, without a value that is joined to it."""
    short = _SHORT.fullmatch(word.text or "")
    return f"-{short['letter']}" if short else (word.text or "").partition("=")[0]


def _path_reason(text: str) -> Safe | None:
    if text.startswith("@"):
        return _LOADS
    return _OUTSIDE if is_outside(text.partition("::")[0]) else None


def _short_reason(letter: str, value: str) -> Safe | None:
    if letter == "p":
        return None if _OFF.fullmatch(value) else _LOADS
    if letter == "W":
        return _LOADS if warning_loads_code(value) else None
    return _LOADS if letter in "co" else None


def warning_loads_code(value: str) -> bool:
    """Whether the value of `-W` names a category that pytest would import a module for."""
    return _DOTTED_CATEGORY.match(value) is not None


def _long_judged(name: str, value: str | None, following: Word | None, known: Known) -> _Judged:
    apart = following if value is None and following is not None and following.may_be_value else None
    takes_value = value is None and name in _TAKES_VALUE
    if name in _LOADING or _WRITING.fullmatch(name):
        return _Judged(_LOADS if name in _LOADING else _WRITES, 1 + takes_value)
    given = value if value is not None else (apart.text or "") if apart else ""
    both = 1 + (apart is not None)
    if is_secret(name.lstrip("-").replace("-", "_"), given):
        return _Judged(_SECRET, both)
    if name in _HARMLESS_FLAGS:
        return _Judged(None)
    if apart is not None and (apart.text is None or is_outside(apart.text)):
        # Whether it is the option's value is not known.
        return _Judged(_UNKNOWN if apart.text is None else _OUTSIDE, both)
    if name in _HARMLESS_VALUES:
        return _Judged(None, both)
    return _Judged(None) if known is Known.ALL else _Judged(_OTHER, both)


def is_outside(path: str) -> bool:
    """Says whether a path is not below the folder that it is relative to."""
    if _is_in_checkout(path):
        return False
    normal = posixpath.normpath(path.replace("\\", "/"))
    return normal.startswith(("/", "~", "../")) or normal == ".." or bool(re.match(r"[A-Za-z]:/", normal))


def _is_in_checkout(path: str) -> bool:
    inner = posixpath.normpath(path)
    return inner == WORKSPACE or inner.startswith(f"{WORKSPACE}/")


def relative_to_checkout(path: str) -> str:
    """Returns a path below the checkout's folder as it is from there, any other as it stands."""
    return posixpath.relpath(path, WORKSPACE) if _is_in_checkout(path) else path
