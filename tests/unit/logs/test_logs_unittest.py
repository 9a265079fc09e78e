"""Failures that unittest and its relatives print."""

from __future__ import annotations

import io

from pytest_repro.logs.reader import read_log

UNITTEST = """\
test_valve (plant.test_valve.ValveTest.test_valve) ... unexpected success
test_flow (plant.test_valve.ValveTest.test_flow) ... FAIL

======================================================================
FAIL: test_flow (plant.test_valve.ValveTest.test_flow) (litres=3)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/srv/plant/test_valve.py", line 12, in test_flow
    self.assertEqual(litres, 0)
AssertionError: 3 != 0

======================================================================
UNEXPECTED SUCCESS: test_valve (plant.test_valve.ValveTest.test_valve)
----------------------------------------------------------------------
Ran 2 tests in 0.001s

FAILED (failures=1, unexpected successes=1)
"""


def test_unittest_names_a_subtest_once_and_a_success_that_was_not_expected() -> None:
    assert sorted(one.nodeid for one in read_log(io.BytesIO(UNITTEST.encode())).failures) == [
        "test_flow (plant.test_valve.ValveTest.test_flow) (litres=3)",
        "test_valve (plant.test_valve.ValveTest.test_valve)",
    ]


RULE = "-" * 70


def test_a_head_is_known_by_the_rule_below_it_where_the_one_above_is_missing() -> None:
    """Quotations cut the first rule off, and what the process prints beside unittest comes between."""
    text = (
        f"FAIL: test_flow (plant.test_valve.ValveTest)\n{RULE}\nTraceback (most recent call last):\n"
        '  File "/srv/plant/test_valve.py", line 12, in test_flow\n    self.assertEqual(litres, 0)\n'
        f"AssertionError: 3 != 0\n\n{'=' * 70}\nThe water is on.\nERROR: test_tap (plant.test_tap.TapTest)\n"
        f'{RULE}\nTraceback (most recent call last):\n  File "/srv/plant/test_tap.py", line 4, in test_tap\n'
        f"    tap.open()\nOSError: no tap\n\n{RULE}\nRan 2 tests in 0.001s\n"
    )
    failures = read_log(io.BytesIO(text.encode())).failures
    assert [(one.nodeid, one.outcome.value, one.exception, one.message) for one in failures] == [
        ("test_flow (plant.test_valve.ValveTest)", "failed", "AssertionError", "3 != 0"),
        ("test_tap (plant.test_tap.TapTest)", "error", "OSError", "no tap"),
    ]


def test_a_head_that_a_pytest_test_has_printed_is_no_failure() -> None:
    """Below pytest's own titles such lines are captured output."""
    text = (
        "=================================== FAILURES ===================================\n"
        "___________________________________ test_it ____________________________________\n"
        f"E   OSError: no tap\n\ntest_it.py:3: OSError\n{'-' * 29} Captured stdout call {'-' * 29}\n"
        f"FAIL: test_flow (plant.test_valve.ValveTest)\n{RULE}\n"
        "=========================== short test summary info ============================\n"
        "FAILED test_it.py::test_it - OSError: no tap\n"
        "============================== 1 failed in 0.10s ===============================\n"
    )
    assert [one.nodeid for one in read_log(io.BytesIO(text.encode())).failures] == ["test_it.py::test_it"]


def test_trial_names_the_tests_below_the_traceback_that_they_share() -> None:
    """Trial's own frames are not the place."""
    text = (
        "plant.test_pump\n  PumpTests\n    test_start ...                       [FAIL]\n\n"
        f"{'=' * 79}\n[FAIL]\nTraceback (most recent call last):\n"
        '  File "/srv/plant/test_pump.py", line 9, in check\n    self.assertEqual(bars, 2)\n'
        '  File "/srv/lib/twisted/trial/_synctest.py", line 433, in assertEqual\n    call()\n'
        "twisted.trial.unittest.FailTest: 1 != 2\n\n"
        "plant.test_pump.PumpTests.test_start\nplant.test_pump.PumpTests.test_stop\n"
        f"{'-' * 79}\nRan 2 tests in 0.002s\n\nFAILED (failures=2)\n"
    )
    failures = read_log(io.BytesIO(text.encode())).failures
    assert [one.nodeid for one in failures] == [
        "plant.test_pump.PumpTests.test_start",
        "plant.test_pump.PumpTests.test_stop",
    ]
    for one in failures:
        assert (one.exception, one.message) == ("twisted.trial.unittest.FailTest", "1 != 2")
        assert one.place is not None
        assert (one.place.file, one.place.line) == ("/srv/plant/test_pump.py", 9)


def test_a_class_that_nose2_does_not_name_has_the_name_of_its_set_up() -> None:
    """It prints `_ErrorHolder` for all of them."""
    errors = "".join(
        f"{'=' * 70}\nERROR: _ErrorHolder\n{RULE}\nTraceback (most recent call last):\n"
        f'  File "/srv/plant/{module}.py", line 7, in setUpClass\n    fill()\nOSError: no water\n\n'
        for module in ("test_pump", "test_tap")
    )
    text = f"EE\n{errors}{RULE}\nRan 0 tests in 0.000s\n\nFAILED (errors=2)\n"
    assert [one.nodeid for one in read_log(io.BytesIO(text.encode())).failures] == [
        "setUpClass (test_pump)",
        "setUpClass (test_tap)",
    ]


def test_results_of_a_run_that_was_cut_off_are_read_behind_sentences_and_times() -> None:
    """Runners indent names, print a test's own sentence below them, and tell seconds."""
    text = (
        "Running tests...\n  test_flow (plant.PumpTests.test_flow) ... ERROR (0.006s)\n"
        "test_drop (plant.PumpTests)\nWater drops ... slowly. ... FAIL\n"
        "test_tap (plant.PumpTests)\nIt opens. ... ok\ntest_end (plant.PumpTests) ... \n"
    )
    failures = read_log(io.BytesIO(text.encode())).failures
    assert [(one.nodeid, one.outcome.value) for one in failures] == [
        ("test_flow (plant.PumpTests.test_flow)", "error"),
        ("test_drop (plant.PumpTests)", "failed"),
    ]
