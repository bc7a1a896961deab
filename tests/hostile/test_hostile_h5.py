"""HDF5 files of somebody else's: links, arrays that are not there, sizes that no memory holds."""

import numpy as np
import pytest
from bodies import signer

from hostile_bytes import one_line
from sslslr.data.datasets import build

h5py = pytest.importorskip("h5py")
CLIP = signer()
MANY = np.iinfo(np.int64).max // 8


def linked_twice(file, outside):
    """Thirty groups, each of which holds the next one twice: 2^30 paths to one array."""
    group = file.create_group("g0")
    for number in range(30):
        inner = file.create_group(f"deep{number}")
        group["a"] = group["b"] = inner
        group = inner
    group["keypoints"] = CLIP


def ring(file, outside):
    group = file.create_group("book")
    group["again"] = group


def virtual(file, outside):
    layout = h5py.VirtualLayout(shape=CLIP.shape, dtype="f4")
    layout[:] = h5py.VirtualSource(str(outside), "secret", shape=CLIP.shape)
    file.create_virtual_dataset("keypoints", layout)


def external(file, outside):
    file.create_dataset("keypoints", CLIP.shape, "f4", external=[(str(outside), 0, CLIP.size * 4)])


def outward(file, outside):
    file["keypoints"] = h5py.ExternalLink(str(outside), "secret")
    file["other"] = h5py.SoftLink("/nowhere")


def labels(file, outside):
    file["X"] = np.stack([CLIP, CLIP])
    file.create_dataset(
        "y", (2_000_000_000,), "i1", chunks=(1 << 20,), compression="gzip", fillvalue=1
    )


def clips(file, outside):
    form = {"chunks": (1, 800, 75, 2), "compression": "gzip"}
    file.create_dataset("X", (100_000, 800, 75, 2), "f4", **form)
    file["y"] = np.zeros(100_000, "i1")


# name: (what writes it, what is said)
CASES = {
    "linked_twice": (linked_twice, "no array called"),
    "ring": (ring, "cannot be read|no array called|holds no keypoints"),
    "virtual": (virtual, "keeps its numbers in another file"),
    "external": (external, "keeps its numbers in another file"),
    "outward": (outward, "no array called"),
    "labels": (labels, "arrays of"),
    "clips": (clips, "arrays of"),
    "endless_clip": (
        lambda file, _: file.create_dataset("keypoints", (MANY, 75, 2), "f2", chunks=(8, 75, 2)), "arrays of",
    ),
    "texts": (lambda file, _: file.create_dataset("keypoints", data=["a"] * 8), "."),
    "compound": (lambda file, _: file.create_dataset("keypoints", (8,), [("x", "f4"), ("y", "f4")]), "."),
    "nothing": (lambda file, _: file.create_dataset("keypoints", data=h5py.Empty("f4")), "."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_ends_in_one_line(name, tmp_path):
    write, said = CASES[name]
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["secret"] = CLIP
    (tmp_path / "in/book").mkdir(parents=True)
    with h5py.File(tmp_path / "in/book/a.h5", "w") as file:
        write(file, tmp_path / "outside.h5")
    with one_line(said):
        build(
            "x", "local", {"folder": str(tmp_path / "in")}, tmp_path / "out", say=lambda line: None
        )
