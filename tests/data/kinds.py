"""A signed clip, and how a set of one file is imported, for the tests of kinds of keypoints."""

import io

import numpy as np
from bodies import arranged, signer

from sslslr.data.datasets import build
from sslslr.data.store import ClipStore

CLIP = signer()
SIZE = np.array([1280, 720], np.float32)


def imported(folder, out, on_bad="error", said=None, **options):
    say = (lambda line: None) if said is None else said.append
    build("x", "local", {"folder": str(folder), **options}, out, say=say, on_bad=on_bad)
    return ClipStore.open(out)


def labelled(folder, name, extra="", values=""):
    (folder / "labels.csv").write_text(f"file,gloss{extra}\n{name},book{values}\n")


def one(tmp_path, ending, data, said=None, columns=("", ""), **options):
    """The clip of a set of one file."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"a{ending}").write_bytes(data)
    labelled(folder, f"a{ending}", *columns)
    store = imported(folder, tmp_path / "s", said=said, **options)
    return np.asarray(store.frames(0), np.float32), store


def one_again(tmp_path, *arguments, **options):
    (tmp_path / "again").mkdir()
    return one(tmp_path / "again", *arguments, **options)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def same(found, expected=CLIP, joints=slice(None), tolerance=1e-3):
    np.testing.assert_allclose(
        found[:, joints], expected[:, joints], atol=tolerance, equal_nan=True
    )


def flat(frames, visibility, face=468):
    """Rows as the MediaPipe tutorials write them: body x, y, z, visibility, then face and hands x, y, z."""
    holistic = arranged(frames, f"body-face{'478' if face == 478 else ''}-left-right", 3)
    body = np.concatenate([holistic[:, :33], np.full((len(frames), 33, 1), visibility)], axis=2)
    return np.concatenate(
        [part.reshape(len(frames), -1) for part in (body, holistic[:, 33:])], axis=1
    )
