"""Real sessions, as a user starts them."""
