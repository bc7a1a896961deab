"""An encoder as a folder that others can use: weights, ONNX, preprocessing, model card.

    model/encoder.safetensors   the weights, as the run has them
    model/encoder.onnx          the same for other programs (with the extra `onnx`)
    model/preprocess.json       from keypoints to inputs; the encoder's settings; the run behind it
    model/README.md             the model card

`load_encoder` reads such a folder as it reads a run's.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from sslslr.data.store import ClipStore
from sslslr.encoders.artifact import EXPORTED, WEIGHTS
from sslslr.encoders.build import encoder_options
from sslslr.pose.skeleton import RIGHT_HAND
from sslslr.use import onnx
from sslslr.use.card import model_card, scores, training_data
from sslslr.use.load import FORMAT, Encode, _in_memory
from sslslr.utils.errors import UserError
from sslslr.utils.files import (
    atomic_folder,
    read_object,
    refuse_foreign,
    sha256_of,
    write_json,
    write_text,
)

ONNX, README = "encoder.onnx", "README.md"
FILES = (WEIGHTS, ONNX, EXPORTED, README)
COMPARED, LENGTHS = (
    64,
    (1, 2, 300),
)  # clips that ONNX is compared with torch on, and of these frames


def export(
    encode: Encode, out: str | Path, store: ClipStore | None = None, say: Callable[[str], None] = print
) -> None:  # fmt: skip
    """Write the exported folder, whole or not at all.

    Args:
        store: real clips that ONNX is compared with torch on; those of the run's study for None, and
            clips drawn at random where there are none.

    Raises:
        UserError: ONNX differs from torch by more than 1e-4; `out` holds something else.
    """
    out = Path(out)
    refuse_foreign(out, FILES, "exported encoder", record=(EXPORTED, "encoder_sha256"))
    about = describe(encode)
    with atomic_folder(out) as folder:
        write_model(encode, folder, about, out.name)
        if lacking := onnx.lacking():
            say(f'No encoder.onnx: {lacking}. pip install "sslslr[onnx]"')
            return
        file = onnx.to_onnx(encode.encoder, encode.preprocess.frames)
        (folder / ONNX).write_bytes(file)
        difference, compared = compare(encode, file, store)
        if not difference <= onnx.MOST:
            raise UserError(
                f"{out}: ONNX differs from torch by {difference:.2g} on {compared}; at most "
                f"{onnx.MOST:g} is allowed. Nothing was written."
            )
        say(f"encoder.onnx: {len(file) / 1e6:.1f} MB, differs by {difference:.1e} on {compared}.")


def write_model(encode: Encode, folder: Path, about: dict[str, Any], name: str) -> None:
    """Weights, preprocess.json and the card, into a folder that is there."""
    if encode.measured:  # its inputs were: the file of the run does not have them
        save_file(encode.encoder.state_dict(), folder / WEIGHTS)
    else:
        shutil.copyfile(encode.folder / WEIGHTS, folder / WEIGHTS)
    about["encoder_sha256"] = sha256_of(folder / WEIGHTS)
    try:
        card = model_card(about, name)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise UserError(
            f"{encode.folder / EXPORTED}: not what `sslslr export` writes. Export the run again."
        ) from None
    write_json(folder / EXPORTED, about)
    write_text(folder / README, card)


def describe(encode: Encode) -> dict[str, Any]:
    """`preprocess.json` of an encoder: what one needs to know to use it, and what it comes from."""
    exported = encode.folder / EXPORTED
    if exported.is_file():
        return read_object(exported)
    spec = encode.spec
    options = encoder_options(spec.encoder).model_dump(mode="json")
    run = {key: value for key, value in encode.run.items() if key != "cost"}
    return {
        "format": FORMAT,
        **encode.identity(),
        "width": encode.width,
        "variant": spec.encoder.variant,
        "options": options,
        "layout": "75 joints: left hand 0-20, right hand 21-41, body 42-74 (MediaPipe)",
        "training_data": training_data(encode.folder.resolve(), encode.run),
        "scores": scores(encode.folder.resolve(), spec.run_id),
        "run": run,
    }


def compare(encode: Encode, file: bytes, store: ClipStore | None) -> tuple[float, str]:
    """Largest difference of ONNX from torch, and on which clips in words."""
    if store is None:
        where = encode.folder.resolve().parent.parent / "data"
        stores = sorted(where.glob("*/clips/card.json"))
        store = ClipStore.open(stores[0].parent) if stores else None
    if store is None:
        draws = np.random.default_rng(0)
        clips = [draws.uniform(0.2, 0.8, (n, 75, 2)) for n in draws.integers(3, 120, COMPARED)]
        aspects, kind = [1.0] * COMPARED, "clips drawn at random"
    else:
        rows = np.unique(np.linspace(0, len(store) - 1, COMPARED).astype(int))
        clips = [np.asarray(store.frames(row)) for row in rows]
        aspects = list(store.clips["aspect"].to_numpy(float, na_value=1.0)[rows])
        kind = f"clips of {store.name}"
    longest = max(clips, key=len)
    longest = longest[np.isfinite(longest[:, : RIGHT_HAND.stop]).all(axis=-1).any(axis=1)]
    if len(longest):
        clips += [np.resize(longest, (n, *longest.shape[1:])) for n in LENGTHS]
        aspects += [1.0] * len(LENGTHS)
    prepared = encode.prepare(_in_memory(clips, aspects))
    return onnx.difference(encode.encoder, file, prepared.batch), f"{len(prepared.batch)} {kind}"
