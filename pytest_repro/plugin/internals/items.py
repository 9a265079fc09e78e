"""Items: copies of them, and the way back to how they were collected."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest


def copy_item(item: pytest.Item, nodeid: str | None = None) -> pytest.Item:
    """Returns a copy: other identity, same parents, so the same wider fixtures.

    What a running test may add to its item is the copy's own.
    """
    original: Any = item
    twin: Any = copy.copy(item)
    twin.own_markers = list(item.own_markers)
    twin.user_properties = list(item.user_properties)
    twin.keywords = copy.copy(item.keywords)
    twin.keywords.node = twin
    twin.keywords._markers = dict(original.keywords._markers)
    twin.stash = copy.copy(item.stash)
    twin.stash._storage = dict(original.stash._storage)
    twin._store = twin.stash
    if hasattr(item, "dtest"):
        twin.dtest = copy.copy(original.dtest)
    if nodeid is not None:
        set_nodeid(twin, nodeid)
    copied: pytest.Item = twin
    return copied


def set_nodeid(item: pytest.Item, nodeid: str) -> None:
    """Gives an item the node id that tests and reports see."""
    node: Any = item
    if hasattr(node, "_id"):
        # From pytest 9.2 on, a structured id stands behind the text.
        node._id = type(node._id).parse(nodeid)
    else:
        node._nodeid = nodeid


def unrepeated(item: pytest.Item) -> tuple[str, int]:
    """Returns the node id that an item has without pytest-repeat, and its 1-based iteration.

    An item that pytest-repeat has left alone (a method of a unittest class) is iteration 1.
    """
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    step = parameters.get("__pytest_repeat_step_number")
    if step is None:
        return item.nodeid, 1
    # Its own id stands last: `[1-3]` or `[x-1-3]`.
    name, _, ids = item.nodeid.rpartition("[")
    rest = ids.removesuffix("]").rpartition("-")[0].rpartition("-")[0]
    return (f"{name}[{rest}]" if rest else name), step + 1


def xdist_nodeid(item: pytest.Item) -> str:
    """Returns the node id as xdist's `loadgroup` made it, with `@group` at its end.

    xdist 3.8 sets a text that pytest 9.2 no longer reads.
    """
    nodeid: str = getattr(item, "_nodeid", item.nodeid)
    return nodeid


class FreshItem:
    """Takes an item back to how it was collected, before each further iteration.

    pytest runs an item once, so it lets things pile up on it: captured sections, properties, marks added by
    the test, the instance of the test class.
    """

    def __init__(self, item: Any) -> None:
        self._item = item
        self._markers = list(item.own_markers)
        self._keywords = dict(item.keywords._markers)
        self._properties = list(item.user_properties)
        self._globals = dict(item.dtest.globs) if hasattr(item, "dtest") else None
        # hypothesis does not allow one test function to run on two instances.
        self._keeps_instance = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)

    def restore(self) -> None:
        """Undoes what the last iteration left on the item."""
        item = self._item
        item._report_sections = []
        item.user_properties = list(self._properties)
        item.own_markers[:] = self._markers
        if len(item.keywords._markers) != len(self._keywords):
            item.keywords._markers = dict(self._keywords)
        if self._globals is not None:
            # A doctest empties its namespace after it ran.
            item.dtest.globs = dict(self._globals)
        own = item.__dict__
        # unittest collects errors here and reports take one each: the rest is of an earlier iteration.
        own.pop("_excinfo", None)
        instance = own.get("_instance")
        if (
            instance is not None
            and not self._keeps_instance
            and getattr(own.get("_obj"), "__self__", None) is instance
        ):
            del own["_instance"], own["_obj"]
        if hasattr(item, "_initrequest"):
            # Also before the first iteration: a copied item holds the request of its original.
            item._initrequest()
            if own.get("_obj") is None:
                # As collection leaves it: what fails before the test begins finds instance and function.
                with contextlib.suppress(Exception):  # what the constructor raises, setup raises again
                    _ = item.obj
