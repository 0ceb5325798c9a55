"""Search, without a database: what is looked for, and where that is in a text."""
