"""Frozen features, scores and the protocols."""
