"""Logs of GitHub Actions by the address of a run: where it is, who answers, and what is fetched."""
