"""Worktrees of base and fix: what they hold, what is left of them, and that the checkout stays as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_repro.errors import CertificateError
from pytest_repro.store import OWNER, write_json
from pytest_repro.verify.certificate.git import Repository, repository_of, without_repository
from pytest_repro.verify.certificate.snapshot import Revision, difference_of, revision_of, snapshot_of
from pytest_repro.verify.certificate.worktrees import Workplace, remove_left_behind
from tests.repositories import Checkout

PLAIN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A repository of two commits; `base` names the first."""
    made = Checkout(tmp_path / "project")
    made.commit({"a.py": "a = 1\n", "old.py": "", ".gitignore": "build/\n*.pyc\n"})
    made.git("tag", "base")
    made.commit({"a.py": "a = 2\n"})
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def _repository(checkout: Checkout) -> Repository:
    return repository_of(checkout.path, start=checkout.path, environment=PLAIN)


def _held(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_a_worktree_holds_what_its_commit_holds(checkout: Checkout, place: Path) -> None:
    """The base is as it was committed; what git ignores is not there."""
    checkout.write({"build/lib.so": "", "new.py": "n = 1\n"})
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        base = workplace.add("base", revision_of(repository, "base"))
        assert _held(base) == {".gitignore": "build/\n*.pyc\n", "a.py": "a = 1\n", "old.py": ""}


def test_the_fix_holds_what_is_not_committed(checkout: Checkout, place: Path) -> None:
    """Staged, changed, new and removed files, but none that git ignores; git sees them as in the checkout."""
    checkout.write({"staged.py": "s = 1\n", "build/lib.so": ""})
    checkout.git("add", "staged.py")
    checkout.write({"staged.py": "s = 2\n", "a.py": "a = 3\n", "folder/new ä\n.py": "n = 1\n"})
    (checkout.path / "old.py").unlink()
    before = checkout.state()
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        revision = snapshot_of(repository, scratch=workplace.folder("scratch"))
        fix = workplace.add("fix", revision)
        assert revision.is_dirty
        assert _held(fix) == {
            ".gitignore": "build/\n*.pyc\n",
            "a.py": "a = 3\n",
            "folder/new ä\n.py": "n = 1\n",
            "staged.py": "s = 2\n",
        }
        at_fix = repository.git.at(fix)
        assert at_fix.text("rev-parse", "HEAD") == before["references"].split()[0]
        assert sorted(at_fix.text("status", "--porcelain").splitlines()) == [
            " D old.py",
            " M a.py",
            "?? folder/",
            "?? staged.py",
        ]
    assert checkout.state() == before


def test_the_tree_of_the_fix_is_that_of_its_commit_to_come(checkout: Checkout, place: Path) -> None:
    """Whoever has the fix committed later can compare it with the certificate."""
    checkout.write({"a.py": "a = 3\n", "new.py": "n = 1\n"})
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        tree = snapshot_of(repository, scratch=workplace.folder("scratch")).tree
    checkout.commit({})
    assert checkout.git("rev-parse", "HEAD^{tree}") == tree


def test_a_clean_checkout_is_its_commit(checkout: Checkout, place: Path) -> None:
    """Nothing is said of changes where there are none, ignored files or not."""
    checkout.write({"build/lib.so": ""})
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        revision = snapshot_of(repository, scratch=workplace.folder("scratch"))
    assert not revision.is_dirty
    assert revision.tree == checkout.git("rev-parse", "HEAD^{tree}")


def test_a_file_changed_in_the_moment_after_the_index_was_written_is_not_missed(
    checkout: Checkout, place: Path
) -> None:
    """The copied index keeps its time, by which git knows what it must look at again."""
    checkout.git("config", "core.trustctime", "false")
    tick = (1_700_000_000 * 10**9,) * 2
    for text, path in (("a = 5\n", "a.py"), (None, ".git/index"), ("a = 9\n", "a.py")):
        if text is not None:
            checkout.write({path: text})
        os.utime(checkout.path / path, ns=tick)
        if text == "a = 5\n":
            checkout.git("add", path)
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        revision = snapshot_of(repository, scratch=workplace.folder("scratch"))
        assert _held(workplace.add("fix", revision))["a.py"] == "a = 9\n"


def test_the_checkout_and_the_repository_stay_as_they_are(checkout: Checkout, place: Path) -> None:
    """Files, index, references, stashes, worktrees and objects: nothing of the user's is touched."""
    checkout.write({"a.py": "a = 7\n"})
    checkout.git("stash")
    other = checkout.path.parent / "other"
    checkout.git("worktree", "add", "--quiet", "--detach", str(other))
    checkout.write({"a.py": "a = 8\n", "new.py": "", "build/x": ""})
    before = checkout.state()
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        workplace.add("base", revision_of(repository, "base"))
        workplace.add("fix", snapshot_of(repository, scratch=workplace.folder("scratch")))
        assert len(checkout.git("worktree", "list").splitlines()) == 4
    assert checkout.state() == before
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_what_was_broken_off(
    checkout: Checkout, place: Path, error: type[BaseException]
) -> None:
    """Ctrl-C or an error: folder and git's notes are gone, also where a test took away its own rights."""
    before = checkout.state()
    repository = _repository(checkout)

    def broken_off() -> None:
        with Workplace(repository, place=place) as workplace:
            base = workplace.add("base", revision_of(repository, "base"))
            locked = base / "locked"
            (locked / "in").mkdir(parents=True)
            locked.chmod(0)
            raise error

    with pytest.raises(error):
        broken_off()
    assert checkout.state() == before
    assert list(place.iterdir()) == []


def test_a_second_interrupt_does_not_end_the_cleaning_up(checkout: Checkout, place: Path) -> None:
    """It is put off until nothing is left, and then does its work."""
    before = checkout.state()
    script = f"""
import os, shutil, signal
from pathlib import Path
from pytest_repro.verify.certificate import worktrees
from pytest_repro.verify.certificate.git import repository_of
from pytest_repro.verify.certificate.snapshot import revision_of

real = shutil.rmtree
def slow(*arguments, **options):
    os.kill(0, signal.SIGINT)  # the whole group hears it, git too
    return real(*arguments, **options)

repository = repository_of(Path({str(checkout.path)!r}), start=Path("."), environment=dict(os.environ))
with worktrees.Workplace(repository, place=Path({str(place)!r})) as workplace:
    workplace.add("base", revision_of(repository, "base"))
    shutil.rmtree = slow
    raise KeyboardInterrupt
"""
    done = subprocess.run(
        [sys.executable, "-c", script], start_new_session=True, capture_output=True, check=False
    )
    assert done.returncode in (-signal.SIGINT, 1)
    assert b"KeyboardInterrupt" in done.stderr
    assert checkout.state() == before
    assert list(place.iterdir()) == []


def test_what_a_killed_gate_left_behind_is_removed_by_the_next(checkout: Checkout, place: Path) -> None:
    """Its folder and git's notes; the user's own worktrees stay, also those whose folder is not there now."""
    away = checkout.path.parent / "away"
    checkout.git("worktree", "add", "--quiet", "--detach", str(away))
    away.rename(checkout.path.parent / "unplugged")
    before = checkout.state()
    script = f"""
import os, signal
from pathlib import Path
from pytest_repro.verify.certificate.git import repository_of
from pytest_repro.verify.certificate.snapshot import revision_of
from pytest_repro.verify.certificate.worktrees import Workplace

repository = repository_of(Path({str(checkout.path)!r}), start=Path("."), environment=dict(os.environ))
with Workplace(repository, place=Path({str(place)!r})) as workplace:
    workplace.add("base", revision_of(repository, "base"))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert len(list(place.iterdir())) == 1
    assert checkout.state() != before
    repository = _repository(checkout)
    remove_left_behind(repository, place=place)
    assert checkout.state() == before
    assert list(place.iterdir()) == []


def test_a_gate_that_still_runs_keeps_its_worktrees(checkout: Checkout, place: Path) -> None:
    """Two gates of one repository do not know of each other; nor does one in another container."""
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        base = workplace.add("base", revision_of(repository, "base"))
        with Workplace(repository, place=place) as second:
            assert second.add("base", revision_of(repository, "base")) != base
        assert (base / "a.py").exists()
        write_json(workplace.path / OWNER, {"host": "elsewhere", "pid": 1})
        (checkout.path / ".git" / "worktrees" / "base" / OWNER).unlink()
        remove_left_behind(repository, place=place)
        assert (base / "a.py").exists()


def test_a_gate_started_by_a_hook_works_on_its_own_worktrees(
    checkout: Checkout, place: Path, tmp_path: Path
) -> None:
    """Git tells its hooks its folder and index by variables, which would turn each call to another place."""
    other = Checkout(tmp_path / "other")
    other.commit({"b.py": ""})
    hook = PLAIN | {"GIT_DIR": str(other.path / ".git"), "GIT_INDEX_FILE": ".git/index", "GIT_PREFIX": "x/"}
    before = (checkout.state(), other.state())
    repository = repository_of(checkout.path, start=checkout.path, environment=hook)
    assert repository.top == checkout.path
    checkout.write({"a.py": "a = 3\n"})
    with Workplace(repository, place=place) as workplace:
        fix = workplace.add("fix", snapshot_of(repository, scratch=workplace.folder("scratch")))
        assert _held(fix)["a.py"] == "a = 3\n"
    checkout.git("checkout", "--quiet", "a.py")
    assert {**checkout.state(), "index": ""} == {**before[0], "index": ""}
    assert other.state() == before[1]


def test_configuration_that_comes_by_variables_stays() -> None:
    """safe.directory is given so in containers."""
    kept = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert without_repository(kept | {"GIT_DIR": "/x", "GIT_WORK_TREE": "/y"}) == kept


def test_hooks_of_the_user_do_not_run(checkout: Checkout, place: Path) -> None:
    """A post-checkout hook may install, download or fail."""
    hook = checkout.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        base = workplace.add("base", revision_of(repository, "base"))
        assert not (base / "ran").exists()


def test_the_difference_tells_files_and_commits(checkout: Checkout, place: Path) -> None:
    """What the certificate is about; a base with commits of its own is told."""
    checkout.git("checkout", "--quiet", "-b", "side", "base")
    checkout.commit({"side.py": ""})
    checkout.git("checkout", "--quiet", "main")
    checkout.write({"new.py": "", "old.py": "o = 1\n"})
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        fix = snapshot_of(repository, scratch=workplace.folder("scratch"))
        found = difference_of(repository, revision_of(repository, "side"), fix)
    assert found.files == ("a.py", "new.py", "old.py", "side.py")
    assert (found.ahead, found.behind) == (1, 1)


def _with_submodule(checkout: Checkout) -> Checkout:
    library = Checkout(checkout.path.parent / "library")
    inner = Checkout(checkout.path.parent / "inner")
    inner.commit({"inner.py": "i = 1\n"})
    library.commit({"lib.py": "lib = 1\n"})
    library.git("submodule", "--quiet", "add", str(inner.path), "inner")
    library.commit({})
    checkout.git("submodule", "--quiet", "add", str(library.path), "lib")
    checkout.git("submodule", "--quiet", "update", "--init", "--recursive")
    checkout.commit({})
    checkout.git("tag", "with-submodule")
    library.path.rename(library.path.with_name("unreachable"))
    inner.path.rename(inner.path.with_name("unreachable too"))
    return checkout


def test_submodules_are_filled_in_from_the_checkout(checkout: Checkout, place: Path) -> None:
    """Without network, each at the commit that its side asks for, those inside of submodules too."""
    _with_submodule(checkout)
    (checkout.path / "lib" / "lib.py").write_text("lib = 2\n", encoding="utf-8")
    for setting in (("user.name", "me"), ("user.email", "me@example.com")):
        checkout.git("-C", "lib", "config", *setting)
    checkout.git("-C", "lib", "commit", "--quiet", "--all", "--message", "fixed")
    before = checkout.state()
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        base = workplace.add("base", revision_of(repository, "with-submodule"))
        fix = workplace.add("fix", snapshot_of(repository, scratch=workplace.folder("scratch")))
        held = [_held(side / "lib")["lib.py"] for side in (base, fix)]
        assert held == ["lib = 1\n", "lib = 2\n"]
        assert _held(fix / "lib" / "inner") == {"inner.py": "i = 1\n"}
    assert checkout.state() == before


def test_a_changed_submodule_is_refused(checkout: Checkout, place: Path) -> None:
    """Git would leave its changes out without a word."""
    _with_submodule(checkout)
    (checkout.path / "lib" / "lib.py").write_text("lib = 2\n", encoding="utf-8")
    repository = _repository(checkout)
    with (
        Workplace(repository, place=place) as workplace,
        pytest.raises(CertificateError, match=r"submodule lib has changes .* Commit them in the submodule"),
    ):
        snapshot_of(repository, scratch=workplace.folder("scratch"))


def test_a_commit_of_a_submodule_that_is_not_here_is_refused(checkout: Checkout, place: Path) -> None:
    """Nothing is fetched: the user is told what to do."""
    _with_submodule(checkout)
    checkout.git("update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    checkout.git("commit", "--quiet", "--message", "unreachable")
    repository = _repository(checkout)
    with (
        Workplace(repository, place=place) as workplace,
        pytest.raises(
            CertificateError,
            match=r"commit 111111111111 of the submodule lib, which is not here .*`git -C lib fetch`",
        ),
    ):
        workplace.add("base", revision_of(repository, "HEAD"))
    assert list(place.iterdir()) == []


def test_a_repository_inside_of_the_checkout_is_left_out_and_told(checkout: Checkout, place: Path) -> None:
    """It is none of the fix: git itself would note no more than its commit."""
    Checkout(checkout.path / "nested").commit({"n.py": ""})
    repository = _repository(checkout)
    with Workplace(repository, place=place) as workplace:
        revision = snapshot_of(repository, scratch=workplace.folder("scratch"))
    assert revision.left_out == ("nested",)
    assert not revision.is_dirty


def _refused(checkout: Checkout, place: Path, base: str = "base") -> str:
    repository = _repository(checkout)
    try:
        with Workplace(repository, place=place) as workplace:
            revision_of(repository, base)
            snapshot_of(repository, scratch=workplace.folder("scratch"))
    except CertificateError as error:
        return str(error)
    pytest.fail("nothing was refused")


@pytest.mark.parametrize("name", ["nowhere", "-x", "base:a.py", "", "HEAD~9"])
def test_a_base_that_is_no_commit_is_refused(checkout: Checkout, place: Path, name: str) -> None:
    """Also where it looks like an option, or names a file."""
    assert f"--verify-base {name}: there is no such commit" in _refused(checkout, place, name)


def test_a_merge_that_is_not_done_is_refused(checkout: Checkout, place: Path) -> None:
    """A file with conflict marks is no fix."""
    checkout.git("checkout", "--quiet", "-b", "side", "base")
    checkout.commit({"a.py": "a = 5\n"})
    with pytest.raises(subprocess.CalledProcessError):
        checkout.git("merge", "main")
    assert "a merge is not done: a.py in conflict" in _refused(checkout, place)


def test_a_shallow_clone_without_the_base_is_told_how_to_fetch_it(
    checkout: Checkout, place: Path, tmp_path: Path
) -> None:
    """The usual state of a checkout in CI."""
    shallow = Checkout(tmp_path / "shallow")
    shallow.git("fetch", "--quiet", "--depth", "1", f"file://{checkout.path}", "main")
    shallow.git("checkout", "--quiet", "FETCH_HEAD")
    message = _refused(shallow, place, "HEAD~1")
    assert "this shallow clone has no such commit" in message
    assert "git fetch --unshallow" in message


def test_places_without_a_checkout_are_refused(checkout: Checkout, place: Path, tmp_path: Path) -> None:
    """Each with what to do instead."""
    empty = Checkout(tmp_path / "empty")
    with (
        Workplace(_repository(empty), place=place) as workplace,
        pytest.raises(CertificateError, match="the repository has no commit yet"),
    ):
        snapshot_of(_repository(empty), scratch=workplace.folder("scratch"))
    plain = tmp_path / "plain"
    plain.mkdir()
    checkout.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    for root, start, message in (
        (plain, plain, "--verify-base needs a git repository"),
        (plain, checkout.path, "lies outside of the repository"),
        (tmp_path / "bare", plain, "this is a bare repository"),
        (checkout.path / ".git", plain, "inside of git's own folder"),
    ):
        with pytest.raises(CertificateError, match=message):
            repository_of(root, start=start, environment=PLAIN)
    with pytest.raises(CertificateError, match="needs git, which was not found"):
        repository_of(checkout.path, start=plain, environment={"PATH": str(plain)})


def test_temporary_files_inside_of_the_checkout_are_refused(checkout: Checkout) -> None:
    """The worktrees would stand in the user's way, and their tests find the checkout's ini file."""
    with (
        pytest.raises(CertificateError, match="Set TMPDIR to a folder outside of it"),
        Workplace(_repository(checkout), place=checkout.path),
    ):
        pass


def test_a_revision_without_changes_needs_no_objects_of_its_own() -> None:
    """Git finds all of it in the repository."""
    assert Revision(name="main", commit="c", tree="t").variables == {}
