"""What an encoder is told of each frame, one file an input; `encoder.inputs` names them.

An input is a class marked `@register` whose `values(hands)` computes, batched and on the clips' own
device, after the view:

    (B, T, 2, n)  n values of each hand, left first
    (B, T, n)     n values of the frame

`Hands` has what they share: each hand relative to its wrist, the length of its palm, which hands the
clip has. An input is zero in padding, for a hand that the clip lacks, and never NaN.
"""

from sslslr.utils.registry import Registry

INPUTS = Registry("sslslr.encoders.inputs", "input")
register = INPUTS.register
