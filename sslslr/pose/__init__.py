"""From videos to keypoints: decoding, pose models, tracking, shards, smoothing, quality.

video.py      frames of a video, streamed (PyAV); a bad one says why
backends/     the pose models, one file each: frames in, the 75 joints out
track.py      which person, and the box around them
extract.py    videos through a backend into shards
shards.py     which videos, what a shard is, and shards into a clip store
smooth.py     One Euro and Savitzky-Golay filters that respect gaps
quality.py    what was found, how much it trembles, whether the hands look exchanged
preview.py    keypoints drawn over the video
"""
