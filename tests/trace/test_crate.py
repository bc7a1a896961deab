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
from sslslr.errors import UserError
from sslslr.trace import crate
from sslslr.trace.archive import archive
from sslslr.trace.sources import study_of
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
    assert kinds == {"data": 1, "encoders": 12, "metrics": 12, "tables": 18}


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
    action = entities["#pretrain-random.none.paper.none.s1"]
    assert action["description"].startswith("sslslr pretrain --spec ")
    assert "seed 1" in action["name"]
    run = json.loads((results / "encoders/random.none.paper.none.s1/run.json").read_text())
    assert run["code_hash"] in action["instrument"]["@id"]
    cost = [entities[name] for name in references(action["additionalProperty"])]
    seconds = next(entity["value"] for entity in cost if entity["name"] == "wall_seconds")
    assert seconds == run["cost"]["wall_seconds"]
    data = entities["#data-toy"]
    assert entities[data["license"]["@id"]]["name"] == "CC0-1.0"
    assert study_of(results).name == "traced"


def test_a_stacked_run_is_not_said_to_be_made_alone(results):
    path = results / "encoders/random.none.paper.none.s0/run.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps(run | {"stacked_with": ["random.none.paper.none.s1"]}))
    render(results, study_of(results))
    names = [e["name"] for e in graph(results).values() if e["@type"] == "CreateAction"]
    said = "in one process with random.none.paper.none.s1"
    assert [name for name in names if said in name] == [
        f"Pretraining of random.none.paper.none.s0, seed 0, {said}"
    ]


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


def test_a_study_without_an_evaluation_record_is_not_written(results):
    study = study_of(results)
    run = results / "encoders/random.none.paper.none.s0"
    with pytest.raises(UserError, match=r"evaluation\.json"):
        crate.write(study, [run / "run.json"], [results / "metrics/x/evaluation.json"], [], [], "p")
    assert STUDY["name"] == study.name


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
