"""Fuzz targets: every parser that outsiders reach, each with what must hold for any input.

The suite runs each for a moment, always with the same inputs; `make fuzz` goes on for longer with
new ones, `make fuzz T=tokens SECONDS=600` with one target.
"""
