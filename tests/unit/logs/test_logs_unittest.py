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
