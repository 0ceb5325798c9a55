"""Audio in, text out to the room. Knows neither storage nor HTTP."""
