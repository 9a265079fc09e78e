"""The stress engine: many iterations of one test, as fast as they go."""
