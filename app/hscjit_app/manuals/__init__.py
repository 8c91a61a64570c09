"""Manuals: fetched safely, parsed in a box, stored once, searched by page."""
