"""The fix certificate: base and fix in worktrees of their own, run by turns, and what that proves."""
