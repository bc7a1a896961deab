"""Encoders of somebody else's: weights and a run.json that do not fit, lie, or would fill the memory."""

import json
import os
import struct

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from hostile_bytes import one_line
from sslslr.config.run import RunSpec
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder

SPEC = RunSpec(
    run_id="random.none.transformer.none.s0",
    method="random",
    method_type="random",
    method_options={},
    augmentation="none",
    augmentation_steps=[],
    dataset="none",
    preprocess=PreprocessConfig(frames=8),
    encoder=EncoderConfig(depth=1, width=16, heads=2),
    pretrain=PretrainConfig(),
    seed=0,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    encoder = build_encoder(SPEC.encoder, 8, 0)
    record = {"spec": SPEC.model_dump(mode="json"), "code_hash": "c", "data_hash": None}
    artifact.save(folder, encoder, pd.DataFrame({"epoch": [0]}), record)
    return folder


def record(content):
    """run.json replaced by bytes."""
    return lambda folder: (folder / "run.json").write_bytes(content)


def states(part, **changes):
    """A part of the settings in run.json changed."""

    def change(folder):
        run = json.loads((folder / "run.json").read_text())
        place = run["spec"][part] if part else run["spec"]
        place.update(changes)
        (folder / "run.json").write_text(json.dumps(run))

    return change


def key(name, value):
    """A key beside the settings in run.json changed."""

    def change(folder):
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, name: value}))

    return change


def weights(content):
    """The weights replaced by bytes, or changed by a function of their dictionary."""

    def change(folder):
        file = folder / "encoder.safetensors"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            save_file(
                content({name: value.clone() for name, value in load_file(file).items()}), file
            )

    return change


def header(content):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return weights(struct.pack("<Q", len(text)) + text)


def tensor(shape, kind="F32", offsets=(0, 4)):
    return {"a": {"dtype": kind, "shape": shape, "data_offsets": list(offsets)}}


def pipe(folder):
    (folder / "encoder.safetensors").unlink()
    os.mkfifo(folder / "encoder.safetensors")


def twice(text):
    """A key of run.json that stands there before what is sound."""
    return lambda folder: (folder / "run.json").write_text(
        "{" + text + "," + (folder / "run.json").read_text().lstrip()[1:]
    )


def sparse(folder):
    os.truncate(folder / "encoder.safetensors", 10**11)


def each(change):
    return weights(lambda state: {name: change(value) for name, value in state.items()})


def first(state, change):
    name = sorted(state)[0]
    return {**state, name: change(state[name])}


# name: (what is done to a sound artifact, what is said)
CASES = {
    # run.json
    "record_list": (record(b"[]"), "states no settings"),
    "record_empty": (record(b""), "not valid JSON"),
    "record_deep": (record(b'{"spec":' * 50_000), "nested too deeply"),
    "record_digits": (record(b'{"spec": ' + b"9" * 9000 + b"}"), "not valid JSON"),
    "record_utf16": (record("{}".encode("utf-16")), "not in UTF-8"),
    "spec_list": (record(b'{"spec": []}'), "run.json"),
    "depth_100000": (states("encoder", depth=100_000), "depth"),
    "depth_huge": (states("encoder", depth=10**30), "depth"),
    "depth_negative": (states("encoder", depth=-1), "depth"),
    "depth_other": (states("encoder", depth=2), "cannot be used"),
    "width_other": (states("encoder", width=32), "cannot be used"),
    "width_a_billion": (states("encoder", width=10**9), "width|cannot be used"),
    "width_text": (states("encoder", width="wide"), "width"),
    "frames_a_billion": (states("preprocess", frames=10**9), "frames"),
    "width_100000": (states("encoder", width=100_000), "width|cannot be used"),
    "encoder_unknown": (states("encoder", variant="nothing"), "nothing"),
    "encoder_path": (states("encoder", variant="../../evil"), "variant"),
    "seed_text": (states(None, seed="one"), "seed"),
    "key_twice": (twice('"spec": {}'), "key 'spec' stands twice"),
    "key_twice_within": (record(b'{"spec": {"seed": 0, "seed": 1}}'), "key 'seed' stands twice"),
    "inputs_text": (states("encoder", inputs="x" * 10**6), "must be a list"),
    "inputs_twice": (states("encoder", inputs=["wrist_motion"] * 900), "inputs"),
    "encoder_none": (states("encoder", variant="raw"), "unknown key"),
    "heads_none": (states("encoder", heads=0), "heads"),
    "heads_odd": (states("encoder", heads=3), "not a multiple of heads"),
    "dropout_nan": (states("encoder", dropout=float("nan")), "dropout"),
    "frames_none": (states("preprocess", frames=0), "frames"),
    "keys_many": (states("encoder", **{f"k{i}": 1 for i in range(250_000)}), "more than 200000"),
    # weights
    "weights_huge": (each(lambda v: v * 0 + 3e38), "beyond 1e.06"),
    "weights_large": (each(lambda v: v + 1e30), "beyond 1e.06"),
    "weights_beyond_single": (each(lambda v: v.double() + 1e300), "not finite"),
    "weights_zero": (each(lambda v: v * 0), "all weights are zero"),
    "weights_subnormal": (each(lambda v: v * 0 + 1e-42), "all weights are zero"),
    "weights_complex": (each(lambda v: v.to(torch.complex64)), "values of type"),
    "weights_sparse": (sparse, "cannot be used"),
    "weights_folder": (lambda f: ((f / "encoder.safetensors").unlink(), (f / "encoder.safetensors").mkdir()), "folder"),
    "metadata_numbers": (header({"__metadata__": {"a": 1}}), "cannot be used"),
    "weights_empty": (weights(b""), "cannot be used"),
    "weights_short": (weights(b"\x01\x00"), "cannot be used"),
    "weights_pickle": (weights(b"\x80\x04cos\nsystem\n."), "cannot be used"),
    "weights_pipe": (pipe, "is a pipe"),
    "weights_nan": (weights(lambda s: first(s, lambda v: v * float("nan"))), "is not finite"),
    "weights_infinite": (weights(lambda s: first(s, lambda v: v + float("inf"))), "is not finite"),
    "weights_whole": (weights(lambda s: first(s, lambda v: v.to(torch.int32))), "values of type"),
    "weights_truth": (weights(lambda s: first(s, lambda v: v > 0)), "values of type"),
    "weights_shape": (weights(lambda s: first(s, lambda v: v[..., None])), "cannot be used"),
    "weights_more": (weights(lambda s: {**s, "evil": torch.zeros(1)}), "evil"),
    "joints_text": (key("joints", "all"), "joints are no list"),
    "joints_beyond": (key("joints", [75]), "joints are no list"),
    "joints_broken": (key("joints", [0.5, None]), "joints are no list"),
    "weights_fewer": (weights(lambda s: dict(list(s.items())[1:])), "missing"),
    "weights_none": (weights(lambda s: {}), "cannot be used"),
    "header_a_petabyte": (weights(struct.pack("<Q", 10**15) + b"{}"), "cannot be used"),
    "header_no_json": (header(b"hello"), "cannot be used"),
    "header_deep": (header(b"[" * 50_000), "cannot be used"),
    "header_deep_within": (header(b'{"a":' * 50_000), "cannot be used"),
    "header_list": (header([]), "cannot be used"),
    "header_shape_huge": (header(tensor([10**12, 10**12])), "cannot be used"),
    "header_shape_negative": (header(tensor([-1])), "cannot be used"),
    "header_offsets_back": (header(tensor([1], offsets=(8, 4))), "cannot be used"),
    "header_offsets_beyond": (header(tensor([1], offsets=(0, 10**12))), "cannot be used"),
    "header_unknown_type": (header(tensor([1], "F99")), "cannot be used"),
    "header_not_utf8": (header(b'{"\xff": 1}'), "cannot be used"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_line(name, sound, tmp_path):
    for file in sound.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    change, said = CASES[name]
    change(tmp_path)
    with one_line(said):
        artifact.load(tmp_path)


def test_what_is_sound_is_loaded(sound):
    encoder, run = artifact.load(sound)
    assert run["code_hash"] == "c"
    assert not any(p.requires_grad for p in encoder.parameters())
    assert {p.device.type for p in encoder.parameters()} == {"cpu"}
