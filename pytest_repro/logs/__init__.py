"""CI logs: from the bytes that a CI system keeps to one frozen record of what failed and how it was run."""
