"""Intervals, paired comparisons and the claims of the paper."""
