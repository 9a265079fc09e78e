"""Where the time of a test goes: recorder, fences, backends, tables and log formats."""
