"""Bundled corpora and the cards of public ones."""
