"""GitHub workflow files: what a job would have run, each value with its file and line."""
