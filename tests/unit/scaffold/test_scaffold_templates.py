"""Templates of the user's own, in the place of the package's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.build import template_variables
from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.render import Safe, check_template, render
from pytest_repro.scaffold.templates import (
    Overrides,
    export_templates,
    find_overrides,
    misnamed,
    overridden,
    own_templates,
)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with one template of the user's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md.j2").write_text("# {{ name }}\n")
    return folder


def test_a_template_of_the_users_own_takes_the_place_of_the_packages(mine: Path) -> None:
    """One by one: the others stay the package's."""
    assert render("README.md.j2", {"name": 1}, overrides=mine) == "# 1\n"
    assert render("gitignore.j2", {}, overrides=mine).startswith("/logs/")
    assert overridden(Overrides(folder=mine, told_by="")) == ["README.md.j2"]


def test_without_a_word_of_it_the_packages_own_are_used(tmp_path: Path) -> None:
    """A file without the section, or whose section says nothing of templates, names none."""
    assert find_overrides(None, start=tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[tool.pytest-repro]\nother = "x"\n')
    assert find_overrides(None, start=tmp_path) is None


def test_the_project_file_names_a_folder_relative_to_itself(tmp_path: Path, mine: Path) -> None:
    """It is found upwards, past files that say nothing of it; Windows line ends and a BOM are no matter."""
    (tmp_path / "pyproject.toml").write_bytes(b'\xef\xbb\xbf[tool.pytest-repro]\r\ntemplates = "mine"\r\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "pyproject.toml").write_text("[tool.other]\n")
    found = find_overrides(None, start=below)
    assert found == Overrides(folder=mine, told_by=str(tmp_path / "pyproject.toml"))


def test_the_option_has_the_last_word(tmp_path: Path, mine: Path) -> None:
    """A file that names another folder, even a broken one, does not count beside it."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest-repro\n")
    assert find_overrides(mine, start=tmp_path) == Overrides(folder=mine, told_by="--templates")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[tool.pytest-repro\n",
            r"It may hold .tool.pytest-repro., and cannot be read: .*line 1.*Correct the file",
        ),
        (
            "[tool.pytest-repro]\ntemplates = 1\n",
            r"is 1, which names no folder .*pyproject.toml\)\. Write it as",
        ),
        (
            '[tool.pytest-repro]\ntemplates = "none"\n',
            r"no such folder of templates \(.*none, named by .*toml\)",
        ),
        (
            '[tool.pytest-repro]\ntemplates = "."\n',
            r"no template that would be used .*README\.md\.j2, certificate\.md\.j2, .*gitignore",
        ),
    ],
)
def test_a_project_file_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    """A folder that is named and not used would be a surprise."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ScaffoldError, match=words):
        find_overrides(None, start=tmp_path)


@pytest.mark.parametrize(
    ("template", "line", "words"),
    [
        ("{% if x %}\n", 1, "Unexpected end of template"),
        (
            "a\nb {{ nmae | code }}\n",
            2,
            r"'nmae' is undefined \(did you mean name\? the variables are name, text",
        ),
        ("a\n{{ text }}\n", 2, "'`x`' was to be written without a filter: .*code, cell or fence"),
        ("a\n\n{{ text | sh }}\n", 3, "was made safe for another kind of file: .*code, cell or fence"),
        ("{{ [text] }}\n", 1, "without a filter"),
        ("{{ text | upper }}\n", 1, "without a filter"),
        ("\n{{ 1 + text }}\n", 2, "TypeError: unsupported operand"),
        ("{{ text | cod }}\n", 1, "No filter named 'cod'"),
        ("\n{# a\n", 2, "Missing end of comment tag"),
        ("{% include 'none.j2' %}\n", 1, "none.j2"),
    ],
)
def test_a_broken_template_is_an_error_with_its_line(
    mine: Path, template: str, line: int, words: str
) -> None:
    """Fact, place and next step; nothing unsafe is written."""
    (mine / "README.md.j2").write_text(template)
    with pytest.raises(ScaffoldError, match=words) as caught:
        render("README.md.j2", {"name": "a", "text": "`x`"}, overrides=mine)
    assert f"({mine / 'README.md.j2'}:{line})" in str(caught.value)
    assert str(caught.value).endswith(
        "Correct the template, or leave it out so that the package's own is used."
    )


@pytest.mark.parametrize("name", [path.name for path in own_templates()])
def test_any_template_can_be_the_users_own_and_tells_its_mistakes(mine: Path, name: str) -> None:
    """Also one that another includes; a mistake in its syntax is told before it is filled in."""
    (mine / name).write_text("first\n{{ 'mine' | upper | replace('M', '') }}\n")
    with pytest.raises(ScaffoldError, match="without a filter") as caught:
        render(name, {}, overrides=mine)
    assert f"({mine / name}:2)" in str(caught.value)
    (mine / name).write_text("first\n{% if %}\n")
    with pytest.raises(ScaffoldError, match="Expected an expression") as caught:
        check_template(name, overrides=mine)
    assert f"({mine / name}:2)" in str(caught.value)
    (mine / name).write_text("mine\n")
    assert render(name, {}, overrides=mine) == "mine\n"
    assert name in overridden(Overrides(folder=mine, told_by=""))


def test_a_mistake_in_a_template_that_another_includes_is_told_there(mine: Path) -> None:
    """Not where it is included."""
    (mine / "README.md.j2").write_text('{% include "workflow.md.j2" %}\n')
    (mine / "workflow.md.j2").write_text("a\nb\n{{ name.x.y | code }}\n")
    with pytest.raises(ScaffoldError) as caught:
        render("README.md.j2", {"name": "n"}, overrides=mine)
    assert f"({mine / 'workflow.md.j2'}:3)" in str(caught.value)


def test_a_template_that_is_no_text_is_an_error(mine: Path) -> None:
    """Its file is named, as there is no line."""
    (mine / "README.md.j2").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScaffoldError, match="UnicodeDecodeError") as caught:
        render("README.md.j2", {}, overrides=mine)
    assert f"({mine / 'README.md.j2'})" in str(caught.value)


def test_the_packages_own_are_copied_and_nothing_is_overwritten(mine: Path) -> None:
    """What is there already is as it was, and said."""
    exported = export_templates(mine)
    assert exported.kept == ("README.md.j2",)
    assert (mine / "README.md.j2").read_text() == "# {{ name }}\n"
    assert {*exported.kept, *exported.written} == {path.name for path in own_templates()}
    for path in own_templates():
        if path.name in exported.written:
            assert (mine / path.name).read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ScaffoldError, match=r"templates cannot be written: .*file.*--export-templates"):
        export_templates(tmp_path / "file")


def test_a_misspelt_template_is_told(mine: Path) -> None:
    """A part that others include is none."""
    (mine / "run_tests.sh.j2").write_text("")
    (mine / "footer.j2").write_text("")
    assert list(misnamed(Overrides(folder=mine, told_by=""))) == [("run_tests.sh.j2", "run_test.sh.j2")]


def test_own_templates_write_nothing_without_a_filter_of_their_kind() -> None:
    """The rule holds for the package too: each file is made from the filters of its kind."""
    kinds = {".sh": {"sh"}, ".py": {"py", "doc"}, ".md": {"code", "cell", "fence"}}
    for path in own_templates():
        used = set(re.findall(r"\|\s*(sh|py|doc|code|cell|fence)\b", path.read_text()))
        assert used <= kinds.get(Path(path.stem).suffix, set()), path.name


def test_the_readme_tells_of_every_variable_of_a_template() -> None:
    """No more and no fewer than there are."""
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    table = readme.partition("<!-- variables of templates -->")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    variables = template_variables(Reproduction(name=Safe("x"), slug=Safe("x")), None)
    assert sorted(told) == sorted(variables)
