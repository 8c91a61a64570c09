"""What should be done? Pure functions of what was seen: no I/O, no clock, no hidden state."""
