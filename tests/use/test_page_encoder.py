"""The page's encoders in plain JavaScript against torch, on real clips."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sslslr.use
from sslslr.config.run import NO_DATASET, RunSpec
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
from sslslr.data.preprocess import preprocess
from sslslr.encoders import ENCODERS, artifact
from sslslr.encoders.build import build_encoder, encoder_options
from sslslr.encoders.inputs import INPUTS
from sslslr.encoders.inputs._base import measure_inputs
from sslslr.use.load import _in_memory, load_encoder
from toys import toy_clips

PAGE = Path(sslslr.use.__file__).parent / "page"
SETS = ("asl_many_signers", "bisindo_words", "libras_words", "wlasl_hands")
EVERY = [name for name in INPUTS.names() if name not in ("position", "velocity")]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def real_clips(folder: Path, n: int) -> list[np.ndarray]:
    """Clips of four sets, hands alone among them, and clips of 1, 2 and 300 frames."""
    clips = []
    for name in SETS:
        with np.load(folder / name / "clips.npz") as file:
            xy, offsets = file["xy"], file["offsets"]
            chosen = np.linspace(0, len(offsets) - 2, n // len(SETS)).astype(int)
            clips += [xy[offsets[i] : offsets[i + 1]] for i in chosen]
    return [*clips, clips[0][5:6], clips[0][5:7], np.concatenate(clips[:12])[:300]]


def saved_encoder(folder: Path, settings: dict, options: dict, clips, aspects) -> tuple[Path, list]:
    """A drawn encoder whose inputs are measured by the clips; and the clips that it can use."""
    spec = RunSpec(
        run_id="random.toy.s3", method="random", method_type="random", method_options={},
        augmentation="none", augmentation_steps=[], dataset=NO_DATASET,
        preprocess=PreprocessConfig(**settings), pretrain=PretrainConfig(),
        encoder=EncoderConfig(**options), seed=3,
    )  # fmt: skip
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    prepared = preprocess(_in_memory(clips, aspects), spec.preprocess)
    measure_inputs(encoder, prepared.batch)
    run = {"spec": spec.model_dump(mode="json"), "joints": None}
    artifact.save(folder, encoder, pd.DataFrame({"epoch": [0]}), run)
    about = {
        "encoder": {
            "variant": ENCODERS.get(spec.encoder.variant).name,
            "options": encoder_options(spec.encoder).model_dump(mode="json"),
        },
        "preprocess": spec.preprocess.model_dump(mode="json"),
        "joints": None,
        "aspects": [aspects[i] for i in prepared.indices],
    }
    (folder / "page.json").write_text(json.dumps(about))
    for number, i in enumerate(prepared.indices):
        np.save(folder / f"{number}.npy", clips[i])
    return folder, list(prepared.indices)


def by_the_page(folder: Path) -> np.ndarray:
    """Features of the folder's clips as the page computes them (embed.mjs)."""
    command = ["node", str(Path(__file__).with_name("embed.mjs")), str(folder), str(PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return np.array([json.loads(line) for line in done.stdout.splitlines()])


def difference(folder: Path, settings: dict, options: dict, clips, aspects) -> float:
    folder, used = saved_encoder(folder, settings, options, clips, aspects)
    wanted = load_encoder(folder)([clips[i] for i in used], [aspects[i] for i in used])
    return float(np.abs(by_the_page(folder) - wanted).max())


PICTURE = {"variant": "picture", "frames": 16, "fit": "resample", "gaps": "keep"}
SMALL = {"depth": 2, "width": 48, "heads": 4}


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (PICTURE, {"variant": "two_hands"}),
        ({}, {"variant": "transformer", "depth": 3, "width": 96, "heads": 4}),
    ],
    ids=["two_hands", "transformer"],
)
def test_the_page_embeds_real_clips_as_torch_does(tmp_path, shared_data, settings, options):
    clips = real_clips(shared_data, 64)
    aspects = [16 / 9 if i % 3 == 0 else 1.0 for i in range(len(clips))]
    assert difference(tmp_path, settings, options, clips, aspects) < 1e-4


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (
            {**PICTURE, "variant": "ours", "fit": "truncate"},
            {"variant": "two_hands", **SMALL, "inputs": EVERY, "layers": 2, "pooling": "halves", "merge": 3},
        ),
        (PICTURE, {"variant": "transformer", **SMALL, "standardise": True, "inputs": EVERY}),
        ({"gaps": "keep"}, {"variant": "transformer", **SMALL, "inputs": INPUTS.names(), "pooling": "thirds"}),
        ({"variant": "as_released"}, {"variant": "transformer", **SMALL, "pooling": "mean"}),
        (PICTURE, {"variant": "hand_geometry", **SMALL}),
        (PICTURE, {"variant": "committee", "members": 3, "member": {"variant": "hand_geometry", **SMALL}}),
        (PICTURE, {"variant": "hand_features"}),
        ({"fit": "resample"}, {"variant": "raw"}),
    ],
    ids=[
        "two_hands", "standardised", "every_input", "as_released", "hand_geometry", "committee", "hand_features",
        "raw",
    ],
)  # fmt: skip
def test_the_page_has_every_input_preprocessing_and_read_out(tmp_path, settings, options):
    rng = np.random.default_rng(0)
    clips = [keypoints.copy() for keypoints, _ in toy_clips(6).values()]
    for clip in clips:  # gaps of a hand, of a joint, and a hand that never is there
        clip[rng.random(len(clip)) < 0.3, :21] = np.nan
        clip[rng.random(clip.shape[:2]) < 0.1] = np.nan
    clips[0][:, :21] = np.nan
    clips[1][:, 42:] = np.nan
    assert difference(tmp_path, settings, options, clips, [1.5] * len(clips)) < 1e-4
