"""The checkout and the sessions behind the README's examples of `repro-report`: the same each time.

A test loses a packet in 3 of 50 iterations and reads back slowly; a branch repairs both. On record: a stress
run before and one after the fix, a gate, and a certificate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.repositories import Checkout
from tests.unit.report.session_records import batch, failure, write_session

TEST = "test_packets.py::test_packets_arrive"
ITERATIONS = 50

_TEST_FILE = """\
from link.queue import arrived


def test_packets_arrive():
    assert arrived() == 10
"""
_FILES = {
    ".gitignore": ".pytest_repro/\noutputs/\n",
    ".github/CODEOWNERS": "*        @acme/core\n/link/   @acme/link\n",
    "pyproject.toml": (
        '[tool.pytest-repro.workflows]\nalways = ["all-post-commit"]\n"link/**" = ["link-nightly"]\n'
    ),
    "test_packets.py": _TEST_FILE,
    "link/queue.py": "def arrived():\n    return poll(10, wait=False)\n",
}
_WAITING = "def arrived():\n    # The last packet may still be under way.\n"
_FIXED = {"link/queue.py": f"{_WAITING}    return poll(10, wait=True)\n"}

LEFT_BEHIND = {
    "link/queue.py": _WAITING
    + "    count = poll(10, wait=True)\n    print('arrived', count)\n    return count\n",
    "packet-lost/run_test.sh": "#!/usr/bin/env bash\npytest tests\n",
}
"""What was forgotten in the branch, for `pr-check`."""

_BASE = {"commit": "4f2d8a90c1b7", "branch": "fix/packets", "is_dirty": False, "difference": None}
_FIX = {**_BASE, "commit": "c81be20f96d5"}
_FACTS = {"host": "lab3", "cpus": 8, "python": "3.12.1", "versions": {"pytest": "9.2.0"}, "devices": []}
_LOST = (7, 23, 38)


def write_store(folder: Path) -> None:
    """Makes the checkout, on the branch with the fix, and its records."""
    checkout = Checkout(folder)
    checkout.commit(_FILES)
    checkout.git("checkout", "--quiet", "-b", "fix/packets")
    checkout.commit(_FIXED)
    _stress(folder, tag="before", git=_BASE, lost=_LOST, read_back_ns=160_000_000)
    _stress(folder, tag="after", git=_FIX, lost=(), read_back_ns=31_000_000)
    _gate(folder)
    _certificate(folder)


def _stress(folder: Path, *, tag: str, git: dict[str, Any], lost: tuple[int, ...], read_back_ns: int) -> None:
    failures = [_failure(one, text=_TEXT, seed=one, elapsed_ns=one * 480_000_000) for one in lost]
    # Each iteration differs a little from the others, in no order.
    read_back = [read_back_ns + (number * 7919 % 97) * read_back_ns // 2000 for number in range(ITERATIONS)]
    outcomes = [("failed" if number in lost else "passed", 1) for number in range(1, ITERATIONS + 1)]
    profiles: list[dict[str, Any]] = [
        {
            "test": TEST,
            "worker": "main",
            "iteration": number,
            "outcome": outcomes[number - 1][0],
            "contended": "",
            "phases": [
                _phase("to_device", 4_000_000 + (number * 37 % 11) * 50_000, 9_270_000),
                _phase("to_torch", read_back[number - 1], 9_270_000),
            ],
        }
        for number in range(1, ITERATIONS + 1)
    ]
    durations = [1_000_000 + sum(one["duration_ns"] for one in profile["phases"]) for profile in profiles]
    test = {
        "test": TEST,
        "planned": ITERATIONS,
        "outcomes": {"passed": ITERATIONS - len(lost), "failed": len(lost)},
        "stages_ns": [1_000_000, sum(durations), 1_000_000],
        "fastest_ns": min(durations),
        "slowest_ns": max(durations),
        "first_failure": failures[0] if failures else None,
    }
    bugs = [
        {
            "signature": one["signature"],
            "failures": len(failures),
            "tests": [TEST],
            "first": one,
            "replay": f"pytest {TEST} --repro-seed 1 --repro-replay {one['iteration']}",
        }
        for one in failures[:1]
    ]
    write_session(
        folder,
        minute=0 if tag == "before" else 20,
        facts={
            **_FACTS,
            "git": git,
            "tag": tag,
            "command": f"pytest --repro-stress {ITERATIONS} --repro-timing --repro-tag {tag}",
        },
        summary={
            "kind": "stress",
            "exit_status": int(bool(lost)),
            "is_complete": True,
            "iterations_planned": ITERATIONS,
            "iterations_executed": ITERATIONS,
            "failures": len(lost),
            "base_seed": 1,
            "tests": [test],
            "bugs": bugs,
            "timing": [_timing(profiles)],
        },
        records={
            "iterations.jsonl": [batch(TEST, outcomes, durations)],
            "failures.jsonl": failures,
            "profiling.jsonl": profiles,
        },
    )


def _failure(iteration: int, **other: Any) -> dict[str, Any]:
    made = failure(TEST, iteration, message="assert 9 == 10", **other)
    made["signature"] |= {"file": "test_packets.py", "function": "test_packets_arrive"}
    return made


_TEXT = """\
    def test_packets_arrive():
>       assert arrived() == 10
E       assert 9 == 10

test_packets.py:5: AssertionError"""


def _phase(name: str, duration_ns: int, size_bytes: int) -> dict[str, Any]:
    return {
        "name": name,
        "duration_ns": duration_ns,
        "unfenced_ns": duration_ns,
        "fenced": True,
        "transfer": {"size_bytes": size_bytes, "shape": [2317500], "dtype": "float32", "layout": None},
    }


def _timing(profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what the summary says of the phases, as the recorder sums them up."""
    phases = [
        [phase for profile in profiles for phase in profile["phases"] if phase["name"] == name]
        for name in ("to_device", "to_torch")
    ]
    totals = [sum(phase["duration_ns"] for phase in one) for one in phases]
    rows = [
        {
            "name": one[0]["name"],
            "operation": None,
            "within": [],
            "stage": "call",
            "calls": len(one),
            "total_ns": total_ns,
            "cold_calls": 0,
            "cold_ns": 0,
            "own_ns": total_ns,
            "unfenced_ns": total_ns,
            "size_bytes": sum(phase["transfer"]["size_bytes"] for phase in one),
            "largest": one[0]["transfer"],
            "largest_ns": max(phase["duration_ns"] for phase in one),
            "share": total_ns / sum(totals),
            "is_open": False,
            "is_fenced": True,
        }
        for one, total_ns in zip(phases, totals, strict=True)
    ]
    return {
        "test": TEST,
        "iterations": len(profiles),
        "failing": sum(profile["outcome"] == "failed" for profile in profiles),
        "interrupted": 0,
        "contended": "",
        "phases": rows,
        "operations": [{**row, "operation": row["name"]} for row in rows],
        "total_ns": sum(totals),
        "threads": 1,
        "elapsed_ns": sum(totals),
        "bottleneck": ["call", "to_torch"],
        "meaning": None,
        "series": [],
        "problems": [],
        "peaks": [],
    }


def _gate(folder: Path) -> None:
    said = "stable: 59 of 59 runs passed: a failure rate above 5.0 % is ruled out at 95 % confidence"
    write_session(
        folder,
        kind="verify",
        minute=25,
        facts={**_FACTS, "git": _FIX, "command": "pytest --verify-runs 59"},
        summary={
            "kind": "verify",
            "verdict": "stable",
            "exit_status": 0,
            "runs_asked": 59,
            "runs_passed": 59,
            "said": [said],
            "runs": [{"run": run, "exit_status": 0, "duration_ns": 400_000_000} for run in range(1, 60)],
        },
    )


def _certificate(folder: Path) -> None:
    signature = _failure(7)["signature"]
    said = (
        "certified: the base failed in 3 of 3 runs, the fix in 0 of 3; if they failed alike, "
        "that would have a chance of 5.0 % (Fisher's exact test)"
    )
    runs = [_run("base", run, 3) for run in (1, 2, 3)] + [_run("fix", run, 0) for run in (1, 2, 3)]
    command = f"pytest {TEST} --repro-stress {ITERATIONS}"
    write_session(
        folder,
        kind="certificate",
        minute=30,
        facts={
            **_FACTS,
            "git": _FIX,
            "command": f"{command} --verify-runs 3 --verify-base main",
        },
        summary={
            "kind": "certificate",
            "verdict": "certified",
            "statement": said,
            "exit_status": 0,
            "confidence": 0.95,
            "runs_asked": 3,
            "chance": 0.05,
            "base": _side("main", "4f2d8a90c1b7", failed=3, interval=[0.2924, 1.0], median_ns=8_600_000_000),
            "fix": _side("HEAD", "c81be20f96d5", failed=0, interval=[0.0, 0.7076], median_ns=2_400_000_000),
            "ruled_out_rate_of_fix": 0.6316,
            "bugs_of_base": [{"signature": signature, "message": "", "runs": [1, 2, 3], "counts": True}],
            "command": command,
            "runs": runs,
        },
    )


def _side(name: str, commit: str, *, failed: int, interval: list[float], median_ns: int) -> dict[str, Any]:
    told = {"name": name, "commit": commit, "runs": 3, "failed": failed, "failure_rate": failed / 3}
    return told | {"interval": interval, "median_duration_ns": median_ns}


def _run(side: str, run: int, failures: int) -> dict[str, Any]:
    outcome = "failed" if failures else "passed"
    test = {"outcome": outcome, "failures": failures, "iterations": ITERATIONS}
    exit_status, duration_ns = int(bool(failures)), 8_600_000_000 if failures else 2_400_000_000
    return {
        "side": side,
        "run": run,
        "exit_status": exit_status,
        "duration_ns": duration_ns,
        "report": {"tests": {TEST: test}},
    }
