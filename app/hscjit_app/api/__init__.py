"""REST, health and the page: thin routes; errors know their own status."""
