"""Both lanes of the stress engine run the same tests, and nothing that can be seen may differ."""
