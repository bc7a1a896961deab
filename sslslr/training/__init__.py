"""The parts of the pretraining loop, which `sslslr.pretrain` puts together.

stop.py         asked to stop (SIGTERM): put the work down at the next step
ranks.py        several processes on one step, with the result of one
checkpoint.py   the state of a run, in memory and on disk
loop.py         an epoch
adamw.py        the optimiser
on_cpu.py       Fabric's part, where there is nothing for it to do
fast.py         compiled encoders
stacked.py      several runs in one program
"""
