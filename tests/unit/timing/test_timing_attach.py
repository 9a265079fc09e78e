"""The harness: backends attach when their library is imported, and come off without a trace."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.timing import attach
from pytest_repro.timing.attach import Harness
from pytest_repro.timing.backends.wall import WallBackend
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_repro.timing.recorder import Recorder

LIBRARY = "repro_sample_library"


class SampleBackend:
    """Records each call of the sample library's `work`."""

    name = "sample"

    def __init__(self) -> None:
        self._patches = Patches()

    def attach(self, recorder: Recorder) -> None:
        def make(original: Any) -> Any:
            def work() -> Any:
                span = recorder.automatic("op", "sample.work")
                if span is None:
                    return original()
                with span:
                    return original()

            return work

        self._patches.wrap(sys.modules[LIBRARY], "work", make)

    def detach(self) -> None:
        self._patches.undo()


class BrokenBackend(SampleBackend):
    """Fails when it has wrapped half of its library."""

    def attach(self, recorder: Recorder) -> None:
        super().attach(recorder)
        raise AttributeError("no function 'gather'")


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{LIBRARY}.py").write_text("def work():\n    return 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield
    sys.modules.pop(LIBRARY, None)
    assert sys.meta_path == before


def load() -> Any:
    return importlib.import_module(LIBRARY)


def test_a_backend_attaches_right_after_the_import() -> None:
    """The library is not imported for it; its first call after the import is recorded."""
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    assert LIBRARY not in sys.modules
    assert not harness.attached
    module = load()
    harness.recorder.begin()
    assert module.work() == 42
    assert [phase.operation for phase in harness.recorder.finish()[0]] == ["sample.work"]
    assert harness.attached
    harness.stop()


def test_a_backend_attaches_at_once_to_what_is_imported() -> None:
    """A library that a conftest has imported is wrapped when the harness starts."""
    load()
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    assert harness.attached == ("sample",)
    harness.stop()


def test_after_the_stop_nothing_is_left() -> None:
    """Function, module, spec and loader are what they would be without the harness."""
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    module = load()
    harness.stop()
    assert module.work.__module__ == LIBRARY
    assert "exec_module" not in vars(module.__spec__.loader)
    assert module.__loader__ is module.__spec__.loader
    assert not harness.attached


def test_after_the_stop_an_import_is_not_watched() -> None:
    """Off means off: what is imported later is left alone."""
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    harness.stop()
    assert load().work.__module__ == LIBRARY


def test_the_harness_can_be_started_again() -> None:
    """Starting twice attaches once; a stopped harness starts anew."""
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    harness.start()
    load()
    assert harness.attached == ("sample",)
    harness.stop()
    harness.start()
    assert harness.attached == ("sample",)
    harness.stop()


def test_a_broken_backend_is_named_and_left_out() -> None:
    """The import goes on, what was wrapped is put back, and the problem says which backend and why."""
    harness = Harness(backends={LIBRARY: BrokenBackend})
    harness.start()
    module = load()
    assert module.work.__module__ == LIBRARY
    (problem,) = harness.problems
    assert str(problem) == (
        f"The timing backend for {LIBRARY} could not attach: AttributeError: no function 'gather' "
        "(entry point group pytest_repro.timing). "
        "Its calls are not timed. Update or remove the package that brings it."
    )
    harness.stop()


@pytest.mark.parametrize("attaches", [True, False])
def test_a_backend_that_cannot_be_taken_off_leaves_no_fence(*, attaches: bool) -> None:
    """Its first error is told, and no phase waits for it any more."""

    class StuckBackend(SampleBackend):
        def attach(self, recorder: Recorder) -> None:
            super().attach(recorder)
            recorder.add_fence(self)
            if not attaches:
                raise AttributeError("no function 'gather'")

        def is_usable(self) -> bool:
            return False

        def wait(self) -> None:
            pass

        def detach(self) -> None:
            super().detach()
            raise ValueError("stuck")

    load()
    harness = Harness(backends={LIBRARY: StuckBackend})
    harness.start()
    assert len(harness.recorder.fences) == attaches
    harness.stop()
    assert harness.recorder.fences == ()
    (problem,) = harness.problems
    assert ("stuck" if attaches else "no function 'gather'") in str(problem)


def test_a_library_that_a_test_forbids_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sys.modules[name] = None` makes an import fail: there is nothing to attach to."""
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    harness = Harness(backends={LIBRARY: BrokenBackend})
    harness.start()
    harness.stop()
    assert harness.problems == []


def test_an_import_that_fails_is_tried_again(tmp_path: Path) -> None:
    """The user's own import error is left as it is; a later import that works is attached to."""
    source = tmp_path / f"{LIBRARY}.py"
    good = source.read_text(encoding="utf-8")
    source.write_text("raise ImportError('no driver')\n", encoding="utf-8")
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    with pytest.raises(ImportError, match="no driver"):
        load()
    source.write_text(good, encoding="utf-8")
    importlib.invalidate_caches()
    load()
    assert harness.attached == ("sample",)
    harness.stop()


def test_looking_for_a_module_does_not_attach() -> None:
    """`find_spec` alone leaves nothing on the loader once the harness stops."""
    harness = Harness(backends={LIBRARY: SampleBackend})
    harness.start()
    spec = importlib.util.find_spec(LIBRARY)
    harness.stop()
    assert spec is not None
    assert spec.loader is not None
    assert "exec_module" not in vars(spec.loader)


def test_entry_points_bring_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point's name is the module to wait for; its value is loaded only then."""
    point = EntryPoint(name=LIBRARY, value=f"{__name__}:SampleBackend", group=attach.GROUP)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[SampleBackend.__module__])
    monkeypatch.setattr(attach, "entry_points", lambda group: [point] if group == attach.GROUP else [])
    harness = Harness()
    harness.start()
    load()
    assert "sample" in harness.attached
    harness.stop()


def test_an_entry_point_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library works without timing, and the problem names it."""
    point = EntryPoint(name=LIBRARY, value="repro_no_such_module:Backend", group=attach.GROUP)
    monkeypatch.setattr(attach, "entry_points", lambda **_: [point])
    harness = Harness()
    harness.start()
    assert load().work() == 42
    assert [f"for {LIBRARY} could not attach" in str(problem) for problem in harness.problems] == [True]
    harness.stop()


def test_the_simulated_device_is_attached_when_imported() -> None:
    """A user turns it on by importing it."""
    from pytest_repro.timing.simulated import SimulatedDevice

    original = vars(SimulatedDevice)["operation"]
    harness = Harness()
    harness.start()
    assert "simulated" in harness.attached
    assert vars(SimulatedDevice)["operation"] is not original
    harness.stop()
    assert vars(SimulatedDevice)["operation"] is original


def test_the_wall_backend_does_nothing() -> None:
    """Phases by hand need no device."""
    harness = Harness(backends={"sys": WallBackend})
    harness.start()
    harness.recorder.begin()
    with harness.recorder.phase("mine"):
        pass
    assert [phase.fenced for phase in harness.recorder.finish()[0]] == [False]
    harness.stop()


def test_patches_put_back_what_was_inherited() -> None:
    """An attribute that a class only inherits is deleted again, not copied into it."""

    class Base:
        def work(self) -> int:
            return 1

    class Child(Base):
        pass

    patches = Patches()
    patches.wrap(Child, "work", lambda original: lambda self: original(self) + 1)
    patches.wrap(Child, "absent", lambda original: original)
    assert Child().work() == 2
    patches.undo()
    assert "work" not in vars(Child)
    assert Child().work() == 1


def test_patches_leave_what_others_have_put_on_top() -> None:
    """Somebody else's replacement is not thrown away with ours."""

    class Owner:
        def work(self) -> int:
            return 1

    patches = Patches()
    patches.wrap(Owner, "work", lambda original: lambda self: -original(self))
    theirs = lambda _: 7  # noqa: E731
    Owner.work = theirs  # type: ignore[method-assign]
    patches.undo()
    assert vars(Owner)["work"] is theirs
