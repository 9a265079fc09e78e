"""Profiles as log lines, JSON records, and payloads between processes."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Metric, Outcome, Phase, Profile, Stage, Transfer
from pytest_repro.timing.backend import AUTOMATIC
from pytest_repro.timing.names import encodable, printable, staged_name, word
from pytest_repro.timing.summary import named_totals
from pytest_repro.timing.units import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_repro.store import SessionFolder

FORMAT_VERSION = 1
"""Of `profiling.jsonl`; it grows when a field changes its meaning or goes."""

LOG = "profiling_results.log"
RECORDS = "profiling.jsonl"

Payload = dict[str, Any]
"""Builtins only: text, numbers, None, lists and dicts."""


def write_profile(folder: SessionFolder, profile: Profile) -> None:
    """Adds one iteration to `profiling_results.log` and to `profiling.jsonl`."""
    folder.append_line(LOG, log_line(profile))
    folder.append(RECORDS, jsonl_record(profile))


def log_line(profile: Profile) -> str:
    """Returns the line of one iteration for `profiling_results.log`, without its line end.

    Times come first, so that `grep '^to_device='` finds every line: the three automatic phases in this
    order, then the others, then metrics, then what it belongs to::

        to_device=0.050s, op=0.020s, to_torch=8.620s, samples_per_s=19646.28 # iteration=3 worker=gw0 ...
    """
    totals = named_totals(profile.phases)
    times = {name: totals.pop(name, 0) for name in AUTOMATIC} | totals
    parts = [f"{word(name)}={seconds(duration_ns)}" for name, duration_ns in times.items()]
    parts += [f"{word(metric.name)}={metric.value!r}" for metric in profile.metrics]
    open_names = ",".join(word(staged_name(phase)) for phase in profile.phases if phase.is_open)
    facts = {
        "iteration": str(profile.iteration),
        "worker": profile.worker,
        "outcome": profile.outcome.value,
        "open": open_names,
        "contended": word(profile.contended),
        "test": printable(" ".join(profile.test.split())),
    }
    return f"{', '.join(parts)} # {' '.join(f'{key}={value}' for key, value in facts.items() if value)}"


def jsonl_record(profile: Profile) -> Payload:
    """Returns the record of one iteration for `profiling.jsonl`: all fields, and what follows from them."""
    return {
        "format_version": FORMAT_VERSION,
        "test": profile.test,
        "iteration": profile.iteration,
        "worker": profile.worker,
        "outcome": profile.outcome.value,
        "contended": profile.contended,
        "totals_ns": named_totals(profile.phases),
        "total_ns": sum(phase.duration_ns for phase in profile.phases if phase.depth == 0),
        "phases": [_phase_record(phase) for phase in profile.phases],
        "metrics": [{"name": metric.name, "value": metric.value} for metric in profile.metrics],
    }


def profile_to_payload(profile: Profile) -> Payload:
    """Returns a profile as builtins, for the way from a worker to the controller; defaults are left out."""
    return {
        "test": profile.test,
        "iteration": profile.iteration,
        "worker": profile.worker,
        "outcome": profile.outcome.value,
        "contended": profile.contended,
        "phases": [phase_to_payload(phase) for phase in profile.phases],
        "metrics": [[encodable(metric.name), metric.value] for metric in profile.metrics],
    }


def profile_from_payload(payload: Mapping[str, Any]) -> Profile:
    """Returns the profile that `profile_to_payload` made a payload of."""
    return Profile(
        test=payload["test"],
        iteration=payload["iteration"],
        worker=payload["worker"],
        outcome=Outcome(payload["outcome"]),
        contended=payload["contended"],
        phases=tuple(phase_from_payload(phase) for phase in payload["phases"]),
        metrics=tuple(Metric(name=name, value=value) for name, value in payload["metrics"]),
    )


def phase_to_payload(phase: Phase) -> Payload:
    """Returns a phase as builtins, without the fields that have their default."""
    payload = {
        name: getattr(phase, name) for name, default in _PHASE_FIELDS if getattr(phase, name) != default
    }
    payload["name"] = encodable(phase.name)
    if phase.operation is not None:
        payload["operation"] = encodable(phase.operation)
    if phase.within:
        payload["within"] = list(map(encodable, phase.within))
    if phase.peaks:
        payload["peaks"] = dict(phase.peaks)
    if phase.stage is not Stage.CALL:
        payload["stage"] = phase.stage.value
    for name in _TENSORS:
        tensor = getattr(phase, name)
        if tensor is not None:
            payload[name] = transfer_record(tensor)
    return payload


def phase_from_payload(payload: Mapping[str, Any]) -> Phase:
    """Returns the phase that `phase_to_payload` made a payload of."""
    values = dict(payload)
    values["within"] = tuple(values.get("within", ()))
    values["peaks"] = tuple(values.get("peaks", {}).items())
    values["stage"] = Stage(values.get("stage", Stage.CALL))
    for name in _TENSORS:
        tensor = values.get(name)
        if tensor is not None:
            values[name] = Transfer(**{**tensor, "shape": tuple(tensor["shape"])})
    return Phase(**values)


def _phase_record(phase: Phase) -> Payload:
    record = {name: getattr(phase, name) for name, _ in _PHASE_FIELDS}
    record["within"] = list(phase.within)
    record["stage"] = phase.stage.value
    record["peak_bytes"] = dict(phase.peaks)
    for name in _TENSORS:
        tensor = getattr(phase, name)
        record[name] = None if tensor is None else transfer_record(tensor)
    record["duration_ns"] = phase.duration_ns
    record["unfenced_ns"] = phase.unfenced_ns
    return record


def transfer_record(transfer: Transfer) -> Payload:
    """Returns what was moved as builtins."""
    return {
        "size_bytes": transfer.size_bytes,
        "shape": list(transfer.shape),
        "dtype": transfer.dtype,
        "layout": transfer.layout,
    }


_TENSORS = ("transfer", "operand")

_PHASE_FIELDS = tuple(
    (field.name, None if field.default is MISSING else field.default)
    for field in fields(Phase)
    if field.name not in {"within", "stage", "peaks", *_TENSORS}
)
