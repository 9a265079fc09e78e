"""What a session was asked for, as hook objects in each of its processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.clock import MonotonicNs, now_utc
from pytest_repro.plugin.internals.process import allow_tracing_by
from pytest_repro.plugin.internals.protocol import leave_seeds_to_us
from pytest_repro.plugin.internals.workers import (
    count_tests_not_slices,
    receive_from_worker,
    send_to_controller,
)
from pytest_repro.plugin.isolated_job import IsolatedJob, take_isolated_job
from pytest_repro.plugin.iteration import Current
from pytest_repro.plugin.options import Options
from pytest_repro.plugin.profile_desk import ProfileDesk
from pytest_repro.plugin.session import (
    WORKER_INPUT,
    is_worker,
    place_of,
    run_folder_of,
    take_code_places,
    worker_input,
)
from pytest_repro.plugin.timing import Repro, Timekeeper

if TYPE_CHECKING:
    from pytest_repro.model import Profile
    from pytest_repro.plugin.command import Relaunch
    from pytest_repro.plugin.devices import DeviceCare
    from pytest_repro.plugin.displays import Display
    from pytest_repro.plugin.run_measures import RunMeasures
    from pytest_repro.plugin.stress_control import Control
    from pytest_repro.plugin.stress_controller import StressController
    from pytest_repro.plugin.stress_iteration import Bench
    from pytest_repro.plugin.timing_hooks import TimingHooks
    from pytest_repro.store import SessionFolder
    from pytest_repro.stress.loop import Message
    from pytest_repro.stress.plan import StressPlan
    from pytest_repro.stress.seeds import Reseeder


class Capabilities:
    """Registered in every session: makes the parts when they are needed.

    Args:
        config: Of this process.
        options: What the command line and the ini file say here.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(self, config: pytest.Config, options: Options, *, clock: MonotonicNs) -> None:
        self._config = config
        self._options = options
        self._clock = clock
        self._place = place_of(config)
        self._current = Current(self._place.id)
        self._timekeeper = Timekeeper(
            automatic=options.timing, place=self._place, clock=clock, is_sampled=options.profile
        )
        self._timing_hooks: TimingHooks | None = None
        self._run_folder = run_folder_of(config)
        self._code_places: Mapping[str, Any] | None = None
        self._folder: SessionFolder | None = None
        self._profiles = ProfileDesk(
            config,
            options,
            folder=lambda: self._session_folder("timing"),
            note=self._note_profile,
            interrupted=lambda: self._timekeeper.interrupted(self._current),
        )
        self._controller: StressController | None = None
        self._measures: RunMeasures | None = None
        self._devices: DeviceCare | None = None
        self._device: str | None = None
        self._is_stressed = options.stress is not None
        # By xdist's specification of a worker, which one that replaces it takes over.
        self._indices: dict[int, int] = {}

    def begin(self) -> None:
        """Registers the hook objects that were asked for."""
        job = take_isolated_job()
        if job is not None:
            self._begin_isolated(job)
            return
        self._config.pluginmanager.register(self._profiles, "repro-profiles")
        if self._run_folder is not None:
            self._report_to_gate(self._run_folder)
        if is_worker(self._config):
            told = worker_input(self._config)
            if told.get("is_run"):
                self._count_calls()
            if told.get("code_places"):
                from pytest_repro.plugin.run_evidence import tell_evidence

                tell_evidence(self._config, told["code_places"], is_stressed=bool(told.get("plan")))
            if told.get("plan"):
                self._begin_stress_in_worker(told)
                return
        elif self._options.stress is not None:
            self._begin_stress(self._options.stress)
            return
        if self._options.timing:
            self._record_each_test()

    def close(self) -> None:
        """Takes all instruments off."""
        self._timekeeper.stop()
        if self._folder is not None and self._controller is None:
            self._folder.note_finished(now_utc())

    def repro(self, nodeid: str) -> Repro:
        """Makes the fixture's value; without a stress run, the first use begins recording."""
        if not self._is_stressed and self._current.test != nodeid:
            self._current.begin(test=nodeid, iteration=1, seed=None)
        if self._timing_hooks is None and not self._is_stressed:
            self._record_each_test()
        return Repro(self._current, self._timekeeper)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tells a worker of xdist what to do and listens to it."""
        is_run = self._run_folder is not None
        told: dict[str, Any] = {"mode": self._config.getoption("dist"), "is_run": is_run}
        told["code_places"] = self._code_places
        if self._controller is not None and self._options.stress is not None:
            told["plan"] = self._options.stress.to_payload()
            told["relaunch"] = self._relaunch().to_payload()
            assert self._devices is not None
            told["device"] = self._devices.tally.device_of(node.gateway.id)
            told["controller_pid"] = os.getpid()
            told["shared"] = str(self._controller.shared_folder)
            told["index"] = self._indices.setdefault(id(node.gateway.spec), len(self._indices))
            told["holds_crashes"] = self._controller.watch(node)
            receive_from_worker(node, self._config, self._controller.receive)
            workers = int(node.workerinput["workercount"])
            count_tests_not_slices(self._config, self._controller.slices_of_a_test(workers))
        node.workerinput[WORKER_INPUT] = told

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Shows what was measured."""
        if self._profiles.book is None and self._controller is None and not self._options.timing:
            return
        from pytest_repro.plugin.terminal import show_profiles, show_stress

        show_profiles(terminalreporter, self._profiles.book, is_asked=bool(self._options.timing))
        if self._controller is not None:
            show_stress(terminalreporter, self._controller)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Takes the instruments off, completes the logs and tells what could not be timed."""
        # No test runs any more, and what cannot be taken off is told while warnings are still shown.
        self._timekeeper.stop()
        for problem in self._timekeeper.problems():
            self._config.issue_config_time_warning(pytest.PytestWarning(problem), stacklevel=2)
        if not is_worker(self._config):
            is_summed_up = self._controller is not None
            self._profiles.finish(exitstatus, self._user_path(), is_summed_up=is_summed_up)

    def _note_profile(self, profile: Profile) -> None:
        if self._measures is not None:
            self._measures.add_profile(profile)

    def _add_batch(self, message: Message) -> None:
        if self._measures is not None:
            self._measures.add_batch(message)

    def _session_folder(self, kind: str) -> SessionFolder:
        if self._folder is None:
            from pytest_repro.plugin.session_facts import begin_session

            self._folder = begin_session(self._config, kind, run_folder=self._run_folder)
        return self._folder

    def _report_to_gate(self, folder: Path) -> None:
        from pytest_repro.plugin.internals.process import die_with_parent
        from pytest_repro.plugin.run_measures import RunMeasures
        from pytest_repro.plugin.run_recorder import RunRecorder, seeds_of
        from pytest_repro.store import SessionFolder

        # A gate that is killed leaves no run behind.
        die_with_parent(os.getppid())
        self._measures = RunMeasures(is_stressed=self._is_stressed)
        self._config.pluginmanager.register(self._measures, "repro-run-measures")
        recorder = RunRecorder(
            SessionFolder(folder),
            stressed=lambda: None if self._controller is None else self._controller.report(),
            is_stressed=self._is_stressed,
            measures=self._measures,
            seeds=lambda: seeds_of(self._config, self._options.stress),
            clock=self._clock,
        )
        self._config.pluginmanager.register(recorder, "repro-run-recorder")
        self._count_calls()
        self._code_places = take_code_places()
        if self._code_places is not None:
            from pytest_repro.plugin.run_evidence import give_evidence

            give_evidence(self._config, folder, self._code_places, is_stressed=self._is_stressed)

    def _count_calls(self) -> None:
        from pytest_repro.plugin.call_counter import CallCounter

        self._config.pluginmanager.register(CallCounter(), "repro-call-counter")

    def _record_each_test(self) -> None:
        from pytest_repro.plugin.timing_hooks import TimingHooks

        self._timing_hooks = TimingHooks(self._timekeeper, self._current)
        self._config.pluginmanager.register(self._timing_hooks, "repro-timing")

    def _begin_stress(self, plan: StressPlan) -> None:
        from pytest_repro.plugin.devices import DeviceCare
        from pytest_repro.plugin.progress import ProgressHooks
        from pytest_repro.plugin.resets import DeviceResets
        from pytest_repro.plugin.scheduling import SchedulingHooks
        from pytest_repro.plugin.stress_controller import StressController

        is_distributed = self._config.getoption("dist", "no") != "no"
        folder = self._session_folder("stress")
        self._devices = DeviceCare(
            self._config,
            self._options.devices,
            resets=DeviceResets(self._config, plan.resets, clock=self._clock),
            folder=folder,
            is_distributed=is_distributed,
        )
        self._config.pluginmanager.register(self._devices, "repro-devices")
        self._device = self._devices.tally.device_of(self._place.id)
        progress = ProgressHooks(plan, make_display=self._display, clock=self._clock)
        self._config.pluginmanager.register(progress, "repro-stress-progress")
        if plan.match is not None:
            # pytest and xdist would count any failure: the controller counts those that are looked for.
            self._config.option.maxfail = 0
        self._controller = controller = StressController(
            self._config,
            plan,
            folder=folder,
            is_distributed=is_distributed,
            progress=progress,
            devices=self._devices,
            profiles=self._profiles,
            add_batch=self._add_batch,
            user_path=self._user_path(),
            clock=self._clock,
        )
        self._config.pluginmanager.register(controller, "repro-stress-controller")
        self._config.pluginmanager.register(controller.interrupts, "repro-interrupts")
        if is_distributed:
            self._config.pluginmanager.register(SchedulingHooks(), "repro-scheduling")
        else:

            def receive(message: Message) -> None:
                with controller.interrupts.whole():
                    controller.receive(None, message)

            shared = controller.shared_folder if plan.isolate else None
            relaunch = self._relaunch()
            self._register_runner(
                plan, send=receive, control=controller.control, relaunch=relaunch, shared=shared
            )

    def _display(self) -> Display | None:
        from pytest_repro.plugin.displays import display_of

        own = display_of(self._config)
        if self._run_folder is None:
            return own
        from pytest_repro.plugin.run_display import RunDisplay

        return RunDisplay(self._run_folder, own, clock=self._clock)

    def _user_path(self) -> Path | None:
        """Returns where else the summary goes; not that of one run of the gate."""
        path = None if self._run_folder else self._options.json_path
        return None if path is None else self._config.invocation_params.dir / path

    def _begin_stress_in_worker(self, told: Mapping[str, Any]) -> None:
        from pytest_repro.plugin.command import Relaunch
        from pytest_repro.plugin.internals.process import die_with_parent
        from pytest_repro.plugin.interrupts import WorkerInterrupts
        from pytest_repro.plugin.stress_control import WorkerControl
        from pytest_repro.stress.plan import StressPlan

        plan = StressPlan.from_payload(told["plan"])
        self._device = told["device"]
        die_with_parent(told["controller_pid"])
        control = WorkerControl(
            Path(told["shared"]), self._place.id, plan, holds_crashes=told["holds_crashes"]
        )
        allow_tracing_by(os.getppid())
        interrupts = WorkerInterrupts(is_stopped=control.is_all_stopped, is_in_test=control.is_in_test)
        self._config.pluginmanager.register(interrupts, "repro-interrupts")

        def send(message: Message) -> None:
            with interrupts.whole():
                send_to_controller(self._config, message)

        relaunch = Relaunch.from_payload(told["relaunch"])
        shared = Path(told["shared"])
        self._register_runner(plan, send=send, control=control, relaunch=relaunch, shared=shared)

    def _begin_isolated(self, job: IsolatedJob) -> None:
        from pytest_repro.plugin.isolated_child import IsolatedRunner
        from pytest_repro.plugin.iteration_hooks import IterationHooks
        from pytest_repro.plugin.stress_control import LocalControl, recorder_in, stacks_in
        from pytest_repro.stress.plan import StressPlan

        self._is_stressed = True
        self._current.worker = job.worker
        allow_tracing_by(os.getppid())
        folder = Path(job.folder)
        control = LocalControl(
            recorder_in(folder, job.worker),
            stacks_in(folder, job.worker, holds_crashes=job.holds_crashes),
            outlives_hangs=True,
        )
        bench = self._bench(
            StressPlan.from_payload(job.plan), send=lambda _: None, control=control, relaunch=None
        )
        iterations = IterationHooks(bench)
        self._config.pluginmanager.register(iterations, "repro-iterations")
        self._config.pluginmanager.register(IsolatedRunner(job, iterations, bench), "repro-isolated-runner")

    def _relaunch(self) -> Relaunch:
        from pytest_repro.plugin.command import Relaunch

        # An ini file may ask for workers; the process runs one test itself.
        extra = ["-n0"] if self._config.pluginmanager.has_plugin("xdist") else []
        if self._options.timing:
            extra.append("--repro-profile" if self._options.profile else "--repro-timing")
        return Relaunch.of(self._config, *extra)

    def _reseeder(self, plan: StressPlan) -> Reseeder:
        from pytest_repro.stress.seeds import Reseeder

        reseeder = Reseeder()
        if plan.reseed:
            leave_seeds_to_us(self._config)
            reseeder.start()
            self._config.add_cleanup(reseeder.stop)
        return reseeder

    def _register_runner(
        self,
        plan: StressPlan,
        *,
        send: Callable[[Message], None],
        control: Control,
        relaunch: Relaunch,
        shared: Path | None,
    ) -> None:
        from pytest_repro.plugin.stress_runner import StressRunner

        asked = relaunch if plan.isolate else None
        bench = self._bench(plan, send=send, control=control, relaunch=asked, shared=shared)
        self._config.pluginmanager.register(StressRunner(bench), "repro-stress-runner")

    def _bench(
        self,
        plan: StressPlan,
        *,
        send: Callable[[Message], None],
        control: Control,
        relaunch: Relaunch | None,
        shared: Path | None = None,
    ) -> Bench:
        from pytest_repro.plugin.resets import DeviceResets
        from pytest_repro.plugin.stress_iteration import Bench

        self._timekeeper.note_phases(control.recorder)
        return Bench(
            config=self._config,
            plan=plan,
            place=self._place,
            send=send,
            control=control,
            current=self._current,
            timekeeper=self._timekeeper,
            reseeder=self._reseeder(plan),
            clock=self._clock,
            resets=DeviceResets(self._config, plan.resets, clock=self._clock),
            device=self._device,
            relaunch=relaunch,
            shared=shared,
        )


CAPABILITIES: pytest.StashKey[Capabilities] = pytest.StashKey()
