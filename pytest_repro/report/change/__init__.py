"""What a branch changes against its base, whom and what that concerns, and what should not be in it."""
