"""Speed on one GPU, through the real loop: `make bench-gpu`. Without a GPU it says so and ends.

Each row: what, ours, the peer, their ratio, and the share of the ceiling of bf16 matrix products
(790 TFLOP/s on an H100, by issue; the rate measured here is printed beside it). The clips are random,
as many and as long as LSFB-500's are on average; checkpoints and metrics are included, start-up is
printed apart. Peers are in `benchmarks/peers.py`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

import peers
from bench import flop_a_clip, probing, study
from scale import write_store

from sslslr.data.store import ClipStore
from sslslr.encoders.build import build_encoder
from sslslr.training.pretrain import pretrain

CEILING = 790e12  # bf16 matrix products of an H100, FLOP/s
CLIPS, PROBED = 51_066, 3_549  # the last: WLASL-300's training clips


def measured_ceiling() -> float:
    """FLOP/s of a large bf16 product on this GPU."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    best = 0.0
    for _ in range(20):
        torch.cuda.synchronize()
        began = time.perf_counter()
        a @ b
        torch.cuda.synchronize()
        best = max(best, 2 * 8192**3 / (time.perf_counter() - began))
    return best


def row(what: str, ours: float, peer: float | None, parameters: int | None) -> None:
    """Print rates in clips a second; the share of the ceiling where the work is known."""
    ratio = f"{ours / peer:.1f}" if peer else "no peer"
    share = f"{ours * flop_a_clip(parameters) / CEILING:.1%}" if parameters else ""
    print(
        f"| {what} | {ours:,.0f} | {f'{peer:,.0f}' if peer else ''} | {ratio} | {share} |",
        flush=True,
    )


def note(folder: Path) -> dict:
    run = json.loads((folder / "run.json").read_text())
    return run["cost"] | {"parameters": run["parameters"], "warnings": run["warnings"]}


def real_loop(folder: Path, store: ClipStore, depth: int, epochs: int) -> dict:
    changes = {"encoder": {"depth": depth}, "epochs": epochs, "batch_size": 512}
    (spec,) = study(["sl_fpn"], [0], accelerator="cuda", checkpoint_every=2, **changes)
    pretrain(spec, store, folder / "one", folder / "c", "bench", say=lambda text: None)
    found = note(folder / "one")
    print(
        f"depth {depth}: start-up {found['startup_seconds']} s, warnings {found['warnings']}",
        file=sys.stderr,
    )
    return found


def authors_loop(clips: int = 4096) -> float:
    model = peers.PlainSlFpn(
        build_encoder(study(["sl_fpn"], [0], encoder={"depth": 1})[0].encoder, 30, 0)
    )
    model = model.cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    data, lengths = torch.randn(clips, 30, 75, 2), torch.full((clips,), 20)
    peers.sl_fpn_epoch(model, optimizer, data[:512], lengths[:512], 512)
    began = time.perf_counter()
    peers.sl_fpn_epoch(model, optimizer, data, lengths, 512)  # its last act is to read a loss
    return clips / (time.perf_counter() - began)


def main() -> None:
    if not torch.cuda.is_available():
        print("not measured: no GPU")
        return
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(f"bf16 product of 8192 x 8192: {measured_ceiling() / 1e12:.0f} TFLOP/s")
    print("| what | ours, clips/s | peer, clips/s | ratio | of 790 TFLOP/s |")
    print("| :--- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "clips", CLIPS)
        large = ClipStore.open(folder / "clips")
        deep = real_loop(folder, large, depth=12, epochs=4)
        row("SL-FPN, depth 12, batch 512", deep["clips_per_second"], None, deep["parameters"])
        flat = real_loop(folder, large, depth=1, epochs=8)
        row(
            "SL-FPN, depth 1, batch 512",
            flat["clips_per_second"],
            authors_loop(),
            flat["parameters"],
        )
    ours, peer = probing(PROBED, "cuda")
    print(
        f"\nprobe, 5 seeds x 6 fractions, 1000 epochs, {PROBED:,} clips, in seconds (extrapolated): ours "
        f"{ours:,.1f}, the released protocol {peer:,.0f}, ratio {peer / ours:.0f}"
    )


if __name__ == "__main__":
    main()
