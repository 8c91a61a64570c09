"""Programs that run once: each ends with one JSON object that says how it went."""
