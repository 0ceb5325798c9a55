"""Transcribing recordings: files that have an end, rather than people who speak now."""
