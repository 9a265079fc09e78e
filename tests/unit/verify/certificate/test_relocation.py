"""The same command in a worktree: arguments, working directory, variables."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_repro.verify.certificate.relocation import Relocation, below


@pytest.fixture
def move(tmp_path: Path) -> Relocation:
    """A checkout with a file that git ignores, and a worktree that lacks it."""
    for side in ("checkout", "worktree"):
        (tmp_path / side / "sub").mkdir(parents=True)
        (tmp_path / side / "sub" / "test_a.py").write_text("", encoding="utf-8")
        (tmp_path / side / "own.ini").write_text("", encoding="utf-8")
    (tmp_path / "checkout" / "ignored").mkdir()
    (tmp_path / "checkout" / "ignored" / "local.ini").write_text("", encoding="utf-8")
    (tmp_path / "checkout" / "only.py").write_text("", encoding="utf-8")
    (tmp_path / "outside.ini").write_text("", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "checkout")
    return Relocation(checkout=tmp_path / "checkout", worktree=tmp_path / "worktree")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sub/test_a.py", "sub/test_a.py"),
        ("sub/test_a.py::test_b[x/y]", "sub/test_a.py::test_b[x/y]"),
        ("{checkout}/sub/test_a.py::test_b", "{worktree}/sub/test_a.py::test_b"),
        ("{link}/sub/test_a.py", "{worktree}/sub/test_a.py"),
        ("{checkout}", "{worktree}"),
        ("{checkout}-2/a.py", "{checkout}-2/a.py"),
        ("only.py", "only.py"),
        ("{checkout}/only.py", "{worktree}/only.py"),
        ("-c own.ini", "-c own.ini"),
        ("-cown.ini", "-cown.ini"),
        ("-c ignored/local.ini", "-c {checkout}/ignored/local.ini"),
        ("--config-file=ignored/local.ini", "--config-file={checkout}/ignored/local.ini"),
        ("-c{checkout}/own.ini", "-c{worktree}/own.ini"),
        ("-c ../outside.ini", "-c {outside}"),
        ("--rootdir={checkout}", "--rootdir={worktree}"),
        ("--rootdir .", "--rootdir ."),
        ("--unknown {checkout}/sub", "--unknown {worktree}/sub"),
        ("--unknown={checkout}/ignored/local.ini", "--unknown={checkout}/ignored/local.ini"),
        ("--junitxml={checkout}/new.xml", "--junitxml={worktree}/new.xml"),
        ("--junitxml=../new.xml", "--junitxml={above}/new.xml"),
        ("-k ignored", "-k ignored"),
        ("-k only.py -m sub", "-k only.py -m sub"),
        ("-o addopts=-v --tb=short -x", "-o addopts=-v --tb=short -x"),
        ("-p no:cacheprovider", "-p no:cacheprovider"),
        ("/elsewhere/test_b.py", "/elsewhere/test_b.py"),
    ],
)
def test_arguments_keep_their_meaning_in_a_worktree(move: Relocation, given: str, told: str) -> None:
    """Paths of the checkout become those of the worktree, unless only the checkout has them."""
    above = move.checkout.parent
    places = {"checkout": move.checkout, "worktree": move.worktree, "link": above / "link", "above": above}
    places["outside"] = above / "outside.ini"
    words = given.format(**places).split(" ")
    moved = move.arguments(words, start=move.checkout, positional=[words[-1]])
    # A positional argument is one for the value of an option too: the same word may be both.
    assert moved == told.format(**places).split(" ")


def test_relative_paths_from_a_folder_of_the_checkout(move: Relocation) -> None:
    """The working directory moves, so that what is below the top stays as it was given."""
    start = move.checkout / "sub"
    assert move.directory(start) == move.worktree / "sub"
    assert move.arguments(["../own.ini", "test_a.py"], start=start, positional=["test_a.py"]) == [
        "../own.ini",
        "test_a.py",
    ]
    (above,) = move.arguments(["../../outside.ini"], start=start, positional=[])
    assert above == str(move.checkout.parent / "outside.ini")


def test_relative_paths_from_outside_of_the_checkout(move: Relocation) -> None:
    """The working directory stays, so that each path into the checkout is told anew."""
    start = move.checkout.parent
    assert move.directory(start) == start
    given = ["checkout/sub/test_a.py::test_b", "-c", "checkout/own.ini", "-c", "outside.ini"]
    assert move.arguments(given, start=start, positional=given[:1]) == [
        f"{move.worktree}/sub/test_a.py::test_b",
        "-c",
        f"{move.worktree}/own.ini",
        "-c",
        "outside.ini",
    ]


def test_variables_with_paths_into_the_checkout_lead_to_the_worktree(move: Relocation) -> None:
    """Kernels or plugins that a variable names are those of the side; what only the checkout has stays."""
    checkout, worktree = move.checkout, move.worktree
    given = {
        "TT_METAL_HOME": str(checkout),
        "PATH": f"{checkout}/ignored:/usr/bin:{checkout}/sub",
        "VIRTUAL_ENV": f"{checkout}/ignored",
        "PWD": str(checkout),
        "PYTEST_ADDOPTS": f"-c '{checkout}/own.ini' -q",
        "NOTE": "no path: at all",
        "GIT_DIR": f"{checkout}/.git",
    }
    assert move.environment(given, start=checkout) == {
        "TT_METAL_HOME": str(worktree),
        "PATH": f"{checkout}/ignored:/usr/bin:{worktree}/sub",
        "VIRTUAL_ENV": f"{checkout}/ignored",
        "PWD": str(worktree),
        "PYTEST_ADDOPTS": shlex.join(["-c", f"{worktree}/own.ini", "-q"]),
        "NOTE": "no path: at all",
    }
    given.pop("GIT_DIR")
    assert move.moved_variables(given, start=checkout) == ["PATH", "PYTEST_ADDOPTS", "TT_METAL_HOME"]


def test_options_that_pytest_cannot_read_are_left_to_pytest(move: Relocation) -> None:
    """It says what is wrong with them."""
    given = {"PYTEST_ADDOPTS": "-k 'open"}
    assert move.environment(given, start=move.checkout) == given


def test_a_path_is_below_a_folder_also_through_links(move: Relocation) -> None:
    """Whatever name a user has for it; a link inside that leads outside is inside."""
    checkout = move.checkout
    (checkout / "leads").symlink_to(checkout.parent)
    assert below(checkout, checkout.parent / "link" / "sub") == Path("sub")
    assert below(checkout, checkout / "leads") == Path("leads")
    assert below(checkout, checkout / "sub" / ".." / "..") is None
