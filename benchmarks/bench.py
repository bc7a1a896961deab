"""Speed side by side in one run, printed as ratios: `make bench` (CPU, a few minutes).

Each row compares ours with a plain loop of `benchmarks/peers.py`, written after the published recipe.
Where the peer would take hours, a few of its epochs are timed and multiplied, and the row says so.
Nothing is asserted: the table is for reading, and docs/performance.md keeps what was learnt from it.
"""

import json
import os
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as `sslslr` does
import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))

import peers
from scale import write_store

from sslslr.augment import permutation_order
from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, PreprocessConfig, StudyConfig
from sslslr.data.preprocess import fill_gaps
from sslslr.data.store import ClipStore, concatenated_frames, writing
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.protocols import Task
from sslslr.evaluation.protocols._blocks import MAX_SCORES
from sslslr.evaluation.protocols.few_labels import FewLabels, FewLabelsConfig
from sslslr.evaluation.scores import best_classes
from sslslr.training.pretrain import pretrain
from sslslr.use.load import load_encoder
from sslslr.workflow import grid

SECONDS = 1.0  # at least this long for each timing
FRACTIONS = [0.01, 0.05, 0.1, 0.3, 0.5, 1.0]
PROBE_EPOCHS = 1000
TOKENS, BRANCHES = 31, 3  # of SL-FPN at 30 frames


def best_of(function: Callable[[], object], least: float = SECONDS) -> float:
    """Seconds of the fastest call, of as many as fit, after one that warms up."""
    function()
    best, end = float("inf"), time.perf_counter() + least
    while time.perf_counter() < end:
        began = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - began)
    return best


def once(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def permutation() -> tuple[float, float]:
    """512 clips: one sort for all, against a loop over clips."""
    clips, draws = torch.randn(512, 30, 75, 2), torch.Generator().manual_seed(0)
    lengths = torch.randint(6, 31, (512,), generator=draws)

    def ours():
        order = permutation_order(lengths, 30, Fraction(1, 3), Fraction(1, 4), draws)
        return clips.gather(1, order[:, :, None, None].expand_as(clips))

    return best_of(ours), best_of(lambda: peers.permuted(clips, lengths))


def filling() -> tuple[float, float]:
    """64 clips of 40 frames: all joints at once, against np.interp for each joint."""
    rng = np.random.default_rng(0)
    clips = rng.random((64, 40, 75, 2)).astype(np.float32)
    clips[rng.random((64, 40, 75)) < 0.2] = np.nan
    return best_of(lambda: fill_gaps(clips)), best_of(lambda: peers.filled(clips))


def probing(clips_of: int = 96, device: str = "cpu", depth: int = 12) -> tuple[float, float]:
    """The paper's head for 5 seeds x 6 fractions, 1000 epochs, 96 clips, the paper's encoder.

    Ours: the clips embedded once, and the slope of the protocol's time over epochs. The peer: one
    epoch of each fraction of one seed, times 5 seeds and 1000 epochs.
    """
    encoder = build_encoder(EncoderConfig(depth=depth), 30, 0).eval().to(device)
    clips = torch.randn(clips_of, 30, 75, 2, device=device)
    lengths = torch.full((clips_of,), 30, device=device)
    labels, rows = torch.arange(clips_of) % 8, np.arange(clips_of)
    features = torch.zeros(clips_of, 512)

    def embed():
        with torch.no_grad():
            for part in torch.arange(clips_of).split(512):
                features[part] = encoder(clips[part], lengths[part]).cpu()

    embedding = once(embed)
    classes = [f"sign_{i}" for i in range(8)]
    task = Task(
        "bench", features.numpy(), None, labels.numpy(), classes, rows, rows, None, 0, device
    )

    def ours(epochs: int):
        options = {"probe": "linear", "fractions": FRACTIONS, "shots": [], "draws": 5}
        linear = {"epochs": epochs, "warmup_epochs": 1}
        chosen = parse(FewLabelsConfig, {**options, "linear": linear}, "bench")
        return list(FewLabels().run(task, chosen, print))

    # Scores come back to the host, so that a GPU has been waited for.
    few, many = (min(once(lambda n=n: ours(n)) for _ in range(2)) for n in (2, 12))
    predicted = embedding + few + (PROBE_EPOCHS - 2) * (many - few) / 10

    def released():
        for fraction in FRACTIONS:
            kept = slice(max(8, round(clips_of * fraction)))  # at least a clip of each class
            own = (x[kept].to(device) for x in (clips, lengths, labels))
            head = peers.probe(encoder, *own, [512, 1024, 500, 8], 0, 5, 512, 1)
            next(head.parameters()).sum().item()

    return predicted, min(once(released) for _ in range(2)) * 5 * PROBE_EPOCHS


def study(methods: list[str], seeds: list[int], **changes: dict) -> list[RunSpec]:
    values = {
        "datasets": {"bench": {"source": "synthetic"}},
        "methods": {"sl_fpn": {}, "simclr": {}},
        "encoder": changes.pop("encoder", {}),
        "pretrain": {"epochs": 2, "batch_size": 64, "accelerator": "cpu", **changes},
        "runs": [{"methods": methods, "datasets": ["bench"], "seeds": seeds}],
    }
    return list(grid.runs(parse(StudyConfig, values, "benchmark")).values())


def speed(folder: Path) -> float:
    """Clips a second that a run noted, without its start-up."""
    return json.loads((folder / "run.json").read_text())["cost"]["clips_per_second"]


def flop_a_clip(parameters: int) -> float:
    """Of a step of SL-FPN: forward and backward (6 a parameter and token), three branches."""
    return 6 * parameters * TOKENS * BRANCHES


def measured_ceiling() -> float:
    """FLOP/s of a large product in single precision on one thread of this CPU."""
    a, b = torch.randn(1024, 2048), torch.randn(2048, 2048)
    return 2 * 1024 * 2048 * 2048 / min(once(lambda: a @ b) for _ in range(10))


def pretraining() -> tuple[float, float, float]:
    """SL-FPN, depth 1, width 512, 256 clips, an epoch: the real loop, against the published one's.

    The third is the FLOP of ours.
    """
    (spec,) = study(["sl_fpn"], [0], encoder={"depth": 1}, epochs=1, batch_size=128)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "clips", 256)
        store = ClipStore.open(folder / "clips")
        rates = []
        for _ in range(2):
            pretrain(spec, store, folder / "one", folder / "c", "bench", say=lambda text: None)
            rates.append(speed(folder / "one"))
    model = peers.PlainSlFpn(build_encoder(spec.encoder, 30, 0)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    clips, lengths = torch.randn(256, 30, 75, 2), torch.full((256,), 20)
    epoch = min(
        once(lambda: peers.sl_fpn_epoch(model, optimizer, clips, lengths, 128)) for _ in range(2)
    )
    parameters = sum(parameter.numel() for parameter in model.encoder.parameters())
    return 256 / max(rates), epoch, 256 * flop_a_clip(parameters)


def ranking(n_classes: int, n_clips: int = 10_000) -> tuple[float, float, float]:
    """Seconds to find the ten best of each clip, by us and by sorting whole rows, and our MB beside a block."""
    rows = MAX_SCORES // n_classes
    block = np.random.default_rng(0).standard_normal((min(rows, n_clips), n_classes), np.float32)
    times = n_clips / len(block)
    tracemalloc.start()
    best = best_classes(block)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert (best == np.argsort(-block, axis=1, kind="stable")[:, :10]).all()
    ours = once(lambda: best_classes(block)) * times
    return ours, once(lambda: np.argsort(-block, axis=1, kind="stable")) * times, peak


def embedding(n_clips: int = 10_000, frames: int = 60) -> tuple[float, float, float]:
    """CPU seconds of one core to embed clips of a store by `two_hands`: read, preprocess, encode."""
    spec = study(["sl_fpn"], [0])[0]
    settings = {"variant": "picture", "frames": 16, "fit": "resample", "gaps": "keep"}
    spec = spec.model_copy(
        update={
            "encoder": EncoderConfig(variant="two_hands"),
            "preprocess": PreprocessConfig(**settings),
        }
    )
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, 0)
    clip = np.random.default_rng(0).uniform(0.2, 0.8, (frames, 75, 2))
    with tempfile.TemporaryDirectory() as folder:
        run = {"spec": spec.model_dump(mode="json"), "joints": list(range(75))}
        artifact.save(Path(folder) / "encoder", encoder, pd.DataFrame({"epoch": [0]}), run)
        with writing(Path(folder) / "clips", {"dataset": "bench", "inputs": {}}) as writer:
            for number in range(n_clips):
                writer.add(str(number), clip, gloss="sign")
        started = time.process_time()
        store = ClipStore.open(Path(folder) / "clips")
        for first in range(0, n_clips, 500):
            concatenated_frames(store, np.arange(first, min(first + 500, n_clips)))
        read = time.process_time() - started
        encode = load_encoder(Path(folder) / "encoder")
        started = time.process_time()
        prepared = encode.prepare(store)
        prepare = time.process_time() - started
        encode.features(prepared.batch)
        return read, prepare, time.process_time() - started - prepare


ROWS = {
    "temporal permutation, 512 clips": permutation,
    "filling gaps, 64 clips": filling,
    "SL-FPN at depth 1, an epoch of 256 clips": pretraining,
    "probe: 5 seeds x 6 fractions, 1000 epochs *": probing,
}


def main() -> None:
    torch.set_num_threads(1)
    ceiling = measured_ceiling()
    print(f"| {'what':44} | ours, s | peer, s | ratio | of {ceiling / 1e9:.0f} GFLOP/s |")
    print("| :--- | ---: | ---: | ---: | ---: |")
    for name, measure in ROWS.items():
        ours, peer, *flop = measure()
        share = f"{flop[0] / ours / ceiling:.0%}" if flop else ""
        print(f"| {name:44} | {ours:.4g} | {peer:.4g} | {peer / ours:.1f} | {share} |", flush=True)
    print("\nThe ten best classes of 10,000 clips, in blocks; the peer sorts each row")
    print("| classes | ours, s | peer, s | ratio | ours, MB beside a block |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for n_classes in (100, 1_000, 3_000, 10_000):
        ours, peer, megabytes = ranking(n_classes)
        print(f"| {n_classes:,} | {ours:.3g} | {peer:.3g} | {peer / ours:.1f} | {megabytes:.0f} |")
    read, prepare, encode = embedding()
    print(
        f"\nEmbed 10,000 clips of 60 frames: {prepare + encode:.1f} s of one core, "
        f"{10_000 / (prepare + encode):,.0f} clips/s; reading {read / (prepare + encode):.0%}, "
        f"preprocessing {(prepare - read) / (prepare + encode):.0%}, encoder {encode / (prepare + encode):.0%}"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        "\nThe ceiling: a product of 1024 x 2048 by 2048 x 2048 in single precision, measured in this run"
    )
    print("* extrapolated: ours from 12 epochs of all 30 heads, the peer from 1 epoch of 6 heads")
    print(f"torch {torch.__version__}, one thread; peak memory {peak:.0f} MB")

    import bench_import
    import bench_step

    import bench_pose  # here, because it needs what videos are decoded with

    bench_step.main()
    bench_pose.main()
    bench_import.main()


if __name__ == "__main__":
    main()
