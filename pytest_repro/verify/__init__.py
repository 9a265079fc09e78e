"""The gate: fresh processes, and what their outcomes prove."""
