"""The assistant: guesses the product while you type, answers from its manual with page numbers."""

__version__ = "0.1.0"
"""As in pyproject.toml: the image carries this folder without the distribution's papers."""
