"""Records of somebody else's results: each key of another kind than what reads it expects."""

import json
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hostile_bytes import one_line
from sslslr.cli.provenance import check_results
from sslslr.provenance import cells, publish
from sslslr.provenance.archive import archive
from sslslr.report.reading import (
    PREDICTIONS,
    read_cards,
    read_evaluations,
    read_histories,
    read_metrics,
    read_paper_numbers,
    read_predictions,
    read_runs,
)
from sslslr.report.results import PROVENANCE
from sslslr.report.tables.linear import Linear
from sslslr.use.card import scores
from sslslr.use.dictionary import DICTIONARY, Dictionary
from sslslr.workflow import seals

COST = {"wall_seconds": 1.0, "threads": 1, "device": "cpu", "finished": "2026-01-01T00:00:00"}
RUN = {
    "spec": {"run_id": "r"}, "code_hash": "c", "data_hash": None, "versions": {"torch": "2"}, "cost": COST,
    "warnings": [], "collapsed": False,
}  # fmt: skip
EVALUATION = {
    "spec": {"run": {"run_id": "r"}}, "code_hash": "c", "data_hashes": {"toy": "d"}, "encoder_sha256": "e",
    "sha256": {"metrics.csv": "m"}, "versions": {}, "cost": COST,
}  # fmt: skip
CARD = {"dataset": "toy", "licence": None, "citation": None, "n_clips": 1, "dropped": {}}
HASHES = {"study": "s", "files": {}, "data": {}, "encoders": {}}
# name: (the record, its kind, what is changed in it, what is said)
CASES = {
    "run_list": (RUN, [], "not a mapping"),
    "run_text": (RUN, "r", "not a mapping"),
    "run_nothing": (RUN, None, "not a mapping"),
    "run_without_cost": (RUN, {"cost": ...}, "lacks the key 'cost'"),
    "run_cost_list": (RUN, {"cost": []}, "cost"),
    "run_cost_text": (RUN, {"cost": {"wall_seconds": "long"}}, "cost.wall_seconds"),
    "run_cost_infinite": (RUN, {"cost": {"wall_seconds": 1e999}}, "cost.wall_seconds"),
    "run_threads_text": (RUN, {"cost": {"threads": "all"}}, "cost.threads"),
    "run_device_list": (RUN, {"cost": {"device": ["cpu"]}}, "cost.device"),
    "run_versions_list": (RUN, {"versions": ["torch"]}, "versions"),
    "run_versions_numbers": (RUN, {"versions": {"torch": 2}}, "versions.torch"),
    "run_warnings_text": (RUN, {"warnings": "none"}, "warnings"),
    "run_warnings_numbers": (RUN, {"warnings": [1]}, "warnings.0"),
    "run_collapsed_text": (RUN, {"collapsed": "perhaps"}, "collapsed"),
    "run_code_number": (RUN, {"code_hash": 7}, "code_hash"),
    "run_data_list": (RUN, {"data_hash": ["d"]}, "data_hash"),
    "run_spec_text": (RUN, {"spec": "r"}, "spec"),
    "run_spec_empty": (RUN, {"spec": {}}, "names no run"),
    "run_id_number": (RUN, {"spec": {"run_id": 7}}, "names no run"),
    "run_id_up": (RUN, {"spec": {"run_id": "../../.."}}, "names no run"),
    "run_id_absolute": (RUN, {"spec": {"run_id": "/tmp/x"}}, "names no run"),
    "run_id_backslash": (RUN, {"spec": {"run_id": "a\\..\\b"}}, "names no run"),
    "run_id_zero": (RUN, {"spec": {"run_id": "a\0b"}}, "names no run"),
    "run_id_lines": (RUN, {"spec": {"run_id": "a\nb"}}, "names no run"),
    "run_id_line_at_its_end": (RUN, {"spec": {"run_id": "a\n"}}, "names no run"),
    "run_id_option": (RUN, {"spec": {"run_id": "-rf"}}, "names no run"),
    "run_id_dots": (RUN, {"spec": {"run_id": ".."}}, "names no run"),
    "run_id_long": (RUN, {"spec": {"run_id": "a" * 300}}, "names no run"),
    "run_id_shell": (RUN, {"spec": {"run_id": "a;touch x"}}, "names no run"),
    "run_id_capitals": (RUN, {"spec": {"run_id": "RUN"}}, "names no run"),
    "run_id_fullwidth": (RUN, {"spec": {"run_id": "\uff52\uff55\uff4e"}}, "names no run"),
    "evaluation_list": (EVALUATION, [], "not a mapping"),
    "evaluation_of_no_run": (EVALUATION, {"spec": {"run": "r"}}, "names no run"),
    "evaluation_sums_list": (EVALUATION, {"sha256": []}, "sha256"),
    "evaluation_sums_numbers": (EVALUATION, {"sha256": {"metrics.csv": 1}}, "sha256"),
    "evaluation_sum_elsewhere": (EVALUATION, {"sha256": {"../../x": "m"}}, "sha256"),
    "evaluation_sum_of_root": (EVALUATION, {"sha256": {"/etc/passwd": "m"}}, "sha256"),
    "evaluation_data_list": (EVALUATION, {"data_hashes": ["toy"]}, "data_hashes"),
    "evaluation_data_elsewhere": (EVALUATION, {"data_hashes": {"../x": "d"}}, "data_hashes"),
    "evaluation_encoder_none": (EVALUATION, {"encoder_sha256": None}, "encoder_sha256"),
    "evaluation_cost_none": (EVALUATION, {"cost": None}, "cost"),
    "evaluation_finished_number": (EVALUATION, {"cost": {"finished": 7}}, "cost.finished"),
    "card_list": (CARD, [], "not a mapping"),
    "card_elsewhere": (CARD, {"dataset": "../../x"}, "dataset"),
    "card_of_lines": (CARD, {"dataset": "a\nb"}, "dataset"),
    "card_clips_text": (CARD, {"n_clips": "many"}, "n_clips"),
    "card_licence_list": (CARD, {"licence": ["MIT"]}, "licence"),
    "card_sums_list": (CARD, {"sha256": ["a"]}, "sha256"),
    "card_members_empty": (CARD, {"members": {"a": {}}}, "members.a.clips"),
    "card_counts_short": (CARD, {"counts": [{"split": "train"}]}, "counts.0.expected"),
    "hashes_files_list": (HASHES, {"files": []}, "files"),
    "hashes_files_numbers": (HASHES, {"files": {"a": 1}}, "files.a"),
    "hashes_data_text": (HASHES, {"data": {"toy": "d"}}, "data.toy"),
    "hashes_encoders_list": (HASHES, {"encoders": []}, "encoders"),
    "hashes_without_study": (HASHES, {"study": ...}, "study"),
}  # fmt: skip
READ = {
    id(RUN): lambda file: read_runs([file]),
    id(EVALUATION): lambda file: read_evaluations([file]),
    id(CARD): lambda file: read_cards([file]),
    id(HASHES): lambda file: publish.check(file.parent),
}


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_line(name, tmp_path):
    record, change, said = CASES[name]
    content = change
    if isinstance(change, dict):
        content = {key: value for key, value in {**record, **change}.items() if value is not ...}
    file = tmp_path / publish.HASHES
    file.write_text(json.dumps(content))
    with one_line(said):
        READ[id(record)](file)


def test_what_is_sound_is_read(tmp_path):
    for record in (RUN, EVALUATION, CARD):
        (tmp_path / "record.json").write_text(json.dumps({**record, "more": [1]}))
        assert READ[id(record)](tmp_path / "record.json")[0]["more"] == [1]


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"files": []}', '{"files": {"a": 1}}', "[]", "", '{"files": {"a": []}}'],
)
def test_a_seal_that_is_none_seals_nothing(content, tmp_path):
    (tmp_path / "seals").mkdir()
    (tmp_path / "seals/a.json").write_text(content)
    assert seals.examine(tmp_path)[1] == 0


def test_seals_name_files_of_the_results_alone_and_pipes_are_none(tmp_path):
    (tmp_path / "results/seals").mkdir(parents=True)
    (tmp_path / "outside").write_text("x")
    names = ["../outside", str(tmp_path / "outside"), "a/../../outside", "/dev/zero", ""]
    (tmp_path / "results/seals/a.json").write_text(
        json.dumps({"files": {name: {"size": 9} for name in names}})
    )
    os.mkfifo(tmp_path / "results/seals/b.json")
    assert seals.examine(tmp_path / "results", thorough=True) == ([], 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "must hold a JSON object"),
        ({"format": "sslslr dictionary 2"}, "centre"),
        ({"format": "sslslr dictionary 2", "centre": "a", "threshold": {}}, "centre"),
        ({"format": "sslslr dictionary 2", "centre": [1], "threshold": []}, "threshold"),
        ({"format": "sslslr dictionary 2", "centre": [1e999], "threshold": {}}, "centre"),
        ({"format": "sslslr dictionary 2", "centre": [1e300], "threshold": {}}, "centre"),
        (
            {"format": "sslslr dictionary 2", "centre": [], "threshold": {"similarity": 9}},
            "similarity",
        ),
        ({"format": "x" * 100_000}, "^.{1,500}$"),
    ],
)
def test_a_dictionary_of_another_shape_is_said(content, said, tmp_path, monkeypatch):
    monkeypatch.setattr("sslslr.use.dictionary.ClipStore.open", lambda path: [])
    (tmp_path / DICTIONARY).write_text(json.dumps(content))
    with pytest.raises(Exception, match=said):
        Dictionary.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [("[" * 100_000, "nested too deeply"), ("{}", "study"), (None, "nothing was checked")],
)
def test_a_published_folder_whose_hashes_are_damaged_or_gone_is_not_sound(content, said, tmp_path):
    if content is not None:
        (tmp_path / publish.HASHES).write_text(content)
    with one_line(said):
        check_results(tmp_path)


def test_a_vast_file_is_not_hashed_and_names_are_shown_without_their_control_characters(tmp_path):
    (tmp_path / publish.PROVENANCE).write_text('{"@graph": []}')
    hashes = {**HASHES, "files": {"a\nb\x1b[2J": "x", "report.html": "y", publish.PROVENANCE: "z"}}
    (tmp_path / publish.HASHES).write_text(json.dumps(hashes))
    (tmp_path / "report.html").write_text("")
    os.truncate(tmp_path / "report.html", 1 << 38)
    said = publish.check(tmp_path)
    assert said[0] == "a\\nb\\x1b[2J: absent"
    assert said[1] == "report.html: changed since it was published"


OF_CSV = (
    lambda file: read_metrics([file]),
    lambda file: read_histories([file]),
    cells.read,
    Linear().read,
)


@pytest.mark.parametrize("read", OF_CSV)
def test_a_table_of_200000_columns_is_refused_at_once(read, tmp_path):
    names = ",".join(f"c{number}" for number in range(200_000))
    (tmp_path / "metrics.csv").write_text(f"{names}\n1\n")
    with one_line("200000 columns; at most 1000"):
        read(tmp_path / "metrics.csv")


@pytest.mark.parametrize("content", ["", "a\n1\n", "\0" * 99, "value\nmany\n"])
def test_metrics_of_another_shape_end_an_export_in_one_line(content, tmp_path):
    (tmp_path / "metrics/run").mkdir(parents=True)
    (tmp_path / "metrics/run/metrics.csv").write_text(content)
    with one_line("not the metrics that `sslslr evaluate` writes"):
        scores(tmp_path / "encoders/run", "run")


def test_a_link_to_itself_is_no_file_of_an_archive(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with one_line("loop: listed in provenance.json and absent"):
        archived(tmp_path / "loop")


def archived(file):
    listed = {"@id": file.name, "@type": "File", "contentSize": "9", "sha256": "0" * 64}
    (file.parent / PROVENANCE).write_text(json.dumps({"@graph": [listed]}))
    archive(file.parent, file.with_name("out.zip"))


@pytest.mark.parametrize(
    ("read", "said"),
    [
        *((reader, "at most 67108864 are read") for reader in OF_CSV),
        (lambda file: read_predictions([file]), "cannot be read"),
        (read_paper_numbers, "at most 268435456 are read"),
        (archived, "1099511627776 bytes, listed 9"),
    ],
)
def test_a_file_of_a_terabyte_is_refused_at_once(read, said, tmp_path):
    """It takes no room where only its end was written; reading it took more than anybody waits."""
    (tmp_path / "vast").touch()
    os.truncate(tmp_path / "vast", 1 << 40)
    with one_line(said):
        read(tmp_path / "vast")


ONCE = pa.DictionaryArray.from_arrays(np.zeros(100_000, "i4"), pa.array(["x" * 900_000]))
VAST = {
    "a_text_in_every_row": ({"label": ONCE}, "bytes of values; at most"),
    "a_text_in_every_list": (
        {"best": pa.ListArray.from_arrays(np.arange(100_001, dtype="i4"), ONCE)},
        "bytes of values; at most",
    ),
    "rows": ({"shots": np.zeros(20_000_000, "i1")}, "20000000 rows; at most 1500000"),
    "a_list": (
        {"best": pa.ListArray.from_arrays([0, 20_000_000], pa.array(np.zeros(20_000_000, "i1")))},
        "'best' has 20000000 values; at most 15000000",
    ),
    "texts_that_all_differ": (
        {"best": pa.array([[f"{n:0200d}" for n in range(400_000)]])},
        "'best' has 8\\d{7} bytes; at most 67108864",
    ),
    "columns": ({f"c{n}": [1] for n in range(2000)}, "2000 columns; at most"),
    "a_mapping_of_texts": ({"best": [{"a": "b"}]}, "nested"),
}


@pytest.mark.parametrize("name", VAST)
def test_predictions_that_would_fill_the_memory_are_refused(name, tmp_path):
    """90 GB in a file of a megabyte: a text that stands there once, and in every row."""
    columns, said = VAST[name]
    pq.write_table(pa.table(columns), tmp_path / "predictions.parquet")
    with one_line(said):
        read_predictions([tmp_path / "predictions.parquet"])


@pytest.mark.parametrize("entry", ["1", "null", "a", "[dataset]"])
def test_numbers_of_the_paper_that_are_no_mappings_are_said(entry, tmp_path):
    (tmp_path / "paper.yaml").write_text(f"[{entry}]")
    with one_line("entry 0 is no mapping"):
        read_paper_numbers(tmp_path / "paper.yaml")


def test_predictions_that_are_no_lists_are_said(tmp_path):
    columns = {name: ["a"] for name in PREDICTIONS} | {
        "run_id": ["r"],
        "dataset": ["toy"],
        "best": [1],
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "predictions.parquet")
    with one_line("column 'best' must hold lists"):
        read_predictions([tmp_path / "predictions.parquet"])
