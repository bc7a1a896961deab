"""CPU seconds and memory of pretraining from 1,000 to 120,000 clips (LSFB's size): `make bench-scale`.

Each size is a clip store of random clips as long as LSFB's (a gamma distribution with the mean of
20.4 frames), written by `sslslr.data.store.writing` into a temporary folder that is removed afterwards,
and read, preprocessed and trained on by the real loop in a process of its own, so that its peak is
its own. The encoder is tiny: what is measured is everything around it. Times are CPU seconds of one
thread, which other jobs of the machine do not stretch.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = (1_000, 4_000, 16_000, 60_000, 120_000)
LIMIT_MB = 4_000  # of issue 6
STUDY = {
    "datasets": {"scale": {"source": "synthetic"}},
    "encoder": {"depth": 1, "width": 16, "heads": 2},
    "methods": {"simclr": {"projector_hidden": 16, "projection": 16}},
    "pretrain": {"epochs": 1, "batch_size": 512, "accelerator": "cpu"},
    "runs": [{"methods": ["simclr"], "datasets": ["scale"]}],
}


def write_store(folder: Path, n_clips: int) -> float:
    """A store of `n_clips` random clips; the seconds it took."""
    from sslslr.data.store import writing

    rng = np.random.default_rng(0)
    pool = rng.random((64, 200, 75, 2), dtype=np.float32).astype(np.float16)
    pool[rng.random(pool.shape[:3]) < 0.1] = np.nan
    lengths = np.clip(rng.gamma(4, 5.1, n_clips).round(), 4, 120).astype(int)
    began = time.process_time()
    with writing(folder, {"dataset": "scale"}) as writer:
        for i, length in enumerate(lengths):
            clip = pool[i % 64, i % 79 :][:length]
            about = {"gloss": f"gloss_{i % 500}", "signer": f"signer_{i % 99}", "split": "train"}
            writer.add(f"clip_{i:06d}", clip, **about)
    return time.process_time() - began


def measure(folder: Path) -> dict[str, float]:
    """Open, preprocess and train one epoch on a store, in this process."""
    from sslslr.config.settings import parse
    from sslslr.config.study import StudyConfig
    from sslslr.data import preprocess
    from sslslr.data.store import ClipStore
    from sslslr.training import pretrain as training
    from sslslr.utils.hardware import peak_memory_mb
    from sslslr.workflow import grid

    (spec,) = grid.runs(parse(StudyConfig, STUDY, "benchmark")).values()
    found: dict[str, float] = {"before": peak_memory_mb("cpu")}

    def timed(*arguments, **settings):
        began = time.process_time()
        prepared = preprocess.preprocess(*arguments, **settings)
        found["preprocess"] = time.process_time() - began
        return prepared

    training.preprocess = timed
    began = time.process_time()
    store = ClipStore.open(folder)
    found["open"] = time.process_time() - began
    out, checkpoint = folder.parent / "encoder", folder.parent / "run.ckpt"
    began = time.process_time()
    training.pretrain(spec, store, out, checkpoint, "benchmark", say=lambda text: None)
    found["train"] = time.process_time() - began - found["preprocess"]
    return found | {"peak": peak_memory_mb("cpu")}


def main(sizes: list[int]) -> None:
    columns = ("clips", "write, s", "open, s", "preprocess, s", "epoch, s", "ms a clip", "peak, MB")
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---:" for _ in columns) + " |")
    for n_clips in sizes:
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "clips"
            written = write_store(store, n_clips)
            command = [sys.executable, __file__, "--measure", str(store)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(answer.stdout.splitlines()[-1])
        each = 1e3 * (found["open"] + found["preprocess"] + found["train"]) / n_clips
        print(
            f"| {n_clips:,} | {written:.1f} | {found['open']:.2f} | {found['preprocess']:.1f} | "
            f"{found['train']:.1f} | {each:.3f} | {found['peak']:,.0f} |",
            flush=True,
        )
        if found["peak"] > LIMIT_MB:
            print(f"above the limit of {LIMIT_MB} MB")
    print(f"\nbefore anything is read a process has {found['before']:,.0f} MB (torch, pandas)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
