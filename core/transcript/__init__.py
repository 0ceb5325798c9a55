"""What was said: its order, its way to the database, its readers."""
