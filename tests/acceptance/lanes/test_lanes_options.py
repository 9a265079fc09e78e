"""Options that change what a stage does, or what is shown of it, do the same in both lanes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.lanes.comparison import Project, compare, listed, needs_fast_lane

pytestmark = needs_fast_lane

SOURCES = {
    "test_output.py": """
        import logging
        import os
        import subprocess
        import sys
        import warnings

        import pytest
        from events import note, word

        log = logging.getLogger("sample")

        @pytest.fixture
        def talks():
            print("setup out", word())
            print("setup err", file=sys.stderr)
            log.warning("setup log")
            yield
            print("teardown out")
            log.warning("teardown log")

        def inner(value, depth=0):
            local = [value]
            if depth < 3:
                inner(value, depth + 1)
            assert local == ["nothing"], "message"

        def test_fails(talks):
            print("call out", word())
            log.error("call log")
            inner(word())

        def test_passes(talks):
            os.write(1, b"fd 1\\n")
            os.write(2, b"fd 2\\n")
            subprocess.run(["echo", "of a child"], check=True)
            log.info("call log %s", word())

        def test_capsys(capsys):
            print("read")
            note(capsys.readouterr())
            print("left", word())
            with capsys.disabled():
                print("shown")

        def test_capfd(capfd):
            os.write(1, b"read\\n")
            note(capfd.readouterr())
            assert word() == "nothing"

        def test_caplog(caplog):
            with caplog.at_level("DEBUG"):
                log.debug("seen")
            note(caplog.record_tuples)
            assert word() == "nothing"

        def test_streams():
            note(type(sys.stdout).__name__, type(sys.stdin).__name__, len(logging.getLogger().handlers))

        def test_warns(recwarn):
            warnings.warn("recorded")
            note(len(recwarn))

        def test_warning_is_shown():
            warnings.warn(f"shown {word()}", DeprecationWarning)

        def test_pytest_warns():
            with pytest.warns(UserWarning):
                warnings.warn("expected")
    """,
    "test_outcomes.py": """
        import unittest

        import pytest
        from events import note, word

        @pytest.mark.xfail(reason="known")
        def test_expected():
            assert word() == "nothing"

        @pytest.mark.xfail(reason="known", strict=True)
        def test_unexpected():
            note("body")

        @pytest.mark.xfail(run=False)
        def test_not_run():
            note("body")

        def test_imperative():
            pytest.xfail("imperative")

        def test_added(request):
            request.node.add_marker(pytest.mark.xfail(reason="added"))
            assert word() == "nothing"

        @pytest.mark.skip(reason="not today")
        def test_skipped():
            note("body")

        def test_skips():
            pytest.skip("inside")

        @pytest.fixture
        def broken():
            print("in setup")
            raise RuntimeError(word())

        @pytest.fixture
        def broken_later():
            yield
            print("in teardown")
            raise RuntimeError(word())

        def test_setup_fails(broken):
            note("body")

        def test_teardown_fails(broken_later):
            note("body")

        @pytest.mark.parametrize("fails", [False, True])
        def test_folders(tmp_path, fails):
            (tmp_path / word()).touch()
            note(sorted(path.name for path in tmp_path.parent.glob("test_folders*") if not path.is_symlink()))
            assert not fails, word()

        def test_phases(repro):
            with repro.phase("op"):
                note("in a phase")
            repro.metric("samples", 5)

        def test_phase_fails(repro):
            with repro.phase("op"):
                assert word() == "nothing"

        class TestUnit(unittest.TestCase):
            def test_fails(self):
                print("in unittest")
                self.assertEqual(word(), "nothing")

            def test_part_fails(self):
                with self.subTest(part=1):
                    self.fail(word())

            def test_skips(self):
                self.skipTest("inside")
    """,
    "test_uncaught.py": """
        import threading

        from events import word

        class Raises:
            def __repr__(self):
                return "<Raises>"

            def __del__(self):
                raise RuntimeError("in del")

        def test_del():
            Raises()

        def test_thread():
            thread = threading.Thread(target=lambda: {}["a"], name="sample")
            thread.start()
            thread.join()

        def test_after():
            assert word() == "nothing"
    """,
}


def project(*arguments: str, ini: str = "") -> Project:
    return Project(sources=SOURCES, arguments=arguments, ini=ini)


STRICT = "log_level = DEBUG\nxfail_strict = true\ntmp_path_retention_policy = failed\n"
PROJECTS = {
    "nothing-captured": project("-s", "--tb=short"),
    "sys-captured": project("--capture=sys", "--tb=native", "--showlocals"),
    "tee-sys": project("--capture=tee-sys", "--tb=line", "-W", "error::DeprecationWarning"),
    "no-logging": project("-p", "no:logging", "-p", "no:faulthandler", "--tb=no", "-v"),
    "no-warnings": project("-p", "no:warnings", "--durations=0", "-vv"),
    "no-leftovers": project(
        "-p", "no:unraisableexception", "-p", "no:threadexception", "-q", "--log-file=log"
    ),
    "no-skipping": project("-p", "no:skipping", "-p", "no:unittest", "-p", "no:assertion"),
    "no-capture": project("-p", "no:capture", "-p", "no:tmpdir"),
    "runxfail": project("--runxfail", "-W", "error", "--tb=long", "--show-capture=no"),
    "strict": project("--strict-markers", "--strict-config", "--assert=plain", ini=STRICT),
    "first-failures": project("--maxfail=4", "--full-trace", "--log-format=%(message)s %(levelname)s"),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_both_lanes_give_the_same(tmp_path: Path, name: str) -> None:
    """Results of each test, notes, and the session's output."""
    comparison = compare(tmp_path, PROJECTS[name])
    assert comparison.expected.iterations
    assert not comparison.differences(), listed(comparison.differences())
