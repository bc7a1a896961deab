"""The table of few labels against plain means."""

import numpy as np
import pandas as pd
import pytest
from test_score_figures import frame, metrics, rows  # noqa: F401 (a fixture)

from sslslr.report.tables import few_labels
from sslslr.statistics.intervals import t_interval


def test_a_row_is_the_mean_over_seeds_of_the_mean_over_draws(metrics):  # noqa: F811
    table = few_labels.few_labels(metrics)
    assert len(table) == 2 * 2 * 4  # methods, targets, amounts; other protocols are left out
    row = table.query("method == 'simclr' and dataset == 'lsa64' and shots == 5").iloc[0]
    own = metrics.query(
        "method == 'simclr' and dataset == 'lsa64' and shots == 5 and metric == 'top1' "
        "and protocol == 'few_labels'"
    )
    by_seed = [own[own["seed"] == seed]["value"].mean() for seed in range(3)]
    assert row["top1"] == pytest.approx(np.mean(by_seed))
    assert (row["low"], row["high"]) == pytest.approx(t_interval(by_seed))
    assert (row["seeds"], row["draws"], row["n_test"]) == (3, 4, 640)


def test_people_see_a_column_an_amount_shares_first(metrics, tmp_path):  # noqa: F811
    shown = few_labels.FewLabels().shown(few_labels.few_labels(metrics))
    assert shown.columns[7:11].tolist() == ["1 %", "10 %", "1 a class", "5 a class"]
    assert len(shown) == 4
    assert shown["1 %"].str.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]").all()
    csv, md, tex = few_labels.FewLabels().write(
        few_labels.few_labels(metrics), tmp_path / "few", " Study x."
    )
    assert len(pd.read_csv(csv)) == 16
    assert "Study x." in md.read_text()
    assert "Study x." in tex.read_text()


def test_a_share_without_end_is_cut_in_its_columns_name():
    scores = frame(rows("simclr", "lsa64", "lsa64", "few_labels", [[0.25]], 1 / 3))
    assert "33.33 %" in few_labels.FewLabels().shown(few_labels.few_labels(scores))


def test_one_seed_has_no_interval_and_an_amount_that_was_not_run_is_a_dash():
    scores = frame(
        rows("simclr", "lsa64", "lsa64", "few_labels", [[0.25, 0.75]], 0.1),
        rows("sl_fpn", "lsa64", "lsa64", "few_labels", [[0.5]], 0, 1),
    )
    shown = few_labels.FewLabels().shown(few_labels.few_labels(scores)).set_index("Method")
    assert shown.loc["SimCLR", ["10 %", "1 a class"]].tolist() == ["50.0", "–"]


def test_a_study_without_few_labels_has_a_table_without_rows(tmp_path):
    scores = frame(rows("simclr", "lsa64", "lsa64", "linear", [[0.5]]))
    csv, md, _ = few_labels.FewLabels().write(few_labels.few_labels(scores), tmp_path / "few")
    assert pd.read_csv(csv).columns.tolist() == few_labels.FIELDS
    assert md.read_text()


def test_architectures_of_one_method_are_told_apart():
    scores = frame(rows("sl_fpn", "lsa64", "lsa64", "few_labels", [[0.5]], 0.1))
    released = scores.assign(variant="as_released", value=0.25)
    shown = few_labels.FewLabels().shown(few_labels.few_labels(pd.concat([scores, released])))
    assert dict(zip(shown["Encoder"], shown["10 %"], strict=True)) == {
        "paper": "50.0",
        "as_released": "25.0",
    }
