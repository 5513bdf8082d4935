"""Sentence-level framing and stance: train, evaluate, and label offline."""

__version__ = "0.1.0"
