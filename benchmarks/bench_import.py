"""How many clips of 60 frames a second and core are imported, `.npy` and `.pose`; part of `make bench`.

Processor time, not the clock's: other work on the machine does not count. `.pose` stands beside
pose-format's own reader, which decodes the same files and does nothing else.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from sslslr.data.datasets import build
from sslslr.data.export import pose_file

CLIPS, FRAMES = {"npy": 2000, "pose": 300}, 60


def _folder(folder: Path, form: str) -> Path:
    rng, rows = np.random.default_rng(0), []
    folder.mkdir()
    clip = rng.uniform(0.4, 0.6, (FRAMES, 75, 2)).astype(np.float32)
    # Nose and shoulders of an upright body: such a clip's order of parts is told at one look.
    clip[:, 42], clip[:, 53], clip[:, 54] = (0.5, 0.25), (0.6, 0.4), (0.4, 0.4)
    for hand, wrist, x in ((slice(0, 21), 57, 0.6), (slice(21, 42), 58, 0.35)):
        clip[:, wrist] = (x, 0.7)
        clip[:, hand] = clip[:, wrist, None] + rng.uniform(-0.02, 0.02, (FRAMES, 21, 2))
    for number in range(CLIPS[form]):
        name = folder / f"{number:05d}.{form}"
        if form == "npy":
            np.save(name, clip)
        else:
            name.write_bytes(pose_file(clip, 25.0, 1.5))
        rows.append(f"{name.name},g{number % 20}\n")
    (folder / "labels.csv").write_text("file,gloss\n" + "".join(rows))
    return folder


def main() -> None:
    """Print a row a format."""
    from pose_format import Pose

    print(f"\n| import of clips of {FRAMES} frames | clips a second and core | the peer's |")
    print("| :--- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as place:
        for form, count in CLIPS.items():
            folder = _folder(Path(place, form), form)
            begin = time.process_time()
            build("x", "local", {"folder": str(folder)}, Path(place, "s"), say=lambda line: None)
            ours = count / (time.process_time() - begin)
            peer = "-"
            if form == "pose":
                begin = time.process_time()
                for file in folder.glob("*.pose"):
                    Pose.read(file.read_bytes())
                peer = f"{count / (time.process_time() - begin):,.0f} (pose-format, reading alone)"
            print(f"| .{form} | {ours:,.0f} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
