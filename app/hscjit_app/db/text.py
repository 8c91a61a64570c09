"""Which text can be stored?"""

STORABLE = r"^[^\x00]*$"
"""Any but one with U+0000, which Postgres holds in no text; for whoever takes text from outside."""
