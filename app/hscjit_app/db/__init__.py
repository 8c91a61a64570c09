"""What the assistant remembers: tables, sessions, and the outbox that loses no task."""
