"""The Gladia engine."""
