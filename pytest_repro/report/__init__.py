"""What was measured, told to people and to programs."""
