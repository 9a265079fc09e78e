"""How fast a stress run is and how long it still takes."""

from __future__ import annotations

from collections import deque

WINDOW_NS = 5 * 10**9
"""The rate is that of the last five seconds: it shows when a run gets slower."""


class Pace:
    """Sees how many iterations have finished, now and then.

    Args:
        began_ns: Monotonic clock when the first iteration began.
    """

    def __init__(self, *, began_ns: int) -> None:
        self._began_ns = began_ns
        self._samples = deque([(began_ns, 0)])

    def note(self, finished: int, *, now_ns: int) -> None:
        """Takes the number of finished iterations, of all tests."""
        samples = self._samples
        samples.append((now_ns, finished))
        # The first one kept is the youngest that is as old as the window: slow iterations have a rate too.
        while len(samples) > 2 and samples[1][0] <= now_ns - WINDOW_NS:
            samples.popleft()

    @property
    def rate_per_s(self) -> float | None:
        """Iterations a second within the window, None before anything finished."""
        (first_ns, first), (last_ns, last) = self._samples[0], self._samples[-1]
        if not last or last_ns <= first_ns:
            return None
        return (last - first) * 1e9 / (last_ns - first_ns)

    def left_ns(self, *, to_run: int | None, budget_ns: int | None) -> int | None:
        """Returns how long the run still takes.

        Iterations are expected at the rate of the whole run, which is steadier than that of the window.

        Args:
            to_run: Iterations that are still to run, or None without a number.
            budget_ns: Time for the whole run, or None without a limit.

        Returns:
            Nanoseconds, by iterations or by time, whichever ends first; None where neither is known.
        """
        now_ns, finished = self._samples[-1]
        elapsed_ns = now_ns - self._began_ns
        ends = []
        if to_run is not None and finished:
            ends.append(max(0, to_run) * elapsed_ns // finished)
        if budget_ns is not None:
            ends.append(max(0, budget_ns - elapsed_ns))
        return min(ends, default=None)
