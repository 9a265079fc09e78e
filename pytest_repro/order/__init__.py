"""Orders of tests: read from files, matched with what is collected, and reduced to what a failure needs."""
