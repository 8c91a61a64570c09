"""Which products are there, and which one does a customer mean?"""
