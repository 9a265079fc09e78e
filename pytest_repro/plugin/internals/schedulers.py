"""xdist's schedulers where workers die again and again, which they are not made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def mend_scheduler(scheduler: Any) -> None:
    """Has xdist's `loadscope`, and those made from it, give out the groups of a dead worker in order.

    They give out groups that are done, after which a worker waits for ever, and give groups to workers that
    are still starting, which fails and loses the group.
    """
    if not hasattr(scheduler, "workqueue") or not hasattr(scheduler, "registered_collections"):
        return
    reschedule = scheduler._reschedule

    def reschedule_ready(node: Any) -> None:
        # The others are given work when they have collected.
        if node in scheduler.registered_collections:
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


def remember_collection(config: pytest.Config, node: Any, ids: Sequence[str]) -> None:
    """Has xdist's `each` know what a replacing worker collected, so that this one can be replaced too."""
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    scheduler = dsession.sched
    if hasattr(scheduler, "_removed2pending") and scheduler.collection_is_completed:
        scheduler.node2collection.setdefault(node, list(ids))


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
