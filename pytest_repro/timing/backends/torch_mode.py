"""The function mode through which torch shows its calls."""

from __future__ import annotations

from functools import partial
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_repro.timing.backend import OP
from pytest_repro.timing.backends.torch_calls import label_of, phase_of
from pytest_repro.timing.call_sites import frame_above, leave_out
from pytest_repro.timing.host_calls import HostCall, HostMove
from pytest_repro.timing.memory import FROM_NS
from pytest_repro.timing.spans import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.backends.torch_calls import Settling
    from pytest_repro.timing.call_sites import Caller, CallSites
    from pytest_repro.timing.recorder import Recorder
    from pytest_repro.timing.run import Run, Thread

# pytest and the signatures of failures leave this file's frames out.
__tracebackhide__ = True

_WORTH_NS = 10_000
"""Calls of the host alone that take less are not looked into for what they worked on: that takes as long."""

_MOST_LABELS = 10_000


class Settled(NamedTuple):
    """A call whose phase is known only when it was made.

    Attributes:
        label: What it is called in reports.
        name: Its name.
        phase: What its name alone says that it is on a machine without a device, empty if it does not.
    """

    label: str
    name: str
    phase: str


class Labels:
    """What torch's functions are called in reports.

    Args:
        settled: Names of the functions that are `Settled`.
    """

    def __init__(self, settled: frozenset[str]) -> None:
        self.known: dict[Any, str | Settled] = {}
        self._settled = settled

    def find(self, function: Any) -> str | Settled:
        """Returns the label of a function; empty if it does no work or its name cannot be told."""
        if not _is_lasting(function):
            return self._made(function)
        label = self.known.get(function)
        if label is None:
            if len(self.known) >= _MOST_LABELS:
                self.known.clear()
            # A property's getter or setter is a question about a tensor.
            is_property = type(function) is MethodWrapperType
            label = self.known[function] = "" if is_property else self._made(function)
        return label

    def _made(self, function: Any) -> str | Settled:
        name = name_of(function)
        label = label_of(name)
        return Settled(label, name, phase_of(name)) if label and name in self._settled else label


def _is_lasting(function: Any) -> bool:
    """Returns whether a function can be remembered: by no code of a test, and with no tensor inside."""
    kind = type(function)
    if kind is FunctionType:
        return function.__closure__ is None
    if kind is BuiltinFunctionType or kind is MethodWrapperType:
        return not hasattr(type(function.__self__), "__torch_function__")
    return kind is MethodDescriptorType or kind is WrapperDescriptorType


def name_of(function: Any) -> str:
    """Returns the name of a function, empty where it has none."""
    try:
        name = function.__name__
    except Exception:  # noqa: BLE001 - a callable of the test's own may raise anything
        return ""
    return name if type(name) is str else ""


class Stopped:
    """Stands for the recorder in modes that cannot be left: those of threads that outlive the harness."""

    run = None


def mode_class(  # noqa: C901 - its one method
    torch: Any, *, clock: MonotonicNs, settling: Settling, labels: Labels, sites: CallSites, on_host: bool
) -> type[Any]:
    """Returns the mode's class; its base exists only where torch is imported.

    Args:
        torch: The module.
        clock: The recorder's.
        settling: Tells what calls were.
        labels: Names calls.
        sites: Makes calls.
        on_host: Whether this machine has no accelerator.
    """
    is_compiling = torch.compiler.is_dynamo_compiling
    dispatch_modes = torch._C._len_torch_dispatch_stack  # noqa: SLF001 - the public ways are slow
    is_without_data = _without_data(torch)
    tensor = torch.Tensor
    overrides = torch.overrides.handle_torch_function.__code__
    known_sites, known_labels = sites.known, labels.known
    host_phase = settling.host_phase

    class PhaseMode(torch.overrides.TorchFunctionMode):  # type: ignore[misc, no-any-unimported, unused-ignore]
        """Records each outermost torch call of one thread; torch itself keeps inner calls from coming here.

        torch hands it on to the threads in which it computes gradients: those work while this one waits.

        Args:
            recorder: Gets the phases.
        """

        def __init__(self, recorder: Recorder) -> None:
            super().__init__()
            self.recorder: Recorder | Stopped = recorder
            self._run: Run | None = None
            self._thread: Any = None
            self._is_plain = False

        def __torch_function__(  # noqa: C901, PLR0912, PLR0915 - one function: calls cost more
            self,
            func: Any,
            types: Any,
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
        ) -> Any:
            # A graph is traced: it must see torch's calls only.
            if is_compiling():
                return func(*args, **(kwargs or {}))
            # From here on calls are what costs most: this is paid by each call of torch.
            frame = frame_above(1)
            code = frame.f_code
            if code is overrides:
                # A function of torch in Python asks to be called again; the frame above it is who called it.
                frame = _above(frame)
                code = frame.f_code
            site = known_sites.get(id(code) + frame.f_lasti)
            call = site[0] if site is not None and site[1] is code else sites.caller(frame)
            host_call: Any = None
            place = None
            frames = 1
            run: Any = self.recorder.run
            # A signal handler may raise at any place.
            try:
                if run is not None:
                    thread = self._thread if run is self._run else self._begin(run)
                    label: Any
                    try:
                        label = known_labels[func]
                    except Exception:  # noqa: BLE001 - not known yet, or a callable of the test's own
                        label = labels.find(func)
                    if not label or thread.in_call:
                        pass
                    elif self._is_plain and not run.fences and (type(label) is str or not dispatch_modes()):
                        # See `HostCall`: its `__enter__` stands here, and its `__exit__` below.
                        if type(label) is str:
                            host_call = HostCall()
                            host_call.operation = label
                        else:
                            host_call = HostMove()
                            host_call.moved = None
                            host_call.operation = label.label
                            host_call.name = label.phase or host_phase(label.name, args, kwargs or {})
                        host_call._thread = thread  # noqa: SLF001 - see above
                        host_call.within = thread.names if not thread.has_tasks else thread.names_in_task()
                        host_call.is_open = True
                        host_call.call_ns = RUNNING
                        host_call.start_ns = clock()
                        notes = run.notes
                        if notes is not None:
                            place = notes.enter_phase(host_call, thread.index)
                        spans = run.spans
                        spans.append(host_call)
                        if len(spans) > run.limit:
                            run.fold(host_call)
                        thread.in_call = True
                    else:
                        call, frames = partial(self._recorded, call, label), 2
                frames += 1
                result = call(func, args, kwargs)
                if host_call is not None:
                    thread.in_call = False
                    frames = 1
                    host_call.call_ns = clock() - host_call.start_ns
                    if host_call.name != OP:
                        host_call.moved = settling.moved_on_host(label.name, args, kwargs or {}, result)
                        if host_call.call_ns >= FROM_NS:
                            thread.peaks[host_call.start_ns] = run.memory.peaks()
                    elif type(result) is not tensor and dispatch_modes() and is_without_data():
                        _take_back(spans, host_call)
                    elif host_call.call_ns >= _WORTH_NS:
                        start_ns, took_ns = host_call.start_ns, host_call.call_ns
                        describe = partial(settling.largest, args, result)
                        run.operands.note(OP, host_call.operation, start_ns, took_ns, describe)
                        if took_ns >= FROM_NS:
                            thread.peaks[start_ns] = run.memory.peaks()
                    host_call.is_open = False
                    if run.notes is not None:
                        notes.leave_phase(place, host_call, thread.index)
            except BaseException as error:
                if host_call is not None or frames > 2:
                    thread.in_call = False
                if host_call is not None:
                    _break_off(run, host_call, place, clock)
                leave_out(error, frames)
                raise
            return result

        def _begin(self, run: Run) -> Thread:
            thread = self._thread = run.thread()
            self._is_plain = on_host and run.watch is None
            self._run = run
            return thread

        def _recorded(
            self,
            call: Caller,
            label: str | Settled,
            func: Any,
            args: Sequence[Any],
            kwargs: Mapping[str, Any] | None,
        ) -> Any:
            if dispatch_modes() and is_without_data():
                return call(func, args, kwargs)
            named = kwargs or {}
            name, text = (name_of(func), label) if isinstance(label, str) else (label.name, label.label)
            is_host = on_host or settling.is_on_host(name, args, named)
            phase = OP if isinstance(label, str) else settling.expected(name, args, named)
            span = self.recorder.automatic(phase, text, on_host=is_host)  # type: ignore[union-attr]
            if span is None:
                return call(func, args, kwargs)
            with span:
                result = call(func, args, kwargs)
                if not isinstance(label, str):
                    settling.settle(span, name, args, named, result)
                if span.name == OP:
                    span.works_on(partial(settling.largest, args, result))
                if not is_host:
                    span.on_host = not settling.note(args, result)
            return result

    return PhaseMode


def _break_off(run: Run, host_call: Any, place: int | None, clock: MonotonicNs) -> None:
    """Ends a call that an error left, or that one kept from beginning or from being recorded as ended."""
    if hasattr(host_call, "start_ns") and host_call.call_ns == RUNNING:
        host_call.call_ns = clock() - host_call.start_ns
        if run.notes is not None and place is not None:
            run.notes.leave_phase(place, host_call, host_call.thread)


def _take_back(spans: list[Any], host_call: HostCall) -> None:
    """Takes a call that computed nothing out of the record, unless another thread added one since."""
    if spans[-1] is host_call:
        spans.pop()


def _above(frame: Any) -> FrameType:
    for _ in range(2):
        frame = frame.f_back or frame
    return frame  # type: ignore[no-any-return]


def _without_data(torch: Any) -> Callable[[], bool]:
    """Returns what tells whether calls are only traced: nothing is computed, and sizes can be symbolic."""
    keys = torch._C._TorchDispatchModeKey  # noqa: SLF001 - there is no public way
    mode_of = torch._C._get_dispatch_mode  # noqa: SLF001
    kinds = (keys.FAKE, keys.PROXY, keys.FUNCTIONAL)
    return lambda: any(mode_of(kind) is not None for kind in kinds)
