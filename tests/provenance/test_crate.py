"""provenance.json is a sound RO-Crate of the results, and an archive holds what it lists."""

import hashlib
import json
import os
import subprocess
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.provenance import cells, crate
from sslslr.provenance.archive import archive
from sslslr.provenance.sources import results_of, study_of
from sslslr.report.tables import TABLES
from sslslr.utils.errors import UserError
from toys import ROOT
from traced import STUDY, render

pytestmark = pytest.mark.xdist_group("trace")  # its fixture is made once


def graph(results: Path) -> dict[str, dict]:
    return {e["@id"]: e for e in json.loads((results / "provenance.json").read_text())["@graph"]}


def references(value) -> set[str]:
    if isinstance(value, list):
        return {name for entry in value for name in references(entry)}
    if isinstance(value, dict):
        return {value["@id"]} if set(value) == {"@id"} else references(list(value.values()))
    return set()


def test_every_file_is_listed_with_its_own_hash_and_size(results):
    files = {name: e for name, e in graph(results).items() if e["@type"] == "File"}
    for name, entity in files.items():
        content = (results / name).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest(), name
        assert entity["contentSize"] == str(len(content))
    kinds = Counter(name.split("/")[0] for name in files)
    assert kinds == {"data": 1, "encoders": 12, "metrics": 12, "tables": 3 * len(TABLES.names())}


def test_what_the_profile_asks_for(results):
    """The checks of RO-Crate 1.1 and Process Run Crate 0.5 that need no SHACL; see `make test-crate`."""
    text = json.loads((results / "provenance.json").read_text())
    entities = graph(results)
    assert len(entities) == len(text["@graph"]), "an @id occurs once"
    assert text["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    for key in ("name", "description", "datePublished", "license"):
        assert root[key], key
    files = {name for name, entity in entities.items() if entity["@type"] == "File"}
    assert references(root["hasPart"]) == files
    known = {*entities, "https://w3id.org/ro/crate/1.1"}
    for name, entity in entities.items():
        assert references(entity) <= known, name
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    assert len(actions) == 4 + 4 + 1
    assert references(root["mentions"]) == {action["@id"] for action in actions}
    for action in actions:
        assert entities[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
        assert action["object"]
        assert references(action["result"]) <= files


def test_runs_are_there_with_commands_seeds_licences_and_costs(results):
    entities = graph(results)
    action = entities["#pretrain-random.none.transformer.none.s1"]
    assert action["description"].startswith("sslslr pretrain --spec ")
    assert "seed 1" in action["name"]
    run = json.loads((results / "encoders/random.none.transformer.none.s1/run.json").read_text())
    assert run["code_hash"] in action["instrument"]["@id"]
    cost = [entities[name] for name in references(action["additionalProperty"])]
    seconds = next(entity["value"] for entity in cost if entity["name"] == "wall_seconds")
    assert seconds == run["cost"]["wall_seconds"]
    data = entities["#data-toy"]
    assert entities[data["license"]["@id"]]["name"] == "CC0-1.0"
    assert study_of(results).name == "traced"


def test_the_same_results_give_the_same_bytes(results):
    before = (results / "provenance.json").read_bytes()
    render(results, study_of(results))
    assert (results / "provenance.json").read_bytes() == before
    archive(results, Path("a.zip"))
    for file in results.rglob("*"):
        os.utime(file, (1, 1))
    archive(results, Path("b.zip"))
    assert Path("a.zip").read_bytes() == Path("b.zip").read_bytes()


def test_an_archive_is_a_crate_without_clips(results):
    done = CliRunner().invoke(app, ["archive", "out.zip", "--results", str(results)])
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile("out.zip") as packed:
        assert packed.testzip() is None
        names = set(packed.namelist())
        assert packed.read("ro-crate-metadata.json") == (results / "provenance.json").read_bytes()
    files = {name for name, entity in graph(results).items() if entity["@type"] == "File"}
    assert names == files | {"ro-crate-metadata.json"}
    assert not [name for name in names if name.endswith((".npy", "clips.parquet"))]


@pytest.mark.parametrize("change", ["cut", "remove"])
def test_results_that_were_changed_are_not_packed(results, change):
    file = results / "tables/linear.md"
    file.unlink() if change == "remove" else os.truncate(file, 100)
    with pytest.raises(UserError, match=r"linear\.md.*Run the workflow"):
        archive(results, Path("out.zip"))
    assert not [path for path in Path().iterdir() if ".zip" in path.name]


def test_a_path_that_leads_out_of_the_results_is_not_packed(results):
    text = (results / "provenance.json").read_text()
    (results / "provenance.json").write_text(
        text.replace("tables/linear.md", "../config/demo.yaml")
    )
    with pytest.raises(UserError, match="lies elsewhere"):
        archive(results, Path("out.zip"))


FILE = {"@id": "tables/linear.md", "@type": "File"}


@pytest.mark.parametrize(
    ("crate", "said"),
    [
        *((foreign, "not what `sslslr report provenance` writes") for foreign in (
            [], 7, "text", None, {}, {"@graph": 1}, {"@graph": {"@id": "x"}}, {"@graph": [[]]},
            {"@graph": [{}]}, {"@graph": [{"@id": 3}]},
        )),
        *(({"@graph": [{**FILE, **stated}]}, "which is none") for stated in (
            {}, {"sha256": ""}, {"sha256": None}, {"sha256": ["a"]}, {"sha256": "A" * 64},
        )),
        ({"@graph": [{**FILE, "@id": "tables", "sha256": "0" * 64}]}, "absent"),
        ({"@graph": [{**FILE, "sha256": "0" * 64}]}, "not the file that"),
    ],
)  # fmt: skip
def test_a_provenance_file_of_another_shape_is_one_line(tmp_path, crate, said):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/linear.md").write_text("| a |")
    (tmp_path / "provenance.json").write_text(json.dumps(crate))
    with pytest.raises(UserError, match=said):
        archive(tmp_path, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
    for stated in ({}, {"text": 1}, {"text": "["}, {"text": "7"}):
        whole = {"@graph": [{"@id": "#configuration", **stated}]}
        (tmp_path / "provenance.json").write_text(json.dumps(whole))
        with pytest.raises(UserError, match="provenance"):
            study_of(tmp_path)


def test_a_study_without_an_evaluation_record_is_not_written(results):
    (results / "metrics/random.none.transformer.none.s0/evaluation.json").unlink()
    with pytest.raises(UserError, match=r"evaluation\.json"):
        crate.write(results_of(results))


def test_a_run_that_says_it_is_another_is_one_line(results):
    file = results / "encoders/random.none.transformer.none.s0/run.json"
    run = json.loads(file.read_text())
    file.write_text(json.dumps({**run, "spec": {**run["spec"], "run_id": "random.none.x.none.s9"}}))
    with pytest.raises(UserError, match=r"'random\.none\.x\.none\.s9', which no evaluation"):
        crate.write(results_of(results))


@pytest.mark.slow  # an environment of its own (make test-crate)
def test_the_validator_of_ro_crates_finds_nothing_to_mend(results):
    python = os.environ.get("SSLSLR_CRATE_PYTHON")
    if not python:
        pytest.skip("set SSLSLR_CRATE_PYTHON, or run `make test-crate`")
    archive(results, Path("out.zip"))
    with zipfile.ZipFile("out.zip") as packed:
        packed.extractall("crate")
    check = [python, str(ROOT / "scripts/check_crate.py"), "crate"]
    done = subprocess.run(check, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # It can tell: a root without a date, and an action without an instrument, are found.
    text = Path("crate/ro-crate-metadata.json").read_text()
    for key in ("datePublished", "instrument"):
        Path("crate/ro-crate-metadata.json").write_text(text.replace(f'"{key}"', '"keywords"'))
        done = subprocess.run(check, text=True, capture_output=True)
        assert done.returncode == 1, key
        assert "REQUIRED" in done.stdout


def test_where_the_study_lies_and_what_is_private_is_in_no_crate_and_no_archive(results, tmp_path):
    place = results.absolute()
    private = {
        "results": str(place),
        "downloads": {"folder": "/scratch/anna/downloads", "parallel": 3},
        "resources": {"pretrain": {"partition": "annas_own"}},
    }
    render(place, parse(StudyConfig, {**STUDY, **private}, "test"))
    archive(place, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    text = (place / "provenance.json").read_bytes()
    for told in (*files.values(), text):
        assert str(tmp_path).encode() not in told
        assert b"anna" not in told
    assert "--results results" in text.decode()  # the commands work in the study's folder
    assert study_of(results).name == "traced"


@pytest.mark.parametrize("make", [os.mkfifo, lambda csv: csv.symlink_to("/dev/zero"), Path.mkdir])
def test_a_table_that_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "linear.csv")
    with pytest.raises(UserError, match="not a regular file"):
        cells.read(tmp_path / "linear.csv")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", "a\\..\\b", "a" * 5000])
def test_an_archive_of_a_name_that_none_has_is_refused(tmp_path, name):
    entity = {"@type": "File", "@id": name, "sha256": "a" * 64}
    (tmp_path / "provenance.json").write_text(json.dumps({"@graph": [entity]}))
    with pytest.raises(UserError, match="lies elsewhere"):
        archive(tmp_path, tmp_path / "out.zip")
