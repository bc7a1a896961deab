"""The figures of ablations against the tables they are drawn from."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sslslr.cli.report import app
from sslslr.report import ablations, differences


def ablated(**changes) -> pd.DataFrame:
    rows = []
    for target, shift in (("a", 0.0), ("b", 0.01)):
        for tag, difference in (("no_original", -0.10), ("depth_2", 0.002), ("w_p_0", 0.05)):
            middle = difference + shift
            rows.append(
                {
                    "tag": tag, "method": "sl_fpn", "augmentation": "temporal_permutation",
                    "variant": "paper", "pretrain_dataset": "p", "dataset": target, "protocol": "linear",
                    "accuracy": 0.5 + middle, "untagged_accuracy": 0.5, "difference": middle,
                    "low": middle - 0.02, "high": middle + 0.02, "p": 0.01, "n_test": 200, "smallest_difference": 0.09,
                    "seeds": 5, "untagged_seeds": 5, **changes,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)[differences.ABLATION_COLUMNS]


def scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "run_id": f"{method}.{views}.{seed}", "method": method, "augmentation": views,
                "variant": "paper", "tag": "", "pretrain_dataset": "p", "dataset": "a",
                "protocol": "linear", "label_fraction": 1.0, "shots": 0, "seed": seed,
                "probe_seed": probe, "metric": "top1", "value": rng.random(), "low": 0, "high": 1,
                "n_train": 9, "n_test": 200, "n_classes": 5, "n_joints": 75, "n_joints_masked": 0,
            }
            for method, views in (("sl_fpn", "flip"), ("sl_fpn", "permute"), ("simclr", "flip"))
            for seed in (0, 1)
            for probe in (0, 1)
        ]
    )  # fmt: skip


def test_a_forest_has_a_line_an_ablation_at_its_difference_and_fills_what_excludes_zero():
    figure = ablations.forest(ablated())
    left, right = figure.axes
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["a, n = 200", "b, n = 200"]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["w_p_0", "depth_2", "no_original"]  # best first
    points = [line for line in left.lines if line.get_marker() == "o"]
    found = {names[int(line.get_ydata()[0])]: line for line in points}
    assert found["no_original"].get_xdata()[0] == pytest.approx(-10)
    assert found["depth_2"].get_markerfacecolor() == "white"
    assert found["w_p_0"].get_markerfacecolor() != "white"


def test_a_protocol_that_was_not_run_gives_way_to_one_that_was():
    figure = ablations.forest(ablated(protocol="logistic"))
    assert "logistic" in figure.get_supxlabel().lower()
    assert len(figure.axes) == 2


def test_the_matrix_shows_the_mean_over_encoder_seeds_of_the_mean_over_probe_seeds():
    metrics = scores()
    drawn = ablations.views_matrix(metrics)
    cells = {
        (int(t.get_position()[0]), int(t.get_position()[1])): t.get_text()
        for t in drawn.axes[0].texts
    }
    mine = metrics[(metrics["method"] == "simclr")].groupby("seed")["value"].mean().mean()
    rows = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert cells[(0, rows.index("SimCLR"))] == f"{100 * mine:.1f}"
    assert (1, rows.index("SimCLR")) not in cells  # not run


def test_the_encoders_of_a_method_have_a_row_each():
    metrics = scores()
    other = metrics[metrics["method"] == "simclr"].assign(variant="as_released", value=0.125)
    axes = ablations.views_matrix(pd.concat([metrics, other])).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["SL-FPN (paper)", "SimCLR (as_released)", "SimCLR (paper)"]
    (cell,) = [text for text in axes.texts if text.get_position() == (0.5, 1.5)]
    assert cell.get_text() == "12.5"


@pytest.mark.parametrize(
    "figure",
    [
        lambda: ablations.forest(ablated().iloc[:0]),
        lambda: ablations.views_matrix(scores().query("augmentation == 'flip'")),
    ],
    ids=["forest", "matrix"],
)
def test_without_data_the_figure_says_so(figure):
    (text,) = figure().texts
    assert text.get_text().startswith("No ")


def test_the_verb_writes_both_figures_twice_alike(tmp_path):
    metrics, table = tmp_path / "metrics.csv", tmp_path / "ablations.csv"
    scores().to_csv(metrics, index=False)
    ablated().to_csv(table, index=False)
    files = {}
    for name in ("first", "second"):
        command = ["ablation-figures", str(metrics), "--ablations", str(table)]
        done = CliRunner().invoke(app, [*command, "--folder", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        files[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert sorted(files["first"]) == ["ablations.pdf", "ablations.png", "views.pdf", "views.png"]
    assert files["first"] == files["second"]
