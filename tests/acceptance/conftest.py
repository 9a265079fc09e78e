"""Marks tests that hold nearly the same as another one as slow: `.ci/run` leaves them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

TWINS: Mapping[str, Sequence[str]] = {
    "test_deaths.py::test_a_conftests_own_handler_hears_of_every_death": ("load", "loadscope"),
    "test_deaths.py::test_deaths_stop_a_test_as_failures_do": ("n2-x", "n2-match"),
    "test_deaths.py::test_pytest_timeouts_thread_method_costs_one_iteration": ("n2",),
    "test_death_spread.py::test_all_iterations_run_once_however_many_workers_die": ("n2-loadgroup",),
    "test_devices.py::test_without_the_option_nothing_is_leased": ("arguments1",),
    "test_devices.py::test_what_was_ended_for_a_hang_is_reset_for_that": ("-n1",),
    "test_isolate.py::test_a_process_that_dies_costs_its_iteration_and_nothing_else": ("alone",),
    "test_isolate.py::test_failures_of_running_again_are_named_and_vanish_in_processes_of_their_own": (
        "alone",
    ),
    "lanes/test_lanes_options.py::test_both_lanes_give_the_same": (
        "runxfail",
        "no-leftovers",
        "no-warnings",
        "no-skipping",
        "strict",
    ),
    "test_match.py::test_processes_of_their_own_look_for_the_same_bug": ("n2",),
    "test_progress.py::test_a_terminal_shows_one_live_line_and_keeps_nothing_of_it": ("40-n2", "200-n2"),
    "test_robust_signals.py::test_one_signal_ends_the_run_and_loses_nothing": (
        "-n2 --repro-isolate-SIGINT-killpg",
        "-n2-SIGINT-kill",
        "-n2-SIGTERM-killpg",
        "--repro-isolate-SIGTERM-kill",
    ),
    "test_stress.py::test_the_exit_status_says_whether_all_that_was_asked_for_ran_and_passed": (
        "n2-interrupted",
        "n2-nothing-collected",
    ),
    "test_stress.py::test_pytests_own_reports_see_one_test": ("alone",),
    "test_stress_spread.py::test_each_iteration_can_be_an_item_of_its_own": ("n2",),
    "test_stress_spread.py::test_failures_never_exceed_what_was_asked_for": ("--maxfail=2", "--maxfail=3"),
    "test_stress_spread.py::test_without_overlap_a_test_never_runs_beside_itself": (
        "loadgroup",
        "loadfile",
        "worksteal",
    ),
    "test_verify_live.py::test_a_terminal_shows_run_progress_and_time": ("tests",),
}
"""Parameters of a test that another one of its parameters stands for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them."""
    for item in items:
        name, _, parameters = item.nodeid.removeprefix("tests/acceptance/").partition("[")
        if parameters.removesuffix("]") in TWINS.get(name, ()):
            item.add_marker(pytest.mark.slow)
