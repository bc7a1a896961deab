"""Clips, from files of any format to a batch, in reading order.

store.py             the clip store, and how one is read; writer.py how one is written
readers/             formats of keypoints, one file each, found by content
conversion/          what the numbers of a file mean: order of the points, unit, axes
opened.py            a folder with its table: source.py its rows, finder.py, label_tables.py
import_keypoints.py  all of these into a store
datasets/            data sets by name, one file each
deal.py              splits for a set that has none; splits.py the split of a target
check.py             what is wrong with a store: leaks.py its splits, quality.py its keypoints
preprocess.py        from a store to a batch (batch.py): trim, fill gaps, normalise, T frames
export.py            a store for other tools; membership.py publishes its splits
"""
