"""Reproduce a failing test, see where its time goes, prove that a fix holds."""

__version__ = "0.1.0"
