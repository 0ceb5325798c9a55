"""Who is here and what they are told."""
