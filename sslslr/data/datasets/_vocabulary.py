"""The synthetic signer's vocabulary: what each sign is made of."""

from typing import Any

import numpy as np

from sslslr.data.datasets._body import CURLS, POSITION, STATE

SIGNS = 1  # the random stream of the signs
# Where the vocabulary lies: the hand in the stroke, uniform between these.
LOWEST = np.array([-0.15, -0.60, -0.5, -0.9, 0, 0, 0, 0, 0, 0.0], dtype=np.float32)
HIGHEST = np.array([0.65, 0.85, 1.9, 1.4, 1, 1, 1, 1, 1, 1.0], dtype=np.float32)
SYMMETRIC, ALTERNATING, BASE = 1.0, -1.0, 0.0  # what the second hand makes of the first's path


def paths(time: np.ndarray, turns: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Path families over the stroke, each as (along, across), about one unit large."""
    angle = 2 * np.pi * turns * time
    return {
        "line": (2 * time - 1, 0 * time),
        "arc": (-np.cos(np.pi * time), -np.sin(np.pi * time)),
        "circle": (np.cos(angle), np.sin(angle)),
        "back and forth": (np.sin(angle), 0 * time),
        "eight": (np.sin(angle), 0.6 * np.sin(2 * angle)),
        "zigzag": (2 * time - 1, 0.5 * np.sin(2 * angle)),
    }


PATHS = tuple(paths(np.zeros(1), np.ones(1)))


def draw_signs(options: Any) -> dict[str, np.ndarray]:
    """The vocabulary: hand states at the start and the end of the stroke, and a movement."""
    rng, n = np.random.default_rng([options.seed, SIGNS]), options.signs
    start = rng.uniform(LOWEST, HIGHEST, (n, len(STATE))).astype(np.float32)
    end = rng.uniform(LOWEST, HIGHEST, (n, len(STATE))).astype(np.float32)
    end[:, POSITION] = start[:, POSITION]  # the path moves the hand, not the location
    # Half of the signs keep their handshape, as in real vocabularies.
    keeps = rng.random((n, 1)) < 0.5
    end = np.where(keeps, start, end)
    two_handed = np.zeros(n, dtype=bool)
    two_handed[rng.permutation(n)[: round(options.two_handed * n)]] = True
    return {
        "start": start,
        "end": end,
        "path": rng.integers(len(PATHS), size=n),
        "direction": rng.uniform(0, 2 * np.pi, n).astype(np.float32),
        "amplitude": rng.uniform(0.10, 0.32, n).astype(np.float32),
        "repetitions": rng.integers(1, 3, n),
        "two_handed": two_handed,
        "second_hand": rng.choice([SYMMETRIC, SYMMETRIC, ALTERNATING, BASE], n).astype(np.float32),
    }


def phonology(signs: dict[str, np.ndarray]) -> dict[str, list[str]]:
    """Handshape, location and movement of each sign of :func:`draw_signs`, in words."""
    start = signs["start"]
    fingers = start[:, CURLS][:, 1:]  # from the index finger on
    bent = np.column_stack([fingers[:, :2], fingers[:, 2:].mean(axis=1)]) > 0.5
    side, height = start[:, POSITION].T
    low, high = LOWEST[POSITION], HIGHEST[POSITION]
    outside = side > (low[0] + high[0]) / 2
    level = np.digitize(height, np.linspace(low[1], high[1], 4)[1:-1])
    return {
        "handshape": ["".join("ob"[int(b)] for b in row) for row in bent],
        "location": [
            f"{('high', 'middle', 'low')[y]}, {'outside' if x else 'inside'}"
            for x, y in zip(outside, level, strict=True)
        ],
        "movement": [PATHS[path] for path in signs["path"]],
    }
