"""What Sessions costs, measured beside peers in one run."""
