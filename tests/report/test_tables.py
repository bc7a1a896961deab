"""The linear-evaluation table against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from claimed import joined
from sslslr.report import reading
from sslslr.report.tables import _markup as markup
from sslslr.report.tables import linear as tables
from sslslr.report.tables._base import DECIMALS
from sslslr.statistics import intervals
from sslslr.utils.errors import UserError

GLOSSES = [f"gloss_{i}" for i in range(12)]
PAPER = [
    {
        "dataset": "wlasl_100",
        "pretrain_dataset": "wlasl_100",
        "protocol": "linear",
        "label_fraction": 1.0,
        "method": "sl_fpn",
        "augmentation": "temporal_permutation",
        "metric": "top1",
        "value": 77.95,
        "sureness": "B",
    }
]


def evaluation(method="sl_fpn", rights=((6,), (8,)), protocol="linear", n=10, **columns):
    """Metrics and predictions of one row: rights[seed][probe seed] of n clips are right."""
    trains = method not in ("random", "raw_keypoints", "supervised")
    shared = {
        "method": method,
        "augmentation": "temporal_permutation" if trains else "none",
        "variant": "transformer",
        "tag": "",
        "pretrain_dataset": "wlasl_100" if trains else "none",
        "dataset": "wlasl_100",
        "protocol": protocol,
        "label_fraction": 1.0,
        "shots": 0,
        **columns,
    }
    metrics, predictions = [], []
    for seed, probes in enumerate(rights):
        run_id = f"{method}.{shared['augmentation']}.transformer.{shared['tag']}.s{seed}"
        for probe_seed, right in enumerate(probes):
            keys = {"run_id": run_id, "seed": seed, "probe_seed": probe_seed, **shared}
            counts = {"low": 0, "high": 1, "n_train": 40, "n_test": n, "n_classes": 12}
            counts |= {"n_joints": 42, "n_joints_masked": 0}
            for metric in tables.METRICS:
                metrics.append({**keys, "metric": metric, "value": right / n, **counts})
            for clip in range(n):
                best = [g for g in GLOSSES if g != GLOSSES[clip]]
                best = [GLOSSES[clip], *best][:10] if clip < right else best[:10]
                keep = {k: keys[k] for k in reading.PREDICTIONS if k in keys}
                predictions.append(
                    {**keep, "clip_id": f"clip_{clip}", "label": GLOSSES[clip], "best": best}
                )
    return pd.DataFrame(metrics), pd.DataFrame(predictions)


def test_mean_and_std_are_over_encoder_seeds_after_averaging_probe_seeds():
    row = tables.linear_table(*evaluation(rights=((5, 7), (8, 8), (9, 9)))).iloc[0]
    # seed means 0.6, 0.8, 0.9: mean 2.3 / 3, std sqrt((0.1667² + 0.0333² + 0.1333²) / 2)
    assert row.top1_mean == pytest.approx(0.766667, abs=1e-6)
    assert row.top1_std == pytest.approx(0.152753, abs=1e-6)
    assert (row.seeds, row.probe_seeds, row.n_test, row.n_train) == (3, 2, 10, 40)
    assert row.chance == pytest.approx(1 / 12)
    assert 0 <= row.top1_low < row.top1_mean < row.top1_high <= 1
    assert 0 <= row.balanced_accuracy_low <= row.balanced_accuracy_high <= 1


def test_the_interval_over_clips_is_of_the_average_of_all_seeds():
    row = tables.linear_table(*evaluation(rights=((2,), (8,), (9,)))).iloc[0]
    right = np.arange(10) < np.array([[2], [8], [9]])  # (seeds, clips)
    expected = intervals.bootstrap_interval(right)
    assert (row.top1_low, row.top1_high) == pytest.approx(expected)
    assert expected != pytest.approx(intervals.bootstrap_interval(right[:1]))


def test_the_interval_over_seeds_is_students():
    row = tables.linear_table(*evaluation(rights=((5, 7), (8, 8), (9, 9)))).iloc[0]
    half = 4.302653 * 0.152753 / np.sqrt(3)  # t of 2 degrees of freedom
    assert row.top1_seeds_low == pytest.approx(0.766667 - half, abs=1e-5)
    assert row.top1_seeds_high == 1  # 1.146, cut: no accuracy is above 1
    shown = tables.Linear().shown(tables.linear_table(*evaluation(rights=((6,),)))).iloc[0]
    assert shown["95 % over seeds"] == "n/a"


@pytest.mark.parametrize(("right", "low", "high"), [(10, 0.722467, 1), (0, 0, 0.277533)])
def test_all_right_or_all_wrong_is_not_certainty(right, low, high):
    row = tables.linear_table(*evaluation(rights=((right,), (right,)))).iloc[0]
    assert (row.top1_low, row.top1_high) == pytest.approx((low, high), abs=1e-5)  # Wilson, n = 10
    assert (row.balanced_accuracy_low, row.balanced_accuracy_high) == (row.top1_low, row.top1_high)


def test_one_seed_has_no_std_and_says_so():
    table = tables.linear_table(*evaluation(rights=((6, 8),)))
    assert np.isnan(table.top1_std[0])
    shown = tables.Linear().shown(table).iloc[0]
    assert shown["Top-1"] == "70.0 (1 seed)"
    assert shown["Top-3"] == "70.0"


def test_a_cell_reads_mean_plus_minus_std():
    shown = tables.Linear().shown(tables.linear_table(*evaluation())).iloc[0]
    assert shown["Top-1"] == "70.0 ± 14.1"
    assert shown["95 % over clips"].startswith("[")
    assert shown["n test"] == "10"


def test_names_that_look_like_numbers_stay_names(tmp_path):
    """A data set 007 came back as 7, and a tag 1e5 as 100000.0."""
    table = tables.linear_table(*evaluation("true", dataset="007", tag="1e5"))
    tables.Linear().write(table, tmp_path / "linear")
    row = tables.Linear().read(tmp_path / "linear.csv").iloc[0]
    assert (row.dataset, row.tag, row.method) == ("007", "1e5", "true")
    assert row.n_test == 10


def test_the_papers_number_stands_only_beside_its_own_row():
    both = joined(
        evaluation(),
        evaluation(tag="no_predictor"),
        evaluation(augmentation="strong", rights=((6,),)),
        evaluation("simclr"),
    )
    table = tables.linear_table(*both, PAPER)
    known = table[table["paper"].notna()]
    assert len(known) == 1
    assert (known.method.iloc[0], known.tag.iloc[0]) == ("sl_fpn", "")
    assert known.paper.iloc[0] == pytest.approx(0.7795)
    shown = tables.Linear().shown(table)["Paper"]
    assert sorted(shown) == ["77.95 (B)", "n/a", "n/a", "n/a"]


def test_floors_come_first_and_supervised_last_within_a_target():
    order = ["supervised", "simclr", "random", "raw_keypoints", "sl_fpn"]
    table = tables.linear_table(
        *joined(*(evaluation(m, dataset=d) for d in ("b_set", "a_set") for m in order))
    )
    assert table["dataset"].tolist() == ["a_set"] * 5 + ["b_set"] * 5
    assert table["method"].tolist()[:5] == [
        "raw_keypoints", "random", "simclr", "sl_fpn", "supervised"
    ]  # fmt: skip


def test_fewer_labels_and_other_protocols_are_left_out():
    few = (evaluation(label_fraction=0.3), evaluation(label_fraction=0.0, shots=5))
    rows = joined(evaluation(), *few, evaluation(protocol="few_labels"))
    assert len(tables.linear_table(*rows)) == 1
    with pytest.raises(UserError, match="nothing to tabulate"):
        tables.linear_table(*evaluation(protocol="few_labels"))


def test_predictions_must_be_those_of_the_metrics():
    metrics, predictions = evaluation()
    with pytest.raises(UserError, match=r"none found.*predictions\.parquet"):
        tables.linear_table(metrics, predictions[predictions["run_id"].str.endswith("s0")])
    metrics.loc[metrics["metric"] == "top1", "value"] = 0.9
    with pytest.raises(UserError, match="different evaluations"):
        tables.linear_table(metrics, predictions)


def test_seeds_must_share_their_test_clips():
    metrics, predictions = evaluation()
    second = predictions["run_id"].str.endswith("s1")
    predictions.loc[second, "clip_id"] = "other_" + predictions.loc[second, "clip_id"]
    with pytest.raises(UserError, match="other test clips"):
        tables.linear_table(metrics, predictions)


def test_seeds_must_share_their_counts():
    metrics, predictions = evaluation()
    metrics.loc[metrics["seed"] == 1, "n_test"] = 11
    with pytest.raises(UserError, match=r"n_test .* is 10 and 11"):
        tables.linear_table(metrics, predictions)


def test_rendered_files_are_escaped_deterministic_and_read_back(tmp_path):
    table = tables.linear_table(*joined(evaluation(), evaluation("random")), PAPER)
    files = tables.Linear().write(table, tmp_path / "linear", " Scores of 100 % & more.")
    first = {path.name: path.read_bytes() for path in files}
    assert set(first) == {"linear.csv", "linear.md", "linear.tex"}
    tables.Linear().write(table, tmp_path / "linear", " Scores of 100 % & more.")
    assert first == {path.name: path.read_bytes() for path in files}

    tex = first["linear.tex"].decode()
    assert r"wlasl\_100" in tex
    assert r"Scores of 100 \% \& more." in tex
    assert r"70.0 $\pm$ 14.1" in tex
    assert r"\label{tab:linear}" in tex
    assert not [line for line in tex.splitlines()[1:] if "_" in line.replace(r"\_", "")]
    assert r"\toprule" in tex
    assert "n/a" in tex

    back = tables.Linear().read(tmp_path / "linear.csv")
    pd.testing.assert_frame_equal(tables.Linear().shown(back), tables.Linear().shown(table))


def test_the_page_and_the_paper_round_the_same_number():
    """52.8 ± 1.4 stood in the Markdown and 52.8 ± 1.5 on the page, which is made of the CSV."""
    table = tables.linear_table(*evaluation(rights=((6,), (8,))))
    table["top3_std"] = 0.014496  # 1.4 percent; with four decimals 1.45, then 1.5
    written = table.round(DECIMALS)
    assert tables.score(table.iloc[0], "top3") == tables.score(written.iloc[0], "top3")


def test_a_markdown_cell_cannot_break_the_table():
    shown = pd.DataFrame({"Method": ["a|b", "<script>"], "Protocol": ["linear", "linear"]})
    text = markup.markdown(shown, "Caption.")
    assert r"a\|b" in text
    assert r"\<script\>" in text
    assert "Every row: protocol linear." in text  # a column of one value is said once


def test_metrics_are_read_with_clear_errors(tmp_path):
    metrics, _ = evaluation()
    file = tmp_path / "metrics.csv"
    metrics.to_csv(file, index=False)
    read = reading.read_metrics([file])
    assert read["tag"].tolist() == [""] * len(metrics)
    assert read["value"].tolist() == metrics["value"].tolist()
    with pytest.raises(UserError, match="given twice"):
        reading.read_metrics([file, file])
    with pytest.raises(UserError, match=r"absent\.csv: there is no such file"):
        reading.read_metrics([tmp_path / "absent.csv"])
    metrics.drop(columns="n_test").to_csv(file, index=False)
    with pytest.raises(UserError, match=r"metrics\.csv: column 'n_test' is missing"):
        reading.read_metrics([file])
    metrics.assign(value=62.1).to_csv(file, index=False)
    with pytest.raises(UserError, match=r"62\.1; scores lie in 0\.\.1"):
        reading.read_metrics([file])
    for count in ("inf", "-1e300", "1e19"):
        metrics.assign(n_test=count).to_csv(file, index=False)
        with pytest.raises(UserError, match="column 'n_test' holds .* beyond all meaning"):
            reading.read_metrics([file])
    for column, count in (("n_classes", 0.5), ("n_test", -3), ("seed", 1.5)):
        metrics.assign(**{column: count}).to_csv(file, index=False)
        with pytest.raises(UserError, match=f"'{column}' holds {count:g}, which counts nothing"):
            reading.read_metrics([file])
    metrics.assign(value="good").to_csv(file, index=False)
    with pytest.raises(UserError, match="'good', not a number"):
        reading.read_metrics([file])


def test_the_shipped_paper_numbers_are_the_four_that_are_known():
    from toys import ROOT

    entries = reading.read_paper_numbers(ROOT / "config" / "paper_numbers.yaml")
    known = [(e["dataset"], e["pretrain_dataset"], e["value"]) for e in entries]
    assert known == [
        ("wlasl_100", "wlasl_100", 77.95),
        ("wlasl_300", "wlasl_300", 71.21),
        ("gsl", "lsfb", 54.78),
        ("lsa64", ["wlasl_100", "wlasl_300"], 43.84),  # which of them is not known
    ]
    assert {e["sureness"] for e in entries} == {"B"}


def test_the_papers_numbers_stand_only_where_data_and_split_are_the_papers():
    """Each matches a run of the paper's study; none stands beside another split or other files."""
    from sslslr.config.load import load
    from sslslr.report.results import Results
    from sslslr.workflow import grid
    from toys import ROOT

    study = load(ROOT / "config" / "paper.yaml")
    entries = Results(study, {}).paper
    assert len(entries) == 4
    pretrained = {run.dataset for run in grid.runs(study).values() if run.method == "sl_fpn"}
    for entry in entries:
        sets = entry["pretrain_dataset"]
        assert {sets} <= pretrained if isinstance(sets, str) else set(sets) <= pretrained
    assert Results(load(ROOT / "config" / "encoder_cpu.yaml"), {}).paper == []
    target = study.evaluate.targets["wlasl_300"].model_copy(update={"test": "val"})
    study.evaluate.targets["wlasl_300"] = target
    assert "wlasl_300" not in {entry["dataset"] for entry in Results(study, {}).paper}


def test_what_is_not_known_of_a_paper_number_is_said_beside_it():
    entry = {
        **PAPER[0],
        "pretrain_dataset": ["other", PAPER[0]["pretrain_dataset"]],
        "reserve": "size unknown",
    }
    shown = tables.Linear().shown(tables.linear_table(*evaluation(), [entry]))["Paper"]
    assert list(shown) == ["77.95 (B; size unknown)"]


LINES = {
    "Target": ["a", "a", "b"], "Method": ["raw", "x_1", "x_1"], "Views": ["–", "strong", "strong"],
    "Tag": ["–", "t", "t"], "Difference": ["-1.0 [-2.0, +3.0]", "+0.1", "n/a"],
    "n test": ["9", "9", "7"], "Paper": ["n/a"] * 3,
}  # fmt: skip


def test_what_is_the_same_throughout_is_said_once():
    shown, caption = markup.fold(pd.DataFrame(LINES), "C.")
    assert list(shown) == ["Target", "Method", "Tag", "Difference", "n test"]
    assert (
        "Every row that has any: views strong." in caption
    )  # a tag that a row lacks tells rows apart
    assert "The paper's number is known for no row." in caption


def test_latex_has_a_block_a_target_and_a_minus_sign():
    tex = markup.latex(pd.DataFrame(LINES), "C.", "tab:x")
    assert r"\textit{a: n test 9}" in tex
    assert r"\textit{b: n test 7}" in tex
    assert r"$-$1.0 [$-$2.0, +3.0]" in tex
    assert tex.count(r"\midrule") == 2
    assert tex.count(r"\begin{table*}") == 1


def test_a_latex_table_is_no_higher_than_a_page():
    frame = pd.concat([pd.DataFrame(LINES)] * 20, ignore_index=True)
    tex = markup.latex(frame, "C.", "tab:x")
    assert tex.count(r"\begin{table*}") == tex.count(r"\end{table*}") == 3
    assert all(f"\\label{{tab:x{more}}}" in tex for more in ("", "-2", "-3"))
    assert tex.count("C.") == 1
    assert tex.count("x\\_1") == 40
    assert tex.count("a: n test 9}") == tex.count("a: n test 9, continued}") == 1


def test_a_table_without_rows_says_so():
    none = pd.DataFrame(LINES)[:0]
    assert markup.NOTHING in markup.markdown(none, "C.")
    assert markup.NOTHING in markup.latex(none, "C.", "tab:x")
