"""What tests ask again and again: servers, visitors, browsers, speech."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent  # of the repository
