"""The classifier, its inputs, baselines, calibration and checkpoints."""
