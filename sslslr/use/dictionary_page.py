"""The page of a dictionary: a static folder in which one signs to it. Sources: `page/`.

    python -m http.server --directory page     # then open localhost:8000

What the page reads, beside its own sources:

    data/dictionary.json       signs, encoder, preprocessing, threshold
    data/features.npy          float32 (clips, width)
    data/encoder.safetensors   the encoder's weights
    data/clips/NUMBER.npy      float16 (frames, 75, 2) of each clip
    holistic/                  MediaPipe Holistic (`holistic_js.py`); absent without video
"""

import json
import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from sslslr.config.study import EncoderConfig
from sslslr.data.store import ClipStore
from sslslr.encoders import ENCODERS, artifact
from sslslr.encoders.build import encoder_options
from sslslr.pose.smoothing import DEFAULT_FPS
from sslslr.use.dictionary import DICTIONARY, Dictionary
from sslslr.use.holistic_js import COMPLEXITY, NoHolistic, holistic_files
from sslslr.use.load import Encode
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_folder, refuse_foreign

SOURCES = Path(__file__).parent / "page"
DATA, HOLISTIC = "data", "holistic"
# What page/encoder.mjs and page/inputs.mjs can compute; a test compares the lists.
RUNS = ("two_hands", "transformer", "hand_geometry", "committee", "hand_features", "raw")
INPUTS = (
    "arms", "between_hands", "bones", "fingertip_distances", "hand_motion", "hand_shape", "joint_angles", "palm",
    "position", "presence", "velocity", "wrist_motion", "wrist_place",
)  # fmt: skip


def make_page(
    dictionary: Dictionary,
    out: str | Path,
    tarball: Path | None = None,
    without_video: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Write the page of a dictionary with MediaPipe from npm; without video where it cannot be had.

    Args:
        tarball: MediaPipe Holistic as npm packs it; None fetches it.

    Raises:
        UserError: as :func:`write_page`; or `tarball` is not what it should be.
    """
    page_settings(dictionary.encoder())  # before 25 MB are fetched
    with ExitStack() as stack:
        holistic = None
        if not without_video:
            try:
                holistic = stack.enter_context(holistic_files(tarball))
            except NoHolistic as error:
                if tarball is not None:
                    raise
                say(f"Without video: {error}")
        write_page(dictionary, out, holistic)
    say(f"{out}: {len(dictionary.store)} clips of {len(dictionary.glosses)} signs. To open it:")
    say(
        f"  python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(out))}    # then http://localhost:8000"
    )


def write_page(dictionary: Dictionary, out: str | Path, holistic: Path | None) -> None:
    """Write the page of a dictionary; whole or not at all.

    Args:
        holistic: folder of MediaPipe's files; None makes a page without video.

    Raises:
        UserError: the page cannot run this encoder; or `out` holds something else.
    """
    out, encode, store = Path(out), dictionary.encoder(), dictionary.store
    about = {
        **page_settings(encode),
        **_described(store),
        "centre": dictionary.centre.tolist(),
        "threshold": dictionary.threshold,
        "complexity": None if holistic is None else COMPLEXITY,
    }
    sources = sorted(
        file for file in SOURCES.iterdir() if file.suffix in (".html", ".css", ".mjs", ".js")
    )
    own = [*(file.name for file in sources), DATA, *([HOLISTIC] if holistic else [])]
    refuse_foreign(out, [*own, HOLISTIC], "page", record=(f"{DATA}/{DICTIONARY}", "complexity"))
    with atomic_folder(out) as folder:
        for file in sources:
            shutil.copyfile(file, folder / file.name)
        if holistic is not None:
            shutil.copytree(holistic, folder / HOLISTIC)
        data = folder / DATA
        (data / "clips").mkdir(parents=True)
        for number in range(len(store)):
            np.save(data / "clips" / f"{number}.npy", np.asarray(store.frames(number), np.float16))
        np.save(data / "features.npy", np.ascontiguousarray(dictionary.features, np.float32))
        shutil.copyfile(encode.folder / artifact.WEIGHTS, data / artifact.WEIGHTS)
        text = json.dumps(about, ensure_ascii=False, allow_nan=False)
        (data / DICTIONARY).write_text(text, encoding="utf-8")


def page_settings(encode: Encode) -> dict[str, Any]:
    """Encoder and preprocessing as the page reads them.

    Raises:
        UserError: the page cannot run this encoder.
    """
    config = EncoderConfig.model_validate(encode.run["spec"]["encoder"])
    name, options = (
        ENCODERS.get(config.variant).name,
        encoder_options(config).model_dump(mode="json"),
    )
    one = options.get("member", {"variant": name, **options})  # of a committee
    unknown = [item for item in one.get("inputs", []) if item not in INPUTS]
    strange = [kind for kind in (name, one["variant"]) if kind not in RUNS]
    if strange or unknown:
        what = f"the input {unknown[0]!r}" if unknown else f"the encoder {strange[0]!r}"
        raise UserError(
            f"{encode.folder}: the page cannot run {what}; it runs {', '.join(RUNS)} with this package's "
            "inputs. Build the dictionary with another encoder."
        )
    return {
        "encoder": {"variant": name, "options": options},
        "preprocess": encode.preprocess.model_dump(mode="json"),
        "parts": encode.parts,
        "joints": np.flatnonzero(encode.joints).tolist(),
        "made": f"Encoder {encode.run['spec']['run_id']}.",
    }


def _described(store: ClipStore) -> dict[str, Any]:
    columns = ["clip_id", "gloss", "signer", "fps", "aspect"]
    clips = json.loads(store.clips[columns].to_json(orient="records"))
    rates = store.clips["fps"].dropna()
    return {
        "name": store.name,
        "language": ", ".join(store.clips["language"].dropna().unique()),
        "licence": store.card.get("licence"),
        "fps": float(rates.median()) if len(rates) else DEFAULT_FPS,
        "clips": clips,
    }
