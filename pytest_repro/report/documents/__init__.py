"""Pages for people, filled from the records: the execution report and the pull request description."""
