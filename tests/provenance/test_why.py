"""What `why` says of a cell is what the stages recorded; what no longer fits together is said."""

import json
import os
import time

import numpy as np
import pandas as pd
import pytest

from sslslr.encoders.artifact import WEIGHTS
from sslslr.provenance import sources
from sslslr.provenance.cells import find, read
from sslslr.provenance.why import why
from sslslr.report.tables import TABLES
from sslslr.utils.errors import UserError

pytestmark = pytest.mark.xdist_group("trace")  # its fixture is made once

RANDOM = "method=random,dataset=toy,protocol=linear"


def ask(results, cell: str):
    return why(find(f"{results}/tables/{cell}"))


def test_cells_of_every_table_come_out_of_the_metrics_again(results):
    for table in TABLES.names():
        frame = read(results / f"tables/{table}.csv")
        assert len(frame) or table in ("transfer", "signers", "phonology"), (
            table
        )  # which it has no runs for
        for row in {0, len(frame) // 2, len(frame) - 1} if len(frame) else ():
            found = sources.trace(find(f"{results}/tables/{table}.csv:{row + 1}:1"))
            for column in frame.columns:
                if table == "ablations" and column == "p":
                    continue  # corrected within the whole table, which is computed on demand
                text, again = frame[column].iloc[row], found.computed[column]
                assert sources.same(text, again), (table, row, column)
    p = sources.trace(find(f"{results}/tables/ablations.csv:1:p"))
    assert sources.same(read(results / "tables/ablations.csv")["p"].iloc[0], p.computed["p"])


def test_a_reader_can_compute_mean_and_spread_from_what_is_printed(results):
    answer = ask(results, f"linear.csv:{RANDOM}:top1_mean")
    rows = [line.split() for line in answer.text.splitlines() if " top1 " in line]
    values = pd.DataFrame(
        [(row[0], float(row[7])) for row in rows if row[0].startswith("random.")],
        columns=["run", "value"],
    )
    by_seed = values.groupby("run")["value"].mean()
    frame = read(results / "tables/linear.csv")
    row = find(f"{results}/tables/linear.csv:{RANDOM}:1").row
    assert len(values) == 4, "two encoder seeds, two probe seeds each"
    assert np.isclose(by_seed.mean(), float(frame["top1_mean"].iloc[row]), atol=1e-4)
    assert np.isclose(by_seed.std(ddof=1), float(frame["top1_std"].iloc[row]), atol=1e-4)


def test_runs_seeds_hashes_data_settings_and_commands_are_those_recorded(results):
    answer = ask(results, "linear.md:method=sl_fpn,tag=,dataset=toy,protocol=linear:Top-1")
    assert answer.stale == []
    run = "sl_fpn.temporal_permutation.transformer.toy.s0"
    made = json.loads((results / f"encoders/{run}/run.json").read_text())
    scored = json.loads((results / f"metrics/{run}/evaluation.json").read_text())
    card = json.loads((results / "data/toy/clips/card.json").read_text())
    for text in (
        run, "seed           0", made["code_hash"], scored["code_hash"], made["data_hash"],
        scored["encoder_sha256"], *card["sha256"].values(), "licence CC0-1.0", "epochs: 1",
        "sslslr data build --name toy", f"--out results/encoders/{run}",
        "sslslr evaluate --spec", "sslslr report table linear --results results",
    ):  # fmt: skip
        assert text in answer.text, text
    assert "no_original" not in answer.text.split("Commands:")[0]
    assert "the code is" not in answer.text, "nothing was edited"


def test_from_another_folder_the_study_s_own_claims_and_places_count(
    results, tmp_path, monkeypatch
):
    place = results.absolute()
    claims = tmp_path / "elsewhere/config/claims.yaml"
    claims.parent.mkdir(parents=True)
    claims.write_text("claims: of another study\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = ask(place, "verdicts.csv:1:verdict")
    assert answer.stale == []
    assert f"--out {place}/data/toy/clips" in answer.text
    assert "results/" not in answer.text.replace(str(place), "")


def test_an_ablation_names_both_sides(results):
    text = ask(results, "ablations.csv:dataset=toy,linear:difference").text
    assert "Numbers, tagged no_original:" in text
    assert "Numbers, untagged:" in text


def test_a_table_that_is_older_than_the_metrics_is_said(results):
    path = results / "metrics/random.none.transformer.none.s0/metrics.csv"
    metrics = pd.read_csv(path, keep_default_na=False)
    wanted = (metrics["metric"] == "top3") & (metrics["protocol"] == "linear")
    metrics.loc[wanted, "value"] = 0.5
    metrics.to_csv(path, index=False)
    answer = ask(results, f"linear.csv:{RANDOM}:top3_mean")
    assert any("older than the metrics" in sentence for sentence in answer.stale)
    assert any("changed since the evaluation wrote it" in sentence for sentence in answer.stale)
    assert "STALE: " in answer.text


def test_another_encoder_or_other_data_than_was_evaluated_are_said(results):
    weights = results / "encoders/random.none.transformer.none.s1/encoder.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    card = results / "data/toy/clips/card.json"
    changed = json.loads(card.read_text())
    changed["sha256"]["keypoints.npy"] = "0" * 64
    card.write_text(json.dumps(changed))
    stale = ask(results, f"linear.csv:{RANDOM}:top1_mean").stale
    assert any("not the encoder that was evaluated" in sentence for sentence in stale)
    assert any("was made of" in sentence for sentence in stale)


def test_a_row_that_the_metrics_no_longer_have_is_said(results):
    cell = find(f"{results}/tables/linear.csv:{RANDOM}:top1_mean")
    for seed in (0, 1):
        path = results / f"metrics/random.none.transformer.none.s{seed}/metrics.csv"
        path.write_text(path.read_text().replace(",linear,", ",knn,"))
    with pytest.raises(UserError, match="the metrics have no row for it"):
        why(cell)


def test_results_of_another_study_in_the_same_folder_are_not_mixed_in(results):
    """A run that is no longer in the configuration leaves its metrics behind."""
    import shutil

    old, new = (results / f"metrics/random.none.transformer.none.s{seed}" for seed in (1, 2))
    shutil.copytree(old, new)
    path = new / "metrics.csv"
    path.write_text(path.read_text().replace("none.s1,", "none.s2,"))
    answer = ask(results, f"linear.csv:{RANDOM}:top1_mean")
    assert answer.stale == []
    assert "none.s2" not in answer.text


def test_the_verb_prints_and_says_by_its_status_whether_it_is_stale(results):
    from typer.testing import CliRunner

    from sslslr.cli.main import app

    done = CliRunner().invoke(app, ["why", f"{results}/tables/linear.csv:1:top1_mean"])
    assert done.exit_code == 0
    assert "Commands:" in done.output
    (results / "metrics/random.none.transformer.none.s0/evaluation.json").unlink()
    done = CliRunner().invoke(app, ["why", f"{results}/tables/linear.csv:{RANDOM}:top1_mean"])
    assert done.exit_code == 1
    assert "how these metrics were made is not known" in done.output


def test_a_stranger_s_vast_files_are_not_hashed_and_commands_to_the_screen_are_escaped(results):
    for record in results.glob("metrics/*/evaluation.json"):
        stated = json.loads(record.read_text())
        stated["sha256"]["vast"] = "0" * 64
        stated["cost"]["device"] = "\x1b[2Jcpu\nSTALE: no"
        record.write_text(json.dumps(stated))
        for file in (record.with_name("vast"), results / "encoders" / record.parent.name / WEIGHTS):
            file.touch()
            os.truncate(file, 1 << 40)
    began = time.process_time()
    answer = why(find("results/tables/linear.csv:1:top1_mean"))
    assert time.process_time() - began < 5
    assert sum("too large to be hashed" in sentence for sentence in answer.stale) >= 2
    assert "\\x1b[2Jcpu\\nSTALE: no" in answer.text
    assert answer.text.replace("\n", "").isprintable()
