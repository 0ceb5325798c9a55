"""Long attacks and faults, bounded and on loopback only: `make torture`, at most ten minutes."""
