"""The doors: load, check, act, render."""
