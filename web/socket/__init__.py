"""WebSockets: the direct uvicorn protocol class and the listeners of a socket."""
