"""All SQL of Sessions."""
