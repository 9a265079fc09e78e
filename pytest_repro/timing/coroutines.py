"""The coroutines that run or wait in a thread, of asyncio and trio; anyio runs on either."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def running_coroutine() -> Any:
    """Returns the coroutine of the task that runs in this thread, None if none does.

    Of asyncio and trio; anyio runs on either.
    """
    asyncio = _asyncio_at_work()
    if asyncio is not None:
        task = asyncio.current_task()
        return None if task is None else task.get_coro()
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            return trio.lowlevel.current_task().coro
        except (AttributeError, RuntimeError):  # still being imported; not in a task
            pass
    return None


def is_between_tasks() -> bool:
    """Tells whether an event loop of asyncio runs in this thread, and none of its tasks."""
    asyncio = _asyncio_at_work()
    return asyncio is not None and asyncio.current_task() is None


def only_coroutine() -> Any:
    """Returns the coroutine of the event loop's only task; None if there are several."""
    tasks = list(sys.modules["asyncio"].all_tasks())
    return tasks[0].get_coro() if len(tasks) == 1 else None


def _asyncio_at_work() -> Any:
    """Returns asyncio if an event loop of it runs in this thread."""
    asyncio = sys.modules.get("asyncio")
    # Documented for event loops; what is public raises where there is none, which is nearly always.
    running: Callable[[], object] | None = getattr(asyncio, "_get_running_loop", None)
    return None if running is None or running() is None else asyncio
