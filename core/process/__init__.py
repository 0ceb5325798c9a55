"""What is the process's own: batching of work, garbage collection, the start banner."""
