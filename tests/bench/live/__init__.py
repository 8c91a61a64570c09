"""What the benches of the live path run as processes of their own."""
