"""What a frozen encoder's features are worth, in reading order.

evaluate.py   one encoder: features, every protocol, metrics.csv
task.py       the clips of a target as the encoder sees them (joints.py), and what a protocol is given
features.py   features of all clips
protocols/    one file a protocol: from features and labels to predictions
scores.py     from predictions to the rows of metrics.csv
made_with.py  refuses an encoder of other settings; pools.py one that has learnt from test clips
"""
