"""Marks tests that hold nearly the same as another one as slow: `.ci/run` leaves them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

TWINS: Mapping[str, Sequence[str]] = {
    "test_deaths.py::test_a_conftests_own_handler_hears_of_every_death": ("each", "load", "loadscope"),
    "test_deaths.py::test_deaths_stop_a_test_as_failures_do": ("n2-x", "n2-match"),
    "test_deaths.py::test_pytest_timeouts_thread_method_costs_one_iteration": ("n2",),
    "test_deaths.py::test_pytest_timeouts_signal_method_is_helped_where_it_cannot_help_itself": ("n2",),
    "test_deaths.py::test_every_hang_is_ended_and_named_where_it_is": ("isolate",),
    "test_deaths.py::test_a_module_fixture_that_dies_after_the_last_iteration_changes_no_number": ("",),
    "test_death_spread.py::test_all_iterations_run_once_however_many_workers_die": ("n2-loadgroup",),
    "test_devices.py::test_each_worker_has_a_device_of_its_own_before_the_first_conftest": (
        "each",
        "worksteal",
        "loadfile",
    ),
    "test_devices.py::test_without_the_option_nothing_is_leased": ("arguments1",),
    "test_devices.py::test_what_was_ended_for_a_hang_is_reset_for_that": (
        "--repro-isolate",
        "-n1",
    ),
    "test_hostile.py::test_hypothesis_tests_in_a_class_run_again": ("n2",),
    "test_hostile.py::test_a_mark_added_in_one_iteration_does_not_reach_another": ("n2",),
    "test_isolate.py::test_a_process_that_dies_costs_its_iteration_and_nothing_else": ("alone",),
    "test_isolate.py::test_failures_of_running_again_are_named_and_vanish_in_processes_of_their_own": (
        "alone",
    ),
    "lanes/test_lanes_options.py::test_both_lanes_give_the_same": (
        "sys-captured",
        "tee-sys",
        "first-failures",
        "runxfail",
        "no-capture",
        "nothing-captured",
        "no-leftovers",
        "no-warnings",
        "no-skipping",
        "strict",
    ),
    "test_match.py::test_a_crash_is_a_bug_that_can_be_looked_for_or_passed_by": ("small-1", "nothing-0"),
    "test_match.py::test_a_bug_that_does_not_show_is_not_reproduced": ("n2",),
    "test_match.py::test_processes_of_their_own_look_for_the_same_bug": ("n2",),
    "test_profile.py::test_samples_of_all_processes_are_merged": ("isolate",),
    "test_progress.py::test_a_terminal_shows_one_live_line_and_keeps_nothing_of_it": (
        "200-alone",
        "40-n2",
        "200-n2",
        "40-alone",
        "80-alone",
    ),
    "test_progress.py::test_an_interrupt_leaves_nothing_of_the_live_line": ("alone",),
    "test_progress.py::test_the_live_line_gets_along_with_all_that_pytest_writes": (
        "-p no:xdist -p no:logging --repro-stop=1",
        "-v -n2",
        "-v -o console_output_style=count",
        "-x -o console_output_style=classic",
    ),
    "test_progress.py::test_without_a_terminal_a_plain_line_comes_every_ten_seconds": (
        "-v",
        "-v -n2",
        "-s --color=yes",
    ),
    "test_signatures.py::test_what_a_run_puts_into_its_messages_does_not_split_a_bug": ("alone",),
    "test_signatures.py::test_a_log_tells_the_same_bugs_as_a_stress_run": ("short",),
    "test_robust_signals.py::test_one_signal_ends_the_run_and_loses_nothing": (
        "--repro-isolate-SIGINT-killpg",
        "-n2 --repro-isolate-SIGINT-killpg",
        "-n2 --repro-isolate-SIGTERM-kill",
        "-n2-SIGINT-kill",
        "-n2-SIGTERM-killpg",
        "--repro-isolate-SIGTERM-kill",
    ),
    "test_stress.py::test_the_exit_status_says_whether_all_that_was_asked_for_ran_and_passed": (
        "n2-interrupted",
        "n2-nothing-collected",
        "n2-all-skipped",
        "n2-sometimes-skipped",
    ),
    "test_stress.py::test_a_stress_run_says_what_ran_what_failed_and_how_to_repeat_it": (
        "no-xdist",
        "n0",
        "n1",
    ),
    "test_stress.py::test_any_other_plugin_can_be_missing": ("cacheprovider", "timeout", "warnings"),
    "test_stress.py::test_exitfirst_stops_all_and_says_what_did_not_run": ("alone",),
    "test_stress.py::test_a_test_stops_after_its_kth_failure_and_the_others_go_on": ("alone",),
    "test_stress.py::test_the_replay_command_fails_again": ("alone",),
    "test_stress.py::test_exactly_the_iterations_asked_for_run_in_every_distribution_mode": (
        "loadscope-n2",
        "load-n1",
        "each-n0",
        "each-n1",
        "each-no-xdist",
        "loadfile-n0",
        "loadfile-n1",
        "loadfile-n2",
        "loadfile-no-xdist",
        "loadgroup-n0",
        "loadgroup-n1",
        "loadgroup-n2",
        "loadgroup-no-xdist",
        "loadscope-n0",
        "loadscope-n1",
        "loadscope-no-xdist",
        "worksteal-n0",
        "worksteal-n1",
        "worksteal-no-xdist",
    ),
    "test_verify.py::test_the_verdict_follows_from_what_the_runs_reported": (
        "a failure excused (xfail) in one run",
        "a test skipped in one run",
        "a failure that a plugin reports as passed",
        "a test gone in one run",
        "a test deselected in one run",
        "a subtest skipped in one run",
        "a fixture rescued by a rerun",
        "all tests pass and a plugin says 1",
        "every run fails",
        "a test fails and a plugin says 0",
        "a test interrupts the session",
        "all tests skipped",
        "an option that pytest does not know",
        "nothing but excused failures (xfail)",
        "some iterations of a stress run inside excused (xfail)",
        "the process dies after its session",
    ),
    "test_verify_limits.py::test_one_slow_iteration_of_many_breaks_a_limit": ("alone",),
    "test_verify_runs.py::test_an_interrupt_ends_the_run_in_order_and_keeps_its_output": ("SIGINT-kill",),
    "test_stress.py::test_pytests_own_reports_see_one_test": ("alone",),
    "test_robust_tests.py::test_an_exit_status_of_0_in_the_middle_of_a_test_is_a_crash": ("isolate",),
    "test_stress_spread.py::test_each_iteration_can_be_an_item_of_its_own": ("n2", "each"),
    "test_stress_spread.py::test_failures_never_exceed_what_was_asked_for": (
        "--maxfail=2",
        "--maxfail=3",
        "--repro-stop=2",
    ),
    "test_stress_spread.py::test_without_overlap_a_test_never_runs_beside_itself": (
        "loadgroup",
        "loadfile",
        "loadscope",
        "worksteal",
    ),
    "test_timing.py::test_a_process_that_dies_in_a_phase_leaves_its_phases_in_the_log": ("--repro-isolate",),
    "test_timing.py::test_a_test_that_is_interrupted_keeps_its_phases": ("arguments1",),
    "test_verify_live.py::test_a_terminal_shows_run_progress_and_time": ("tests",),
    "test_robust_records.py::test_a_killed_controller_leaves_readable_records_and_no_process": (
        "way1",
        "way3",
    ),
    "test_robust_records.py::test_without_a_temporary_folder_that_of_the_records_does": ("way1",),
    "test_robust_records.py::test_records_that_cannot_be_written_change_no_result": ("in the way-n2",),
    "test_match.py::test_the_search_goes_on_past_other_bugs_and_ends_with_the_first_match": (
        "--maxfail=1-n2",
        "-x-n2",
    ),
    "test_hostile.py::test_a_slice_that_is_handed_out_again_after_a_crash_does_not_begin_anew": (
        "loadscope",
        "loadfile",
    ),
}
"""Parameters of a test that another one of its parameters stands for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them."""
    for item in items:
        name, _, parameters = item.nodeid.removeprefix("tests/acceptance/").partition("[")
        if parameters.removesuffix("]") in TWINS.get(name, ()):
            item.add_marker(pytest.mark.slow)
