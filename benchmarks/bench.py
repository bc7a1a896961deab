"""Speed side by side in one run, printed as ratios: `make bench` (CPU, about two minutes).

Each row compares ours with a plain loop written after the published recipe. Nothing is asserted:
the table is for reading, and docs/performance.md keeps what was learnt from it.
"""

import resource
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch

import bench_pose
from sslslr.augment import permutation_order
from sslslr.config import EncoderConfig
from sslslr.encoder import build_encoder
from sslslr.preprocess import fill_gaps
from sslslr.protocols._heads import StackedHeads, fit_heads

SECONDS = 2.0  # at least this long for each timing


def seconds_per_call(function: Callable[[], object]) -> float:
    """Mean over as many calls as fit, after one that warms up."""
    function()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        function()
        calls += 1
    return (time.perf_counter() - began) / calls


def permutation() -> tuple[float, float]:
    """512 clips: one sort for all, against a loop over clips."""
    clips, draws = torch.randn(512, 30, 75, 2), torch.Generator().manual_seed(0)
    lengths = torch.randint(6, 31, (512,), generator=draws)

    def ours():
        order = permutation_order(lengths, 30, Fraction(1, 3), Fraction(1, 4), draws)
        return clips.gather(1, order[:, :, None, None].expand_as(clips))

    def loop():
        views = clips.clone()
        for i, n in enumerate(lengths.tolist()):
            views[i, : n // 3] = clips[i, torch.randperm(n // 3)]
            views[i, n - n // 4 : n] = clips[i, n - n // 4 + torch.randperm(n // 4)]
        return views

    return seconds_per_call(ours), seconds_per_call(loop)


def filling() -> tuple[float, float]:
    """64 clips of 40 frames: all joints at once, against np.interp for each joint."""
    rng = np.random.default_rng(0)
    clips = rng.random((64, 40, 75, 2)).astype(np.float32)
    clips[rng.random((64, 40, 75)) < 0.2] = np.nan

    def loop():
        time_axis = np.arange(40)
        for clip in clips.copy():
            for joint in range(75):
                seen = np.isfinite(clip[:, joint, 0])
                for axis in range(2):
                    clip[:, joint, axis] = np.interp(
                        time_axis, time_axis[seen], clip[seen, joint, axis]
                    )

    return seconds_per_call(lambda: fill_gaps(clips)), seconds_per_call(loop)


def probing() -> tuple[float, float]:
    """Five probe seeds, 10 epochs: stacked on cached features, against one by one with the encoder inside."""
    encoder = build_encoder(EncoderConfig(depth=2, width=64, heads=4), 30, 0).eval()
    clips, lengths = torch.randn(256, 30, 75, 2), torch.full((256,), 30)
    labels, seeds = torch.arange(256) % 10, [0, 1, 2, 3, 4]

    def ours():
        with torch.no_grad():
            features = encoder(clips, lengths)
        heads = StackedHeads([64, 256, 128, 10], seeds)
        fit_heads(
            heads, features, labels, [torch.arange(256)] * 5, seeds, 10, 256, lambda epoch: 0.01
        )

    def released():
        for seed in seeds:
            torch.manual_seed(seed)
            layers = [torch.nn.LayerNorm(64)]
            layers += [torch.nn.Linear(a, b) for a, b in ((64, 256), (256, 128), (128, 10))]
            head = torch.nn.Sequential(*layers)
            optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
            for _ in range(10):
                with torch.no_grad():
                    features = encoder(clips, lengths)
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(head(features), labels).backward()
                optimizer.step()

    return seconds_per_call(ours), seconds_per_call(released)


def main() -> None:
    torch.set_num_threads(1)
    rows = {
        "temporal permutation, 512 clips": permutation,
        "filling gaps, 64 clips": filling,
        "linear probes, 5 seeds": probing,
    }
    print(f"| {'what':34} | ours, ms | plain loop, ms | ratio |\n| :--- | ---: | ---: | ---: |")
    for name, measure in rows.items():
        ours, peer = measure()
        print(
            f"| {name:34} | {ours * 1e3:8.2f} | {peer * 1e3:14.2f} | {peer / ours:5.1f} |",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\ntorch {torch.__version__}, one thread; peak memory {peak:.0f} MB")
    bench_pose.main()


if __name__ == "__main__":
    main()
