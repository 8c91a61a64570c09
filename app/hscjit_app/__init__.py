"""The assistant: guesses the product while you type, answers from its manual with page numbers."""
