"""From passages to an answer, and from an answer to every pod, each frame once."""
