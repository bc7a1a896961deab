"""The methods, one file each; see `docs/add-a-method.md`.

A method module may state literal `TRAITS` (read without importing torch):

    pretrains   False where nothing is learnt before evaluation (default True)
    encoder     settings of the encoder that the method fixes (default none)
    protocols   the only protocols that make sense for it (default: those of the study)
    stacks      False where a step draws within itself (see sslslr/groups.py; default True)
    skips       protocols of the study that would repeat another row of the tables

and, where its options have a `variant`, literal `VARIANTS`: the other options that each stands for.
"""

from sslslr.registry import Registry

METHODS = Registry("sslslr.methods", "method")
register = METHODS.register
