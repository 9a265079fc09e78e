"""Which devices there are is told by variables and files of drivers; no library is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.stress.devices import DevicePool, DeviceRequest, find_pool, parse_devices

ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", None),
        ("auto", DeviceRequest()),
        ("0,1,2", DeviceRequest(devices=("0", "1", "2"))),
        (" 0 , 7 ", DeviceRequest(devices=("0", "7"))),
        ("GPU-8f2c,0000:01:00.0", DeviceRequest(devices=("GPU-8f2c", "0000:01:00.0"))),
        ("MY_CARD=3,4", DeviceRequest(variable="MY_CARD", devices=("3", "4"))),
    ],
)
def test_devices_are_read_as_they_are_asked_for(text: str, expected: DeviceRequest | None) -> None:
    """All of them, none, some, or some of a variable of the user's own."""
    assert parse_devices(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ",", "0,", "0,0", "0,auto", "none,1", "MY=", "MY=auto", "=0", "1A=0", "A=B=0", "0 1", "-1", "a;b"],
)
def test_devices_that_cannot_be_are_refused(text: str) -> None:
    """Twice the same device would be one device for two workers."""
    with pytest.raises(ValueError, match="auto, none, devices such as"):
        parse_devices(text)


def _found(tmp_path: Path, request: DeviceRequest, environment: dict[str, str], gpus: str = "") -> DevicePool:
    return find_pool(request, environment, files=tmp_path, list_gpus=lambda: gpus)


def _make_files(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("environment", "variables", "devices"),
    [
        ({"TT_VISIBLE_DEVICES": "2,3"}, ("TT_VISIBLE_DEVICES",), ("2", "3")),
        ({"TT_METAL_VISIBLE_DEVICES": "1"}, ("TT_METAL_VISIBLE_DEVICES",), ("1",)),
        ({"CUDA_VISIBLE_DEVICES": "GPU-a, GPU-b"}, ("CUDA_VISIBLE_DEVICES",), ("GPU-a", "GPU-b")),
        ({"CUDA_VISIBLE_DEVICES": "1,1,-1,2"}, ("CUDA_VISIBLE_DEVICES",), ("1",)),
        (
            {"TT_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "5"},
            ("TT_VISIBLE_DEVICES",),
            ("0",),
        ),
    ],
)
def test_a_variable_that_is_set_names_the_devices_that_may_be_used(
    tmp_path: Path, environment: dict[str, str], variables: tuple[str, ...], devices: tuple[str, ...]
) -> None:
    """Whatever else the machine has; and their numbers mean what they meant before."""
    _make_files(tmp_path, "tenstorrent/0", "nvidia0", "nvidia1")
    pool = _found(tmp_path, DeviceRequest(), environment)
    assert (pool.variables, pool.devices, pool.also) == (variables, devices, {})


def test_files_of_drivers_tell_how_many_devices_there_are(tmp_path: Path) -> None:
    """In a container the files keep the numbers of the machine; what a process counts begins at 0."""
    _make_files(tmp_path, "nvidia3", "nvidia7", "nvidiactl", "nvidia-uvm")
    pool = _found(tmp_path, DeviceRequest(), {})
    assert (pool.variables, pool.devices) == (("CUDA_VISIBLE_DEVICES",), ("0", "1"))
    assert pool.environment("1") == {"CUDA_VISIBLE_DEVICES": "1", **ORDER}
    _make_files(tmp_path, "tenstorrent/0", "tenstorrent/1", "tenstorrent/by-id")
    pool = _found(tmp_path, DeviceRequest(), {})
    assert pool == DevicePool(variables=("TT_VISIBLE_DEVICES",), devices=("0", "1"), also={})


def test_without_files_nvidia_smi_is_asked(tmp_path: Path) -> None:
    """Some systems have no file for each GPU."""
    listed = "GPU 0: NVIDIA H200 (UUID: GPU-1)\n  MIG 1g: (UUID: MIG-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n"
    assert _found(tmp_path, DeviceRequest(), {}, listed).devices == ("0", "1")
    assert _found(tmp_path / "none", DeviceRequest(), {}).devices == ()


def test_gpus_that_were_hidden_are_not_leased(tmp_path: Path) -> None:
    """An empty variable says: none."""
    _make_files(tmp_path, "nvidia0")
    assert _found(tmp_path, DeviceRequest(), {"CUDA_VISIBLE_DEVICES": ""}).devices == ()


@pytest.mark.parametrize(
    ("files", "environment", "variables"),
    [
        (("tenstorrent/0",), {}, ("TT_VISIBLE_DEVICES",)),
        (("nvidia0",), {}, ("CUDA_VISIBLE_DEVICES",)),
        ((), {"CUDA_VISIBLE_DEVICES": "0,1"}, ("CUDA_VISIBLE_DEVICES",)),
        ((), {}, ("TT_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")),
    ],
)
def test_devices_that_are_named_go_to_the_variable_of_what_is_there(
    tmp_path: Path, files: tuple[str, ...], environment: dict[str, str], variables: tuple[str, ...]
) -> None:
    """To both where nothing tells."""
    _make_files(tmp_path, *files)
    pool = _found(tmp_path, DeviceRequest(devices=("4", "5")), environment)
    assert (pool.variables, pool.devices) == (variables, ("4", "5"))


def test_a_variable_of_the_users_own_is_set_alone(tmp_path: Path) -> None:
    """Whatever the machine has."""
    _make_files(tmp_path, "tenstorrent/0")
    pool = _found(tmp_path, DeviceRequest(variable="MY", devices=("a",)), {})
    assert pool.environment("a") == {"MY": "a"}


def test_the_order_that_a_user_has_chosen_stays(tmp_path: Path) -> None:
    """CUDA's own numbers are by speed unless told otherwise."""
    _make_files(tmp_path, "nvidia0")
    pool = _found(tmp_path, DeviceRequest(), {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    assert pool.environment("0") == {"CUDA_VISIBLE_DEVICES": "0"}


def test_the_older_name_does_not_undo_the_newer_one(tmp_path: Path) -> None:
    """Where both are set, both are leased."""
    environment = {"TT_METAL_VISIBLE_DEVICES": "0,1", "TT_VISIBLE_DEVICES": "0,1"}
    pool = _found(tmp_path, DeviceRequest(), environment)
    assert pool.environment("1") == {"TT_VISIBLE_DEVICES": "1", "TT_METAL_VISIBLE_DEVICES": "1"}
