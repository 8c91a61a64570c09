"""What was asked and answered, kept for whoever holds the session secret."""
