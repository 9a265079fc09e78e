from __future__ import annotations

import pytest

from pytest_repro.model import Signature
from pytest_repro.scaffold.forms import Form, FormKind
from pytest_repro.scaffold.proof import proved
from pytest_repro.scaffold.signatures import Known
from pytest_repro.scaffold.trial import Result, Trial
from pytest_repro.signature import make_signature

KINDS = [FormKind.STANDALONE, FormKind.REACHED, FormKind.IN_PLACE, FormKind.CHILD]


def form(kind: FormKind) -> Form:
    return Form(kind=kind, case="test_a")


SAME = Trial(result=Result.SAME)
NUMBERS = Trial(result=Result.SAME, has_other_numbers=True)
OTHER = Trial(result=Result.OTHER, signature=Signature(exception="E", message="m"), differs=("message",))
PASSED = Trial(result=Result.PASSED)
UNKNOWN = Trial(result=Result.UNKNOWN, reason="no")


@pytest.mark.parametrize(
    ("trials", "chosen", "result"),
    [
        ((SAME,), 0, Result.SAME),
        ((OTHER, SAME), 1, Result.SAME),
        ((PASSED, OTHER, SAME), 2, Result.SAME),
        ((OTHER, OTHER, OTHER), 0, Result.OTHER),
        ((OTHER, PASSED, PASSED), 1, Result.PASSED),
        ((UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), 0, Result.UNKNOWN),
        ((OTHER, PASSED, UNKNOWN, UNKNOWN), 2, Result.UNKNOWN),
        ((UNKNOWN, UNKNOWN, UNKNOWN, OTHER), 3, Result.OTHER),
        ((Trial(result=Result.PASSED, iterations=9),), 0, Result.PASSED),
        ((NUMBERS, NUMBERS, SAME), 2, Result.SAME),
        ((NUMBERS, OTHER, NUMBERS), 0, Result.SAME),
    ],
)
def test_the_narrowest_form_that_tells_the_truth_is_taken(
    trials: tuple[Trial, ...], chosen: int, result: Result
) -> None:
    """A form counts if it fails as CI did, numbers and all, or else if it does what the original does."""
    left = iter(trials)
    proof = proved([form(kind) for kind in KINDS], lambda _: next(left))
    assert proof.chosen.kind is KINDS[chosen]
    assert proof.trial is not None
    assert proof.trial.result is result
    assert next(left, None) is None, "all that were needed were tried, and no more"


def test_a_generated_file_stands_for_the_one_that_its_code_is_from() -> None:
    """The signature's file is the only thing that taking a case out changes."""
    recorded = Signature(exception="E", message="m", file="tests/test_a.py")
    known = Known(signature=recorded, originals={"tests/test_x_repro.py": ("tests/test_a.py",)})
    here = Signature(exception="E", message="m", file="/tmp/x/tests/test_x_repro.py")
    assert known.mapped(here) == recorded
    assert known.differences(here) == ()
    assert known.differences(Signature(exception="E", message="m", file="tests/test_b.py")) == ("file",)


@pytest.mark.parametrize(
    "shown",
    [
        "assert 12 == 2",
        "assert 12 == 2\n + where 5",
        "assert 12 ...",
        "assert 12, 'test_x.py:7', <A at 0x7f>, 2, line 3, /tmp/pytest-of-x/pytest-3/a1",
    ],
)
def test_the_numbers_of_a_message_tell_a_case_that_was_taken_out_wrongly(shown: str) -> None:
    """A signature leaves them out; addresses, lines and temporary folders are others in each run."""
    signature = Signature(exception="AssertionError", message="assert <n> == <n>")
    known = Known(signature=signature, message="assert 12 == 2")
    assert known.has_numbers_of(shown)
    assert not known.has_numbers_of(shown.replace("12", "13"))
    assert Known(signature=signature).has_numbers_of("assert 13 == 2"), "where they are not at hand"


def test_the_name_of_a_generated_module_stands_for_the_original_one() -> None:
    """Names of classes that a message or an exception shows begin with that of their module."""
    recorded = Signature(exception="pkg.test_a.E", message="<class pkg.test_a.A>", file="src/pkg/test_a.py")
    known = Known(signature=recorded, originals={"tests/test_x_repro.py": ("src/pkg/test_a.py",)})
    here = Signature(
        exception="test_x_repro.E", message="<class test_x_repro.A>", file="tests/test_x_repro.py"
    )
    assert known.mapped(here) == recorded
    other = Signature(
        exception="test_x_repro.E", message="<class my.test_x_repro.A>", file="src/pkg/test_a.py"
    )
    assert known.differences(other) == ("message",)


@pytest.mark.parametrize("original", ["tests/test_v2.py", "tests/v2/test_a.py", "tests/test_a1b.py"])
def test_numbers_in_the_names_of_modules_make_no_difference(original: str) -> None:
    """Folders are named after issues, and a message has no numbers: nor has the name of a module in it."""
    module = original.removesuffix(".py").replace("/", ".")
    recorded = make_signature(exception=f"{module}.E", message=f"<{module}.A object> is not 12")
    known = Known(
        signature=recorded,
        originals={"tests/test_gh_123_a_repro.py": (original,)},
        message=f"<{module}.A object> is not 12",
    )
    message = "<test_gh_123_a_repro.A object> is not 12"
    here = make_signature(exception="test_gh_123_a_repro.E", message=message)
    assert known.differences(here) == ()
    assert known.has_numbers_of(message)
    assert not known.has_numbers_of(message.replace("12", "13"))
