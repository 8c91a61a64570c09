"""Who else makes the children of a resource? Each is a process over the same API server."""
