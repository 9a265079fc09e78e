"""Options of CI's pytest command that change what one test does, so that a reproduction needs them too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_repro.logs.secret_shapes import mask_shapes
from pytest_repro.logs.secrets import is_secret
from pytest_repro.scaffold.arguments import is_outside, parted_call, warning_loads_code
from pytest_repro.scaffold.shell_words import Word, read_words

_OF_PLUGINS: Mapping[str, bool] = {
    "--asyncio-mode": True,
    "--hypothesis-profile": True,
    "--hypothesis-seed": True,
    "--randomly-seed": True,
}
_NO_VALUE = frozenset(
    {"store_true", "store_false", "store_const", "append_const", "count", "help", "version"}
)
_PLUGIN_OFF = re.compile(
    r"no:(?:randomly|random_order|xdist|cacheprovider|logging|warnings|anyio|asyncio|faulthandler)"
)


def declared_options(conftests: Iterable[str]) -> dict[str, bool]:
    """Returns the options that texts of conftest files add to pytest's, and whether each takes a value."""
    found: dict[str, bool] = {}
    for text in conftests:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "addoption"
            ):
                action = next((each.value for each in node.keywords if each.arg == "action"), None)
                takes_value = not (isinstance(action, ast.Constant) and action.value in _NO_VALUE)
                found.update((name, takes_value) for name in _constants(node) if name.startswith("--"))
    return found


def _constants(call: ast.Call) -> Iterator[str]:
    for each in call.args:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def conftest_texts(root: Path, file: str) -> Iterator[str]:
    """Yields the text of each conftest file that applies to a test file below a root."""
    folder = root
    for part in ("", *Path(file).parts[:-1]):
        folder = folder / part
        try:
            yield (folder / "conftest.py").read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError):
            continue


def options_of_command(command: str, declared: Mapping[str, bool]) -> tuple[str, ...]:
    """Returns the options of a command that a reproduction gives to pytest too.

    Those are the ones that the project's conftest files declare, warnings that are to be errors or ignored,
    plugins that are off, `-s`, and a few of well-known plugins: nothing that chooses or spreads tests, loads
    code, writes files, or says what is shown. What is secret or not below the source is left out.

    Args:
        command: CI's command.
        declared: Options of the conftest files, and whether each takes a value.
    """
    _, rest = parted_call(command)
    words = list(read_words(rest, variables={})) if rest is not None else []
    takes_value = {**_OF_PLUGINS, **declared}
    kept: list[str] = []
    while words:
        taken = _taken(words, takes_value)
        texts = [one.text for one in words[: max(taken, 1)]]
        if taken and all(text is not None and _is_open(text) for text in texts):
            kept += [text for text in texts if text is not None]
        words = words[len(texts) :]
    return tuple(kept)


def _is_open(text: str) -> bool:
    return "***" not in text and mask_shapes(text) == text


def _taken(words: list[Word], takes_value: Mapping[str, bool]) -> int:
    """Returns how many words belong to an option that is kept; 0 where the first is none."""
    text = words[0].text or ""
    following = words[1].text if len(words) > 1 else None
    if text in ("-s", "--capture=no"):
        return 1
    if text in ("-W", "-p") and following is not None:
        return 2 * _is_kept_short(text[1], following)
    if text[:2] in ("-W", "-p") and len(text) > 2:
        return int(_is_kept_short(text[1], text[2:]))
    name, equals, value = text.partition("=")
    if name not in takes_value:
        return 0
    is_apart = takes_value[name] and not equals
    given = following if is_apart else value
    if given is None or is_outside(given) or is_secret(name.lstrip("-").replace("-", "_"), given):
        return 0
    return 1 + is_apart


def _is_kept_short(letter: str, value: str) -> bool:
    return not warning_loads_code(value) if letter == "W" else _PLUGIN_OFF.fullmatch(value) is not None
