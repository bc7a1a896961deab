"""Pretraining, in reading order.

pretrain.py      a run: clips, method, epochs, artifact
loop.py          one epoch: views, loss, backward, step
collapse.py      spread and rank of the embedding, after each epoch
checkpoint.py    the state of a run, in memory and on disk
distributed.py   Lightning Fabric; several processes on one step, with the result of one
stop.py          asked to stop (SIGTERM): put the work down at the next step
"""
