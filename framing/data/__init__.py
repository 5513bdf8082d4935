"""Readers, gold labels, agreement, splits, leakage and segmentation."""
