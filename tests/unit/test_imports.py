"""What pytest loads: the plugin is installed everywhere, so unused it must cost next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset({"pandas", "numpy", "jinja2", "pyinstrument", "scipy", "torch", "ttnn"})
PARTS = frozenset(
    {
        "pytest_repro.timing",
        "pytest_repro.logs",
        "pytest_repro.scaffold",
        "pytest_repro.report",
        "pytest_repro.verify",
        "pytest_repro.cli",
    }
)

# Loaded as a plugin of its own; nothing of the test's process reaches the pytest that it watches.
WATCHER = """
import json
import sys

def pytest_unconfigure():
    with open("modules.json", "w", encoding="utf-8") as file:
        json.dump(sorted(sys.modules), file)
"""


def modules_after(folder: Path, *arguments: str, test: str = "def test_nothing():\n    pass\n") -> set[str]:
    """Returns the names of all modules that a session has loaded by its end."""
    (folder / "watcher.py").write_text(WATCHER, encoding="utf-8")
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    # hypothesis comes with the project's development; with numpy beside it, its plugin loads numpy.
    command = (sys.executable, "-m", "pytest", "-p", "watcher", "-p", "no:hypothesispytest", *arguments)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(folder)
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return set(json.loads((folder / "modules.json").read_text(encoding="utf-8")))


def within(loaded: set[str], names: frozenset[str]) -> list[str]:
    """Returns the loaded modules that are, or lie in, one of these packages."""
    return sorted(module for module in loaded if any(f"{module}.".startswith(f"{name}.") for name in names))


def test_starting_pytest_loads_no_heavy_library_and_no_part_that_is_unused(tmp_path: Path) -> None:
    """Installed and unused, the plugin is there and loads its options and nothing else."""
    loaded = modules_after(tmp_path)
    assert "pytest_repro.plugin.options" in loaded
    assert within(loaded, HEAVY) == []
    assert within(loaded, PARTS) == []


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "controller"])
def test_a_stress_run_loads_nothing_for_frames_templates_profiles_or_devices(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    """`--repro-stress 2` alone needs neither pandas, jinja2, pyinstrument nor a device library."""
    loaded = modules_after(tmp_path, "--repro-stress", "2", *workers)
    assert "pytest_repro.stress.tally" in loaded
    assert within(loaded, frozenset({"pandas", "jinja2", "pyinstrument", "torch", "ttnn"})) == []


def test_a_worker_of_a_stress_run_loads_no_heavy_library(tmp_path: Path) -> None:
    """Workers run tests and send facts; tables, statistics and templates are the controller's."""
    test = (
        "import json, os, sys\n"
        "def test_nothing():\n"
        "    assert 'PYTEST_XDIST_WORKER' in os.environ\n"
        "    with open('worker.json', 'w', encoding='utf-8') as file:\n"
        "        json.dump(sorted(sys.modules), file)\n"
    )
    modules_after(tmp_path, "--repro-stress", "2", "-n1", test=test)
    loaded = set(json.loads((tmp_path / "worker.json").read_text(encoding="utf-8")))
    assert "pytest_repro.stress.loop" in loaded
    assert within(loaded, HEAVY) == []


def test_what_is_loaded_is_seen(tmp_path: Path) -> None:
    """The watcher can fail: it sees a heavy library that a test does load."""
    pytest.importorskip("jinja2")
    test = "import jinja2.sandbox\n\ndef test_nothing():\n    pass\n"
    assert "jinja2.sandbox" in within(modules_after(tmp_path, test=test), HEAVY)
