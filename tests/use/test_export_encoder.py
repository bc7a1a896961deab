"""An exported encoder gives what the run's gives, here and in ONNX; its card is one that a hub takes."""

import json
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch

import sslslr
from sslslr.config.run import RunSpec
from sslslr.config.study import EncoderConfig
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.use import export as exporting
from sslslr.use import onnx
from sslslr.use.card import front_matter, model_card
from sslslr.use.export import describe, export
from sslslr.utils.errors import UserError
from toys import random_batch


@pytest.fixture
def two_hands(encoder_folder):
    """The folder of an encoder of the newest kind, small, drawn at random."""
    run = json.loads((encoder_folder / "run.json").read_text())
    options = {"depth": 1, "width": 24, "heads": 2, "hand_width": 16}
    run["spec"]["encoder"] = EncoderConfig(variant="two_hands", **options).model_dump(mode="json")
    run["spec"]["preprocess"] |= {"variant": "picture", "fit": "resample", "gaps": "keep"}
    spec = RunSpec.model_validate(run["spec"])
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    artifact.save(encoder_folder, encoder, pd.DataFrame({"epoch": [0]}), run)
    return encoder_folder


def test_an_exported_folder_is_the_encoder_without_onnx_too(
    toy_store, two_hands, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", ModuleType("onnx"))  # a folder of that name
    said = []
    encode = sslslr.load_encoder(two_hands)
    export(encode, tmp_path / "model", toy_store, said.append)
    assert len(said) == 1
    assert 'pip install "sslslr[onnx]"' in said[0]
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert files == {"encoder.safetensors", "preprocess.json", "README.md"}
    again = sslslr.load_encoder(tmp_path / "model")
    np.testing.assert_array_equal(again.store(toy_store).features, encode.store(toy_store).features)
    assert describe(again) == describe(encode)
    export(again, tmp_path / "model", toy_store, said.append)  # may be replaced by itself


def test_an_onnx_that_cannot_be_imported_is_no_traceback(
    toy_store, two_hands, tmp_path, monkeypatch
):
    """MediaPipe's protobuf is older than the newest onnx can take."""
    package = tmp_path / "packages" / "onnx"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from google.protobuf import something_newer\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    said = []
    export(sslslr.load_encoder(two_hands), tmp_path / "model", toy_store, said.append)
    assert len(said) == 1
    assert "onnx cannot be imported" in said[0]
    assert "google" in said[0]
    assert sslslr.load_encoder(tmp_path / "model").width


def test_an_encoder_trained_by_another_version_can_be_used(encoder_folder, toy_store, tmp_path):
    """How it was trained does not decide what it computes."""
    file = encoder_folder / "run.json"
    run = json.loads(file.read_text())
    run["spec"]["pretrain"]["compile"] = "auto"
    file.write_text(json.dumps(run))
    encode = sslslr.load_encoder(encoder_folder)
    export(encode, tmp_path / "model", toy_store, say=lambda _: None)
    assert sslslr.load_encoder(tmp_path / "model").run["spec"] == run["spec"]


def test_an_exported_folder_of_another_version_or_of_two_encoders_is_refused(
    encoder_folder, toy_store, tmp_path
):
    model = tmp_path / "model"
    export(sslslr.load_encoder(encoder_folder), model, toy_store, say=lambda _: None)
    about = json.loads((model / "preprocess.json").read_text())
    (model / "preprocess.json").write_text(json.dumps(about | {"format": "sslslr encoder 9"}))
    with pytest.raises(UserError, match="made as 'sslslr encoder 9', and this version reads"):
        sslslr.load_encoder(model)
    (model / "preprocess.json").write_text(json.dumps(about | {"encoder_sha256": "0" * 64}))
    with pytest.raises(UserError, match="one of the two is another encoder's"):
        sslslr.load_encoder(model)


@pytest.mark.parametrize("folder", ["two_hands", "encoder_folder"])
def test_onnx_is_torch(folder, toy_store, tmp_path, request):
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    encode = sslslr.load_encoder(request.getfixturevalue(folder))
    said = []
    export(encode, tmp_path / "model", toy_store, said.append)
    assert (tmp_path / "model" / "encoder.onnx").is_file()
    assert "51 clips of toy" in said[0]  # 48, and of 1, 2 and 300 frames
    assert not encode.encoder.training
    file = (tmp_path / "model" / "encoder.onnx").read_bytes()
    assert onnx.difference(encode.encoder, file, random_batch(5, 12)) < onnx.MOST


def test_an_onnx_file_that_differs_is_refused(encoder_folder, toy_store, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "lacking", lambda: None)
    monkeypatch.setattr(onnx, "to_onnx", lambda encoder, frames: b"")
    monkeypatch.setattr(exporting, "compare", lambda *_: (1.1e-4, "64 clips"))
    with pytest.raises(UserError, match="differs from torch by 0.00011"):
        export(sslslr.load_encoder(encoder_folder), tmp_path / "model", toy_store)
    assert not (tmp_path / "model").exists()


def test_the_running_maximum_of_onnx_is_that_of_torch():
    """Its symbolic is max-pooling over the frames before."""
    values = torch.randint(-1, 9, (3, 7, 2))
    padded = torch.nn.functional.pad(values.float().transpose(1, 2), (6, 0), value=-torch.inf)
    pooled = torch.nn.functional.max_pool1d(padded, 7, stride=1).transpose(1, 2).long()
    assert torch.equal(pooled, values.cummax(dim=1).values)


SCORES = [
    {"target_dataset": "toy", "protocol": "knn", "metric": "top1", "value": 0.5, "low": 0.25, "high": 0.75,
     "n_test": 12, "n_classes": 4},
]  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT is that of the package", {"license": "mit"}),
        ("CC BY-NC-SA 4.0", {"license": "cc-by-nc-sa-4.0"}),
        ("C-UDA: academic", {"license": "other", "license_name": "c-uda-academic"}),
        (None, {"license": "other", "license_name": "not-stated"}),
    ],
)
def test_the_card_names_licence_scores_and_what_it_is_not_for(encoder_folder, licence, expected):
    about = describe(sslslr.load_encoder(encoder_folder))
    about["training_data"] = {"dataset": "toy", "licence": licence, "n_clips": 9}
    about["scores"] = SCORES
    matter = front_matter(about)
    assert expected.items() <= matter.items()
    assert matter["pipeline_tag"] == "feature-extraction"
    metric = matter["model-index"][0]["results"][0]["metrics"][0]
    assert metric["value"] == 50.0
    assert "25.0 to 75.0, n = 12" in metric["name"]
    card = model_card(about, "model")
    assert "| toy | knn | recall at 1 | 50.0 | 25.0 to 75.0 | 12 | 4 |" in card
    assert "What it is not for" in card
    hub = pytest.importorskip("huggingface_hub")
    read = hub.ModelCard(card, ignore_metadata_errors=False)
    assert read.data.eval_results[0].metric_value == 50.0
    assert read.data.model_name == about["encoder"]
