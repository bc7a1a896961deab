"""From videos to keypoints, in reading order.

skeleton.py   the 75 joints; layouts.py: the orders in which other tools write them
video.py      frames of a video, streamed (PyAV); a bad one says why
backends/     the pose models, one file each: frames in, the 75 joints out
model.py      settings of an extraction, and the prepared model
tracking.py   which person, and the box around them
shards.py     which videos there are, and what a shard is
extract.py    videos through a backend into shards
smoothing.py  One Euro and Savitzky-Golay filters that respect gaps
preview.py    keypoints drawn over the video
"""
