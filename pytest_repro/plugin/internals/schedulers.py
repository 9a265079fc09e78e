"""xdist's schedulers where workers die again and again, which they are not made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def mend_scheduler(scheduler: Any) -> None:
    """Has xdist's `each`, `loadscope` and those made from it give out what a dead worker left in order."""
    if hasattr(scheduler, "_removed2pending"):
        _mend_each(scheduler)
    elif hasattr(scheduler, "workqueue") and hasattr(scheduler, "registered_collections"):
        _mend_groups(scheduler)


def _mend_each(scheduler: Any) -> None:
    """Here a worker can be replaced once, and two that are replaced at a time may get each other's work."""
    add_node_collection, schedule = scheduler.add_node_collection, scheduler.schedule
    replacing: set[Any] = set()

    def add_collection(node: Any, collection: Sequence[str]) -> None:
        if not scheduler.collection_is_completed:
            add_node_collection(node, collection)
            return
        replacing.add(node)
        scheduler.node2collection[node] = list(collection)
        removed = scheduler._removed2pending
        # One that replaces another has the same specification, and not just an equal one.
        dead = next((one for one in removed if one.gateway.spec is node.gateway.spec), None)
        if dead is not None:
            scheduler.node2pending[node] = removed.pop(dead)

    def schedule_ready() -> None:
        starting = [node for node in scheduler.node2pending if node not in scheduler.node2collection]
        withheld = {node: scheduler.node2pending.pop(node) for node in starting}
        for node in replacing.difference(scheduler._started):
            if not scheduler.node2pending.get(node, [0]):
                # Without work it would be given all of it.
                scheduler._started.append(node)
                node.shutdown()
        schedule()
        scheduler.node2pending.update(withheld)

    scheduler.add_node_collection = add_collection
    scheduler.schedule = schedule_ready


def _mend_groups(scheduler: Any) -> None:
    """Here a worker may be given groups that are done, a single item, or work before it has collected.

    In the first two cases it waits for ever, in the last one the group is lost.
    """
    reschedule = scheduler._reschedule

    def reschedule_ready(node: Any) -> None:
        # The others are given work when they have collected.
        if node not in scheduler.registered_collections:
            return
        reschedule(node)
        # A worker runs an item when it knows the next one, or that there is none.
        while not node.shutting_down and scheduler._pending_of(scheduler.assigned_work[node]) < 2:
            reschedule(node)

    def remove_node(node: Any) -> str | None:
        workload: dict[str, dict[str, bool]] = scheduler.assigned_work.pop(node)
        pending = {scope: unit for scope, unit in workload.items() if not all(unit.values())}
        if not pending:
            return None
        scheduler.workqueue.update(pending)
        for other in scheduler.nodes:
            reschedule_ready(other)
        return next(item for unit in pending.values() for item, is_done in unit.items() if not is_done)

    scheduler._reschedule = reschedule_ready
    scheduler.remove_node = remove_node


def run_again(config: pytest.Config, item: str, node: Any) -> None:
    """Has the item in which a worker died run once more; xdist itself leaves it, but for whole groups."""
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    scheduler = dsession.sched
    removed = getattr(scheduler, "_removed2pending", None)
    if removed is not None:
        index = scheduler.node2collection[node].index(item)
        removed.setdefault(node, []).insert(0, index)
    elif hasattr(scheduler, "node2pending"):
        scheduler.mark_test_pending(item)
