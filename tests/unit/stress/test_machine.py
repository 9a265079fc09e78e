"""Which accelerators a machine has, by the files of their drivers."""

from __future__ import annotations

from pathlib import Path

from pytest_repro.stress.machine import devices_of_machine


def _write(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_each_driver_names_its_devices_in_their_order(tmp_path: Path) -> None:
    """By the files that NVIDIA's, Tenstorrent's and AMD's drivers make, without any library."""
    _write(tmp_path, "proc/driver/nvidia/gpus/0000:65:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 5\n")
    _write(tmp_path, "proc/driver/nvidia/gpus/0000:b1:00.0/other")
    for number in (0, 2, 10):
        _write(tmp_path, f"dev/tenstorrent/{number}")
    _write(tmp_path, "dev/tenstorrent/by-id/x")
    _write(tmp_path, "sys/class/tenstorrent/tenstorrent!2/tt_card_type", "n150\n")
    _write(tmp_path, "sys/class/kfd/kfd/topology/nodes/0/name", "\n")
    _write(tmp_path, "sys/class/kfd/kfd/topology/nodes/1/name", "aldebaran\n")
    assert devices_of_machine(tmp_path) == [
        "NVIDIA H200",
        "NVIDIA GPU",
        "Tenstorrent device",
        "Tenstorrent n150",
        "Tenstorrent device",
        "AMD aldebaran",
    ]


def test_a_machine_without_drivers_has_no_devices(tmp_path: Path) -> None:
    """And nothing is raised for what is not there."""
    assert devices_of_machine(tmp_path) == []
