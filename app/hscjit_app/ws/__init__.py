"""The conversation with a customer over one WebSocket."""
