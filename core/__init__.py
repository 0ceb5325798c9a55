"""What the product knows and does. No Request, no HTML."""
