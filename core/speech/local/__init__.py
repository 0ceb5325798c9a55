"""The local engine: an English recognizer in this process."""
