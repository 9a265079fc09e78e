"""Which devices there are, and which one a worker is given."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

TENSTORRENT = "TT_VISIBLE_DEVICES"
"""What tt-metal's driver reads."""

CUDA = "CUDA_VISIBLE_DEVICES"
"""What CUDA reads."""

_OLDER_TENSTORRENT = "TT_METAL_VISIBLE_DEVICES"
_CUDA_ORDER = "CUDA_DEVICE_ORDER"

_LIST_LIMIT_S = 20.0
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A number, a UUID (GPU-..., MIG-...), or an address on the bus (0000:01:00.0).
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_WANTED = "auto, none, devices such as 0,1,2 (each once), or a variable with its devices such as NAME=0,1,2"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """What `--repro-devices` asks for.

    Attributes:
        variable: The user's own variable, None for that of the devices that are there.
        devices: As they were given; empty for all that are there.
    """

    variable: str | None = None
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePool:
    """The devices that workers are given.

    Attributes:
        variables: Environment variables that tell a process its device.
        devices: What they are set to, one for each worker; empty where no device was found.
        also: Variables that are set along with them, with their values.
    """

    variables: tuple[str, ...]
    devices: tuple[str, ...]
    also: Mapping[str, str]

    def environment(self, device: str) -> dict[str, str]:
        """Returns the variables of a process that is given this device."""
        return {**self.also, **dict.fromkeys(self.variables, device)}


def parse_devices(text: str) -> DeviceRequest | None:
    """Reads `auto`, `none`, `0,1,2` or `NAME=0,1,2`; None stands for none.

    Raises:
        ValueError: It is none of these, or names a device twice.
    """
    name, equals, listed = text.strip().rpartition("=")
    name = name.strip()
    if not equals and listed.strip() in ("auto", "none"):
        return DeviceRequest() if listed.strip() == "auto" else None
    devices = tuple(part.strip() for part in listed.split(","))
    is_named = not equals or _NAME.fullmatch(name) is not None
    is_listed = all(_DEVICE.fullmatch(device) for device in devices) and len(set(devices)) == len(devices)
    if not (is_named and is_listed) or set(devices) & {"auto", "none"}:
        raise ValueError(_WANTED)
    return DeviceRequest(variable=name if equals else None, devices=devices)


def find_pool(
    request: DeviceRequest,
    environment: Mapping[str, str],
    *,
    files: Path = Path("/dev"),
    list_gpus: Callable[[], str] | None = None,
) -> DevicePool:
    """Returns the devices that a session shares out.

    A variable that is set already names the devices that may be used; else the files of their drivers tell
    how many there are. No device library is loaded.

    Args:
        request: What was asked for.
        environment: Of this process.
        files: Where drivers have their files.
        list_gpus: Asked for CUDA's devices where there is no file: returns one line for each.
    """
    if request.variable is not None:
        is_counted = request.variable not in environment
        return _pool((request.variable,), request.devices, environment, is_counted=is_counted)
    for variable in (TENSTORRENT, _OLDER_TENSTORRENT, CUDA):
        if environment.get(variable, "").strip():
            return _pool((variable,), request.devices or _visible(environment[variable]), environment)
    hides_gpus = CUDA in environment and not request.devices
    variables: tuple[str, ...] = (TENSTORRENT,)
    number = _numbered(files / "tenstorrent", "")
    if not number and not hides_gpus:
        variables = (CUDA,)
        number = _numbered(files, "nvidia") or _gpus_in((list_gpus or gpu_list)())
    if not number:
        # Devices that were named are handed out as they were named, whichever kind they are.
        variables = (TENSTORRENT, CUDA)
    # Drivers count what a process can see from 0, whatever the numbers of the files.
    devices = request.devices or tuple(str(index) for index in range(number))
    return _pool(variables, devices, environment, is_counted=True)


def gpu_list() -> str:
    """Returns what `nvidia-smi -L` prints: one line for each GPU; empty where there is no such command."""
    try:
        result = subprocess.run(
            ("nvidia-smi", "-L"), capture_output=True, text=True, timeout=_LIST_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout


def _pool(
    variables: tuple[str, ...],
    devices: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    is_counted: bool = False,
) -> DevicePool:
    if TENSTORRENT in variables and environment.get(_OLDER_TENSTORRENT):
        # The older name goes before the newer one in libraries that know both.
        variables = (*variables, _OLDER_TENSTORRENT)
    # Otherwise CUDA numbers its devices by speed: the numbers are those of nvidia-smi.
    is_ordered = is_counted and CUDA in variables and _CUDA_ORDER not in environment
    return DevicePool(
        variables=variables, devices=devices, also={_CUDA_ORDER: "PCI_BUS_ID"} if is_ordered else {}
    )


def _visible(value: str) -> tuple[str, ...]:
    """Returns the devices of a variable; CUDA takes none from the first one on that cannot be."""
    devices: dict[str, None] = {}
    for part in value.split(","):
        device = part.strip()
        if not _DEVICE.fullmatch(device):
            break
        devices.setdefault(device)
    return tuple(devices)


def _numbered(folder: Path, prefix: str) -> int:
    """Returns how many files are named by a prefix and a number."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return 0
    return sum(re.fullmatch(rf"{prefix}\d+", name) is not None for name in names)


def _gpus_in(text: str) -> int:
    return len(re.findall(r"^GPU \d+:", text, re.MULTILINE))
