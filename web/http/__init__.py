"""HTTP connections: uvicorn's protocol class within bounds, and how many there may be."""
