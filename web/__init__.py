"""How HTTP is spoken here, knowing no product."""
