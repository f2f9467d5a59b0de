"""Nouns of the product: frozen values, enums and errors.

Imports nothing but the standard library and knows no outside system.
"""
