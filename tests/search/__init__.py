"""Search: what is found, by whom, and how it is shown."""
