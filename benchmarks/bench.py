"""Speed side by side in one run, printed as ratios: `make bench` (CPU, a few minutes).

Each row compares ours with a plain loop of `benchmarks/peers.py`, written after the published recipe.
Where the peer would take hours, a few of its epochs are timed and multiplied, and the row says so.
Nothing is asserted: the table is for reading, and docs/performance.md keeps what was learnt from it.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import peers
from scale import write_store

from sslslr import grid
from sslslr.augment import permutation_order
from sslslr.clips import ClipStore
from sslslr.config import EncoderConfig, StudyConfig
from sslslr.encoder import build_encoder
from sslslr.preprocess import fill_gaps
from sslslr.pretrain import pretrain
from sslslr.protocols import Task
from sslslr.protocols.semi_supervised import SemiSupervised, SemiSupervisedConfig
from sslslr.stacking import pretrain_stack
from sslslr.strict import parse

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
        chosen = parse(SemiSupervisedConfig, {**options, "linear": linear}, "bench")
        return list(SemiSupervised().run(task, chosen, print))

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


def study(methods: list[str], seeds: list[int], **changes: dict) -> list[grid.RunSpec]:
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


def stacking() -> tuple[float, float]:
    """5 seeds of SimCLR, depth 2, width 64, 256 clips, 2 epochs: stacked, against one by one."""
    specs = study(["simclr"], [0, 1, 2, 3, 4], encoder={"depth": 2, "width": 64, "heads": 4})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "clips", 256)
        store = ClipStore.open(folder / "clips")
        ours, theirs = [], []
        for _ in range(2):
            pretrain_stack(
                specs, store, folder / "all", folder / "c", "bench", say=lambda text: None
            )
            ours.append(speed(folder / "all" / specs[0].run_id))
            rates = []
            for spec in specs:
                pretrain(spec, store, folder / "one", folder / "c", "bench", say=lambda text: None)
                rates.append(speed(folder / "one"))
            theirs.append(sum(1 / rate for rate in rates))
        clips = 5 * 2 * 256
        return clips / max(ours), min(theirs) * 2 * 256


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


ROWS = {
    "temporal permutation, 512 clips": permutation,
    "filling gaps, 64 clips": filling,
    "SL-FPN at depth 1, an epoch of 256 clips": pretraining,
    "5 seeds of SimCLR, stacked": stacking,
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        "\nThe ceiling: a product of 1024 x 2048 by 2048 x 2048 in single precision, measured in this run"
    )
    print("* extrapolated: ours from 12 epochs of all 30 heads, the peer from 1 epoch of 6 heads")
    print(f"torch {torch.__version__}, one thread; peak memory {peak:.0f} MB")

    import bench_pose  # here, because it needs what videos are decoded with

    bench_pose.main()


if __name__ == "__main__":
    main()
