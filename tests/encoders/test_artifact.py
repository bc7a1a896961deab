"""Encoders that somebody else wrote: what does not fit is one line, before room is made for it."""

import json
import os
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.utils.errors import UserError
from sslslr.workflow import grid

SMALL = {"depth": 1, "width": 16, "heads": 2}


@pytest.fixture
def folder(tmp_path):
    """An encoder's folder."""
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": SMALL,
        "runs": [{"methods": ["random"], "datasets": ["toy"]}],
    }
    (spec,) = grid.runs(parse(StudyConfig, study, "test")).values()
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, 0)
    artifact.save(tmp_path, encoder, pd.DataFrame(), {"spec": spec.model_dump(mode="json")})
    artifact.load(tmp_path)
    return tmp_path


def change_settings(folder, **encoder) -> None:
    run = json.loads((folder / "run.json").read_text())
    run["spec"]["encoder"] |= encoder
    (folder / "run.json").write_text(json.dumps(run))


def change_weights(folder, change) -> None:
    weights = load_file(folder / artifact.WEIGHTS)
    change(weights)
    save_file(weights, folder / artifact.WEIGHTS)


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ({"depth": 100_000}, "depth"),
        ({"depth": 10**400}, "depth"),
        ({"width": 10**9}, "width"),
        ({"heads": 10**9}, "heads"),
        ({"feedforward": 10**9}, "feedforward"),
        ({"depth": 64, "width": 8192}, r"states depth 64, they are"),  # allowed, and of 50 GB
        ({"width": 32}, "has the shape"),
        ({"variant": "../../x"}, "variant"),
    ],
)
def test_settings_that_the_weights_do_not_have_are_refused_before_room_is_made(
    folder, encoder, said
):
    change_settings(folder, **encoder)
    began = time.process_time()
    with pytest.raises(UserError, match=said):
        artifact.load(folder)
    assert time.process_time() - began < 5


def test_a_committee_is_as_large_as_its_members_together(folder):
    run = json.loads((folder / "run.json").read_text())
    run["spec"]["encoder"] = {
        "variant": "committee",
        "members": 32,
        "member": {"width": 2048, "depth": 1},
    }
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(UserError, match="states depth 32, they are"):
        artifact.load(folder)
    run["spec"]["encoder"]["members"] = 8
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(UserError, match="states width 2048, they are"):
        artifact.load(folder)


@pytest.mark.parametrize(
    ("value", "said"),
    [(float("nan"), "not finite"), (float("inf"), "not finite"), (None, "values of type I64")],
)
def test_weights_that_are_no_finite_real_numbers_are_refused(folder, value, said):
    def change(weights) -> None:
        name = next(iter(weights))
        if value is None:
            weights[name] = weights[name].long()
        else:
            weights[name].view(-1)[0] = value

    change_weights(folder, change)
    with pytest.raises(UserError, match=said):
        artifact.load(folder)


def test_a_tensor_too_many_is_named(folder):
    change_weights(folder, lambda weights: weights.update(extra=torch.zeros(2)))
    with pytest.raises(UserError, match="tensor 'extra' is too many"):
        artifact.load(folder)


def header(text: bytes, length: int | None = None) -> bytes:
    return (length if length is not None else len(text)).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        header(b"{}", 2**63),
        header(b"{}", 10**8),
        header(b"[" * 100_000),
        header(b'{"a":' * 100_000),
        header(b'{"a":{"dtype":"F32","shape":[4000000000,4000000000],"data_offsets":[0,4]}}'),
        header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'),
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,' + b"9" * 5000 + b"]}}"),
    ],
    ids=range(9),
)
def test_headers_that_lie_are_one_line(folder, content):
    (folder / artifact.WEIGHTS).write_bytes(content + np.zeros(8, "f4").tobytes())
    with pytest.raises(UserError, match="encoder.safetensors") as caught:
        artifact.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [artifact.WEIGHTS, artifact.RUN])
def test_a_pipe_is_no_file_of_an_encoder(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match=name):
        artifact.load(folder)


@pytest.mark.parametrize("run_id", ["../../x", "/tmp/x", "", "a/b", "A", "a\n", "..", "a" * 300, 3])
def test_a_run_id_that_leads_elsewhere_is_refused(folder, run_id):
    run = json.loads((folder / "run.json").read_text())
    run["spec"]["run_id"] = run_id
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(UserError, match="run_id"):
        artifact.load(folder)


def test_an_encoder_without_weights_has_its_file_all_the_same(folder):
    """Snakemake waits for it: raw keypoints are an encoder as well."""
    run = json.loads((folder / "run.json").read_text())
    run["spec"]["encoder"] = {"variant": "raw"}
    encoder = build_encoder(EncoderConfig(variant="raw"), 30, 0)
    assert not encoder.state_dict()
    artifact.save(folder, encoder, pd.DataFrame(), run)
    assert artifact.load(folder)[0].width == encoder.width
    assert not (folder / artifact.METHOD).exists()


def test_buffers_may_hold_more_than_weights_and_whole_numbers_may_be_zero(tmp_path):
    """Variances of pixels, and indices of joints: of encoders that another package adds."""
    kept = torch.nn.BatchNorm1d(4)
    kept.running_var.fill_(4e6)
    artifact._check_values(tmp_path, kept)
    kept.weight.data.fill_(4e6)
    with pytest.raises(UserError, match="weight holds 4e"):
        artifact._check_values(tmp_path, kept)
    chosen = torch.nn.Module()
    chosen.register_buffer("joints", torch.zeros(3, dtype=torch.int64))
    artifact._check_values(tmp_path, chosen)
