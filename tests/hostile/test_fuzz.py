"""Any input ends in success or in sentences for people, within 5 seconds and 1 GB.

Bytes at random seldom come far, so each kind begins with something sound, of which parts are replaced.
Settings may have a line for each that is wrong; all else is one line.
"""

import json
import struct
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_bytes import npy, npy_header, zip_of
from sslslr.config.load import load
from sslslr.config.run import RunSpec
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
from sslslr.data.clip_table import read_card
from sslslr.data.readers.npy import Npy
from sslslr.data.readers.npz import NpzClips
from sslslr.data.store import writing
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.report.reading import read_runs
from sslslr.utils.errors import UserError
from sslslr.utils.tables import read_table
from sslslr.workflow.check import check
from toys import ROOT

bounded = settings(
    max_examples=40,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


def ends_well(work, lines=1):
    """Call `work`; anything but success or a UserError of that many lines fails."""
    tracemalloc.start()
    try:
        work()
    except UserError as error:
        said = str(error)
        said.encode("utf-8")
        assert said.strip()
        assert len(said.splitlines()) <= lines, said
        assert all(len(line) < 3000 for line in said.splitlines()), said
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 30


# Values that people write by mistake, and others on purpose.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**30, 1e308, -1e308, 1e-320, 0.1, 1.5]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", ".", "..", "/", "/dev/zero", "~", "a b", "{x}", "$(touch x)", "'", '"', "\n", "\0", "é", "NaN", "1/3"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
NESTED = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=8,
)


def places(value, path=()):
    """The paths of all values within a value, itself the first."""
    yield path
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(value, path, other):
    """A copy of a value in which another stands at a path."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], other)
    return copy


@st.composite
def changed(draw, sound, values=NESTED, most=3):
    """A sound value with some of its parts replaced, left out, or new ones added."""
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from(list(places(sound))))
        sound = replaced(sound, path, draw(values))
    return sound


@st.composite
def damaged(draw, data):
    """Bytes of which some are others, are missing, or stand twice."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(out) - 1)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "repeat"]))
        if kind == "change" and out:
            out[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del out[at : at + draw(st.integers(1, 50))]
        elif kind == "insert":
            out[at:at] = draw(st.binary(max_size=20))
        else:
            out[at:at] = out[at : at + 100]
    return bytes(out)


DEMO = yaml.safe_load((ROOT / "config/demo.yaml").read_text())


@settings(bounded, max_examples=15)  # each builds the demo's methods
@given(config=changed(DEMO, ODD))
def test_configurations(tmp_path, config):
    file = tmp_path / "c.yaml"
    try:
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    except (UnicodeEncodeError, yaml.YAMLError):
        return  # no file can hold it

    def work():
        check(load(file))

    ends_well(work, lines=50)


@bounded
@given(data=damaged((ROOT / "config/demo.yaml").read_bytes()) | st.binary(max_size=200))
def test_files_of_configurations(tmp_path, data):
    (tmp_path / "c.yaml").write_bytes(data)
    ends_well(lambda: load(tmp_path / "c.yaml"), lines=50)


TABLE = 'file,gloss,split,signer,fps\na/1.npy,book,train,s1,25\nb/2.npy,"drink, hot",test,,30\n'
CELLS = st.lists(
    st.sampled_from(
        ["gloss", "file", "clip_id", "fps", "split", ",", ";", "\t", '"', "\n", "\r", "\0", "#", "a", "25",
         "train", "\ufeff", "é", " "]
    ),
    max_size=40,
)  # fmt: skip


@bounded
@given(
    data=damaged(TABLE.encode())
    | st.binary(max_size=200)
    | CELLS.map(lambda c: "".join(c).encode())
)
def test_tables(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    ends_well(lambda: read_table(tmp_path / "t.csv"))


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "s"
    with writing(path, {"dataset": "toy", "inputs": {"a.csv": "0" * 64}}, on_bad="drop") as writer:
        writer.add("a", np.full((3, 75, 2), 0.5), gloss="g", split="train")
        writer.drop("b", "no file", "test")
    return json.loads((path / "card.json").read_text())


@bounded
@given(data=st.data())
def test_cards(tmp_path, card, data):
    content = json.dumps(data.draw(changed(card)))
    if data.draw(st.booleans()):
        content = data.draw(damaged(content.encode("utf-8", "replace"))).decode("latin-1")
    (tmp_path / "card.json").write_text(content, encoding="utf-8", errors="replace")
    ends_well(lambda: read_card(tmp_path / "card.json"))


SPEC = RunSpec(
    run_id="r", method="random", method_type="random", method_options={}, augmentation="none",
    augmentation_steps=[], dataset="none", preprocess=PreprocessConfig(frames=8),
    encoder=EncoderConfig(depth=1, width=16, heads=2), pretrain=PretrainConfig(), seed=0,
)  # fmt: skip
RECORD = {
    "spec": SPEC.model_dump(mode="json"), "code_hash": "c", "data_hash": None, "versions": {},
    "cost": {}, "warnings": [], "collapsed": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz_encoder")
    history = pd.DataFrame({"epoch": [0]})
    artifact.save(folder, build_encoder(SPEC.encoder, 8, 0), history, RECORD)
    return folder


@bounded
@given(record=changed(RECORD))
def test_records_of_runs(encoder, tmp_path, record):
    text = json.dumps(record)
    for name in ("encoder.safetensors", "history.csv"):
        (tmp_path / name).write_bytes((encoder / name).read_bytes())
    (tmp_path / "run.json").write_text(text, encoding="utf-8", errors="replace")
    ends_well(lambda: read_runs([tmp_path / "run.json"]))
    ends_well(lambda: artifact.load(tmp_path), lines=20)


@bounded
@given(data=st.data())
def test_headers_of_safetensors(encoder, tmp_path, data):
    sound = (encoder / "encoder.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", sound[:8])
    header, rest = json.loads(sound[8 : 8 + size]), sound[8 + size :]
    if data.draw(st.booleans()):
        text = json.dumps(data.draw(changed(header))).encode("utf-8", "replace")
        content = struct.pack("<Q", len(text)) + text + rest
    else:
        content = data.draw(damaged(sound[:200])) + sound[200:]
    (tmp_path / "encoder.safetensors").write_bytes(content)
    (tmp_path / "run.json").write_bytes((encoder / "run.json").read_bytes())
    ends_well(lambda: artifact.load(tmp_path))


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 42, 75, -1, 2**31, 2**63, 10**20]), max_size=5)
TYPES = st.sampled_from(
    ["<f2", ">f4", "<f8", "|b1", "<i8", "|O", "<U4", "|S3", "<M8[s]", "V8", "x", "<c16"]
)


@st.composite
def headers(draw):
    """A `.npy` file whose header is well formed and may lie, or one that is damaged."""
    if draw(st.booleans()):
        text = f"{{'descr': '{draw(TYPES)}', 'fortran_order': {draw(st.booleans())}, 'shape': {tuple(draw(SHAPES))}, }}"
        return npy_header(text, draw(st.binary(max_size=64)))
    if draw(st.booleans()):
        return npy_header(draw(st.text(max_size=80)))
    return draw(damaged(npy(np.full((3, 75, 2), 0.5, "f2"))))


@bounded
@given(data=headers())
def test_headers_of_npy(data):
    ends_well(lambda: Npy.read(data, "a.npy"))


SOUND = {
    "xy": npy(np.full((5, 75, 2), 0.5, "f2")),
    "offsets": npy([0, 2, 5]),
    "clip_id": npy(["a", "b"]),
}


@bounded
@given(
    name=st.sampled_from(sorted(SOUND)),
    data=headers(),
    other=damaged(zip_of([(f"{key}.npy", value) for key, value in SOUND.items()])),
    whole=st.booleans(),
)
def test_headers_of_npz(tmp_path, name, data, other, whole):
    members = [(f"{key}.npy", value) for key, value in {**SOUND, name: data}.items()]
    (tmp_path / "clips.npz").write_bytes(other if whole else zip_of(members))
    ends_well(lambda: list(NpzClips(tmp_path / "clips.npz").read()))
