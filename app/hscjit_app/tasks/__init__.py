"""Work done by workers: each task is named, safe to run twice, and known to the outbox."""
