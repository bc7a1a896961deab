"""From what a file holds to a clip of the store: one path for every format.

`plan` looks at a sample of the clips and decides what their numbers mean (order of the points, unit,
third coordinate, zeros); `to_clip` does it to each clip; `tally` counts what was left out or changed.
"""
