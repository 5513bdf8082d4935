"""Bundles to predictions, without torch."""
