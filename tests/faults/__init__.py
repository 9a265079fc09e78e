"""Random deaths of tests, and what the stress run says of them against what the tests wrote themselves."""
