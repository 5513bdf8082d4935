"""Predictions and gold labels -> scores, with intervals, paired tests, calibration and slices."""
