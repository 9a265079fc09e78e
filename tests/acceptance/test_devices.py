"""Leases of devices and their resets, in real sessions: no device is needed to see who is given which."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

SEEN = """
import os

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
with open("seen", "a") as file:
    file.write(f"{WORKER} {os.environ.get('MY_DEVICE')}\\n")
"""

LOGGED = """
import os, pytest

def log(text):
    with open("log", "a") as file:
        file.write(f"{text}\\n")

@pytest.fixture(scope="session")
def device():
    log("open")
    yield
    log("close")

@pytest.fixture
def each():
    yield
    log("end")
"""

CRASHING = """
import os

def test_a(repro):
    if repro.iteration == 3:
        os._exit(9)
"""

LEASED = "--repro-devices=MY_DEVICE=3,4"


@pytest.fixture(autouse=True)
def in_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that are started without workers are not in one, also where these tests are."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def _reset(command: str = "echo reset {device} {worker} >> log") -> str:
    return "--repro-reset=" + shlex.join(("sh", "-c", command))


def _lines(pytester: pytest.Pytester, name: str) -> list[str]:
    path = pytester.path / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _resets(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    path = session_folder(pytester) / "resets.jsonl"
    return json_lines(path) if path.exists() else []


@pytest.mark.parametrize("mode", ["load", "each", "loadfile", "worksteal"])
def test_each_worker_has_a_device_of_its_own_before_the_first_conftest(
    pytester: pytest.Pytester, mode: str
) -> None:
    """In its environment, and with fewer devices there are fewer workers."""
    pytester.makeconftest(SEEN)
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=8", "-n3", f"--dist={mode}", LEASED)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["devices: 3, 4 (MY_DEVICE); 2 workers instead of 3: 2 devices", "2 workers instead of 3: 2 devices"]
    )
    assert sorted(_lines(pytester, "seen")) == ["gw0 3", "gw1 4", "main None"]
    devices = session_summary(pytester)["devices"]
    assert (devices["workers"], devices["workers_asked"]) == (2, 3)
    assert sum(device["executed"] for device in devices["devices"]) == 8


def test_workers_of_the_users_own_making_are_lowered_too(pytester: pytest.Pytester) -> None:
    """By the hook that chooses their number, and by --tx."""
    pytester.makeconftest(f"{SEEN}\ndef pytest_xdist_auto_num_workers(config):\n    return 3")
    pytester.makepyfile("def test_a():\n    pass")
    assert run_pytest(pytester, "--repro-stress=8", "-nauto", LEASED).ret == 0
    assert run_pytest(pytester, "--repro-stress=8", "--dist=load", "--tx=3*popen", LEASED).ret == 0
    assert sorted(_lines(pytester, "seen")) == ["gw0 3"] * 2 + ["gw1 4"] * 2 + ["main None"] * 2


@pytest.mark.parametrize("arguments", [(), ("-n0",), ("-p", "no:xdist")], ids=["plain", "n0", "no-xdist"])
def test_without_workers_the_one_process_has_the_first_device(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Before its conftest is imported, and for the session alone."""
    pytester.makeconftest(SEEN)
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=2", LEASED, *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["devices: 3, 4 (MY_DEVICE)"])
    assert _lines(pytester, "seen") == ["main 3"]


def test_a_session_in_a_larger_process_leaves_its_environment_as_it_was(pytester: pytest.Pytester) -> None:
    """`pytest.main` in a program."""
    pytester.makepyfile("import os\ndef test_a():\n    assert os.environ['MY_DEVICE'] == '3'")
    script = pytester.makepyfile(
        program="""
        import os, pytest

        os.environ["MY_DEVICE"] = "before"
        assert pytest.main(["--repro-stress=2", "--repro-devices=MY_DEVICE=3"]) == 0
        assert os.environ["MY_DEVICE"] == "before"
        """
    )
    assert pytester.run(sys.executable, script).ret == 0


def test_processes_of_their_own_have_the_device_of_their_worker(pytester: pytest.Pytester) -> None:
    """They are started by it."""
    pytester.makepyfile(
        """
        import os

        def test_a(repro):
            with open("seen", "a") as file:
                file.write(f"{repro.worker} {os.environ.get('MY_DEVICE')}\\n")
        """
    )
    assert run_pytest(pytester, "--repro-stress=8", "--repro-isolate", "-n2", LEASED).ret == 0
    seen = _lines(pytester, "seen")
    assert len(seen) == 8
    assert set(seen) <= {"gw0 3", "gw1 4"}


def test_a_worker_that_replaces_a_dead_one_has_its_device(pytester: pytest.Pytester) -> None:
    """Which was reset before the new one began."""
    pytester.makeconftest(SEEN)
    pytester.makepyfile(CRASHING)
    result = run_pytest(
        pytester, "--repro-stress=24", "-n2", LEASED, _reset("echo reset {device} {worker} >> seen"), "-v"
    )
    assert result.ret == 1
    seen = _lines(pytester, "seen")
    (reset,) = [line for line in seen if line.startswith("reset")]
    _, device, dead = reset.split()
    assert f"{dead} {device}" in seen[: seen.index(reset)]
    assert seen[seen.index(reset) + 1 :] == [f"gw2 {device}"]
    result.stdout.fnmatch_lines([f"1 reset of device {device} after a crash"])
    (record,) = _resets(pytester)
    assert (record["worker"], record["device"], record["reason"]) == (dead, device, "crash")
    (one,) = [one for one in session_summary(pytester)["devices"]["devices"] if one["device"] == device]
    assert one["workers"] == [dead, "gw2"]
    assert one["failures"] == 1


def test_auto_takes_the_devices_that_a_variable_allows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no others."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    for name in ("TT_VISIBLE_DEVICES", "TT_METAL_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(SEEN.replace("MY_DEVICE", "CUDA_VISIBLE_DEVICES"))
    pytester.makepyfile("def test_a():\n    pass")
    assert run_pytest(pytester, "--repro-stress=8", "-n4", "--repro-devices=auto").ret == 0
    assert sorted(_lines(pytester, "seen")) == ["gw0 GPU-a", "gw1 GPU-b", "main GPU-a,GPU-b"]
    alone = run_pytest(pytester, "--repro-stress=2", "--repro-devices=auto")
    assert _lines(pytester, "seen")[-1] == "main GPU-a"
    alone.stdout.fnmatch_lines(["devices: GPU-a, GPU-b (CUDA_VISIBLE_DEVICES)"])


@pytest.mark.parametrize("arguments", [(), ("--repro-devices=none",)])
def test_without_the_option_nothing_is_leased(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """Also where the ini file asks for it and the command line has the last word, or nothing is stressed."""
    pytester.makeconftest(SEEN)
    pytester.makepyfile("def test_a():\n    assert 0")
    ini = "repro_devices = MY_DEVICE=5\nrepro_reset = no-such-command"
    pytester.makeini(f"[pytest]\n{ini if arguments else ''}")
    result = run_pytest(pytester, "--repro-stress=2", "-n3", *arguments)
    assert "devices" not in result.stdout.str().replace("--repro-devices", "")
    assert run_pytest(pytester).ret == 1
    assert {line.split()[1] for line in _lines(pytester, "seen")} == {"None"}


def test_a_replay_asks_for_the_device_that_failed(pytester: pytest.Pytester) -> None:
    """A device may be what it takes."""
    pytester.makepyfile("import os\ndef test_a():\n    assert os.environ['MY_DEVICE'] != '4'")
    result = run_pytest(pytester, "--repro-stress=8", "-n2", "--dist=each", LEASED, _reset())
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    assert "--repro-devices MY_DEVICE=4" in command[1]
    assert "--repro-reset" not in command[1]
    assert run_pytest(pytester, *shlex.split(command[1])).ret == 1


def test_a_device_that_fails_more_often_is_named(pytester: pytest.Pytester) -> None:
    """With the numbers, and all of them with -v."""
    pytester.makepyfile(
        """
        import os

        def test_a(repro):
            assert os.environ["MY_DEVICE"] != "4" or repro.iteration % 2
        """
    )
    result = run_pytest(pytester, "--repro-stress=80", "-n2", "--dist=each", LEASED, "-v")
    result.stdout.fnmatch_lines(
        [
            "device 3 (gw0): 40 iterations ran, 0 failed (0 %)",
            "device 4 fails more often than the others: 20 of 40 against 0 of 40 (p < 0.000001)",
        ]
    )
    good, bad = session_summary(pytester)["devices"]["devices"]
    assert (good["fails_more_often"], bad["fails_more_often"]) == (False, True)


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "n1"])
@pytest.mark.parametrize("lane", ["auto", "full"])
def test_after_a_device_error_all_fixtures_are_torn_down_before_the_reset(
    pytester: pytest.Pytester, workers: tuple[str, ...], lane: str
) -> None:
    """A fixture of session scope holds the device open; the next iteration opens it again."""
    pytester.makeconftest(LOGGED)
    pytester.makepyfile(
        """
        def test_a(device, each, repro):
            assert repro.iteration != 2, "an ordinary failure"
            if repro.iteration == 3:
                raise RuntimeError("TT_THROW @ /metal/memory.cpp:765: tt::exception")
        """
    )
    result = run_pytest(
        pytester,
        "--repro-stress=4",
        LEASED,
        _reset(),
        f"--repro-lane={lane}",
        "--repro-overlap=none",
        *workers,
    )
    assert result.ret == 1
    worker = "gw0" if workers else "main"
    assert _lines(pytester, "log") == [
        "open",
        *["end"] * 3,
        "close",
        f"reset 3 {worker}",
        "open",
        "end",
        "close",
    ]
    result.stdout.fnmatch_lines(
        ["  4 of 4 iterations ran, 2 failed (*", "1 reset of device 3 after a device error"]
    )
    (record,) = _resets(pytester)
    assert record["reason"] == "error: tt-metal error"


def test_errors_of_the_users_own_are_matched_in_exceptions_that_led_to_others(
    pytester: pytest.Pytester,
) -> None:
    """And what closing the device raises is told, and no failure of its own."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def device():
            yield
            raise OSError("cannot be closed")
        """
    )
    pytester.makepyfile(
        """
        def test_a(device, repro):
            if repro.iteration == 2:
                try:
                    raise OSError("lost card 7")
                except OSError as error:
                    raise ValueError("no result") from error
        """
    )
    arguments = ("--repro-stress=2", "--repro-reset=true", "--repro-reset-on=lost card")
    result = run_pytest(pytester, *arguments, "--tb=no")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  2 of 2 iterations ran, 1 failed (*"])
    (record,) = _resets(pytester)
    assert record["reason"] == "error: lost card"
    assert (record["device"], record["command"], record["problems"]) == (None, "true", [])


def test_isolated_processes_are_reset_by_who_started_them(pytester: pytest.Pytester) -> None:
    """After a crash, an error, and a timeout; a passing one needs none."""
    pytester.makepyfile(
        """
        import os, time, pytest

        @pytest.mark.timeout(1)
        def test_a(repro):
            if repro.iteration == 2:
                os._exit(9)
            if repro.iteration == 3:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if repro.iteration == 4:
                time.sleep(60)
        """
    )
    result = run_pytest(pytester, "--repro-stress=5", "--repro-isolate", LEASED, _reset())
    assert result.ret == 1
    assert [record["reason"] for record in _resets(pytester)] == ["crash", "error: CUDA error", "hang"]
    assert _lines(pytester, "log") == ["reset 3 main"] * 3
    result.stdout.fnmatch_lines(["1 reset of device 3 after a crash", "1 reset of device 3 after a hang"])


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "n1"])
def test_a_hook_resets_too_with_no_option_at_all(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """It is told who, which and why; it may leave out what it does not need; what it prints is kept."""
    pytester.makeconftest(
        """
        import os

        def pytest_repro_reset_device(worker, reason):
            print("reset by hook")
            with open("log", "a") as file:
                file.write(f"{worker} {reason}\\n")
        """
    )
    pytester.makepyfile(
        """
        import os

        def test_a(repro):
            if repro.iteration == 2:
                raise RuntimeError("TT_FATAL @ a.cpp:1: x")
        """
    )
    result = run_pytest(pytester, "--repro-stress=3", *workers)
    assert result.ret == 1
    assert _lines(pytester, "log") == [f"{'gw0' if workers else 'main'} error: tt-metal error"]
    assert "reset by hook" not in result.stdout.str()
    assert _resets(pytester)[0]["output"] == "reset by hook\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise OSError('no way')", "pytest_repro_reset_device: OSError: no way"),
        ("import time; time.sleep(60)", "pytest_repro_reset_device: no end within 0.5 s"),
    ],
)
def test_a_hook_that_fails_is_told_and_ends_nothing(
    pytester: pytest.Pytester, body: str, problem: str
) -> None:
    """Nor does it take longer than it may; the command is run all the same."""
    pytester.makeconftest(f"def pytest_repro_reset_device():\n    {body}")
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration != 2, 'lost'")
    result = run_pytest(
        pytester, "--repro-stress=3", "--repro-reset-on=lost", "--repro-reset-limit=500ms", _reset("echo x")
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["  3 of 3 iterations ran, 1 failed (*", f"1 reset after a device error, 1 failed: {problem}"]
    )
    assert _resets(pytester)[0]["output"] == "x\n"


def test_a_hook_that_ends_the_session_ends_it(pytester: pytest.Pytester) -> None:
    """`pytest.exit` means the session, here as elsewhere; what ran before is kept."""
    pytester.makeconftest(
        "import pytest\ndef pytest_repro_reset_device():\n    pytest.exit('device is gone', returncode=7)"
    )
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration != 2, 'CUDA error: x'")
    result = run_pytest(pytester, "--repro-stress=5")
    assert result.ret == 7
    result.stdout.fnmatch_lines(["*Exit: device is gone*"])
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 1, "failed": 1}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("no-such-command {device}", "no-such-command 3: No such file or directory"),
        ("sh -c 'echo bad; exit 1'", "sh -c 'echo bad; exit 1': exit status 1"),
        ("sh -c 'sleep 60 & sleep 60'", "sh -c 'sleep 60 & sleep 60': no end within 0.5 s"),
    ],
)
def test_a_command_that_fails_is_told_and_not_tried_for_ever(
    pytester: pytest.Pytester, command: str, problem: str
) -> None:
    """The iterations go on."""
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration % 2, 'CUDA error: x'")
    result = run_pytest(
        pytester, "--repro-stress=12", LEASED, f"--repro-reset={command}", "--repro-reset-limit=500ms"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "  12 of 12 iterations ran, 6 failed (*",
            f"3 resets of device 3 after a device error, 3 failed: {problem}",
            "device 3 was not reset again: 3 resets in a row had failed",
        ]
    )
    assert len(_resets(pytester)) == 3


def test_a_reset_that_hangs_after_a_crash_does_not_keep_the_session(pytester: pytest.Pytester) -> None:
    """The next worker is started all the same."""
    pytester.makepyfile(CRASHING)
    result = run_pytest(
        pytester, "--repro-stress=8", "-n2", LEASED, "--repro-reset=sleep 60", "--repro-reset-limit=500ms"
    )
    assert result.ret == 1
    assert result.duration < 60
    result.stdout.fnmatch_lines(
        ["1 reset of device ? after a crash, 1 failed: sleep 60: no end within 0.5 s"]
    )


def test_a_command_that_names_the_device_is_not_run_where_there_is_none(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` may find nothing, as on a laptop."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for name in ("TT_VISIBLE_DEVICES", "TT_METAL_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    if Path("/dev/tenstorrent").exists():
        pytest.skip("this machine has devices")
    pytester.makepyfile("def test_a():\n    assert 0, 'CUDA error: x'")
    result = run_pytest(pytester, "--repro-stress=1", "-n2", "--repro-devices=auto", _reset())
    result.stdout.fnmatch_lines(
        [
            "devices: none found, so none are leased",
            "1 reset after a device error, 1 failed: *: no device is known",
        ]
    )
    assert _lines(pytester, "log") == []


def test_an_error_while_the_last_fixture_is_torn_down_resets_too(pytester: pytest.Pytester) -> None:
    """Closing a device is where many errors show; the next test begins after the reset."""
    pytester.makepyfile(
        test_a="""
        import pytest

        @pytest.fixture(scope="module")
        def device():
            yield
            raise RuntimeError("TT_THROW @ /metal/close.cpp:1: x")

        def test_a(device):
            pass
        """,
        test_b="""
        import os

        def test_b():
            assert os.path.exists("log"), "no reset yet"
        """,
    )
    # Where time ends a test, no iteration knows that it is the last.
    result = run_pytest(pytester, LEASED, "--repro-stress-time=1s", _reset())
    result.assert_outcomes(passed=2, errors=1)
    assert _lines(pytester, "log") == ["reset 3 main"]


def test_more_workers_than_devices_are_refused_where_they_cannot_be_lowered(
    pytester: pytest.Pytester,
) -> None:
    """Two workers never share a device."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionstart(session):
            if hasattr(session.config.option, "tx") and not hasattr(session.config, "workerinput"):
                session.config.option.tx.append("popen")
        """
    )
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=4", "-n2", LEASED)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --repro-devices has 2 devices for 3 workers, as a plugin has added*"]
    )


@pytest.mark.parametrize("where", ["-n1", "--repro-isolate"])
def test_what_was_ended_for_a_hang_is_reset_for_that(pytester: pytest.Pytester, where: str) -> None:
    """A worker, or a process of its own."""
    pytester.makepyfile(
        """
        import time

        def test_a(repro):
            if repro.iteration == 2:
                time.sleep(60)
        """
    )
    result = run_pytest(pytester, "--repro-stress=4", "--repro-hang-time=1s", where, LEASED, _reset())
    result.stdout.fnmatch_lines(["  4 of 4 iterations ran, 1 failed (*", "1 reset of device 3 after a hang"])
    assert _lines(pytester, "log") == [f"reset 3 {'gw0' if where == '-n1' else 'main'}"]
