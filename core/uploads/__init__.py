"""Recordings that people upload: their files, and the work that makes sessions of them."""
