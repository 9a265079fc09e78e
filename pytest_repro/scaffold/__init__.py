"""From a read log to a reproduction folder: what goes into it, its text, and how it is written."""
