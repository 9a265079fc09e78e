"""Errors that are none of the code in which they come up: a signal handler raised them there."""

from __future__ import annotations


def is_interrupt(error: BaseException) -> bool:
    """Returns whether a signal handler raised an error, such as that of an alarm which limits a test's time.

    Who leaves an error unsaid, because it is only of the harness, must let such a one through: the test
    waits for it. Python gives a handler the frame that it interrupted, which is then the one below it; a
    handler that has deleted it is not known.
    """
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        below = frame.f_back
        if below is not None:
            for value in tuple(frame.f_locals.values()):
                if value is below or (type(value) is tuple and any(part is below for part in value)):
                    return True
        trace = trace.tb_next
    return False
