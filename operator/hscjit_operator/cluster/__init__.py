"""How do we reach the cluster? Every call of the API server and of pods is made in this room."""
