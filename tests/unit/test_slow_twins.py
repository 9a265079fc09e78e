"""What `.ci/run` leaves out is there, and has a twin that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import TWINS

ACCEPTANCE = Path(__file__).resolve().parents[1] / "acceptance"


@pytest.mark.parametrize("test", TWINS)
def test_a_twin_that_is_left_out_is_a_parameter_of_a_test(test: str) -> None:
    """A test that was renamed would be run again, unseen."""
    file, _, name = test.partition("::")
    text = (ACCEPTANCE / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    before = text[: text.index(f"def {name}(")].rpartition("\n\n\n")[2]
    assert "@" in before or TWINS[test] == ("",)
