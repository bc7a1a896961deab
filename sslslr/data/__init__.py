"""Clips: the store, preprocessing, splits, readers, data sets."""
