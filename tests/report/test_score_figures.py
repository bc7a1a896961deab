"""Figures of scores against plain means."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sslslr.methods import METHODS
from sslslr.report.figures import _style as style
from sslslr.report.figures.few_labels import FewLabels, few_labels_curves
from sslslr.report.tables.few_labels import FewLabels as FewLabelsTable
from sslslr.report.tables.few_labels import few_labels

TARGETS = {"lsa64": 640, "wlasl_100": 258}


def rows(method, source, target, protocol, values, fraction=1.0, shots=0):
    """`values[seed][probe seed]` is the top-1."""
    trains = method != "random"
    shared = {
        "run_id": f"{method}.{source}", "method": method,
        "augmentation": "temporal_permutation" if trains else "none", "variant": "paper", "tag": "",
        "pretrain_dataset": source, "dataset": target, "protocol": protocol,
        "label_fraction": fraction, "shots": shots, "low": 0.0, "high": 1.0, "n_train": 9,
        "n_test": TARGETS[target], "n_classes": 64, "n_joints": 75, "n_joints_masked": 0,
    }  # fmt: skip
    return [
        {**shared, "run_id": f"{shared['run_id']}.s{seed}", "seed": seed, "probe_seed": probe,
         "metric": metric, "value": value if metric == "top1" else 1.0}
        for seed, draws in enumerate(values)
        for probe, value in enumerate(draws)
        for metric in ("top1", "top5")
    ]  # fmt: skip


def frame(*parts):
    return pd.DataFrame([row for part in parts for row in part])


@pytest.fixture
def metrics():
    rng = np.random.default_rng(0)
    parts = []
    for target in TARGETS:
        parts.append(rows("random", "none", target, "linear", rng.uniform(0, 0.3, (2, 1))))
        for method in ("sl_fpn", "simclr"):
            for source in TARGETS:
                parts.append(rows(method, source, target, "linear", rng.uniform(0.2, 1, (2, 2))))
            for fraction, shots in ((0.01, 0), (0.1, 0), (0, 1), (0, 5)):
                values = rng.uniform(0.2, 0.8, (3, 4))
                parts.append(rows(method, target, target, "few_labels", values, fraction, shots))
    return frame(*parts)


def test_lines_are_means_and_bands_are_over_encoder_seeds(metrics):
    figure = few_labels_curves(few_labels(metrics))
    shares, shots = figure.axes[:2]
    assert shares.get_title(loc="left") == "lsa64, n = 640"
    assert shares.get_xscale() == "log"
    scores = metrics[(metrics["protocol"] == "few_labels") & (metrics["metric"] == "top1")]
    own = scores[(scores["dataset"] == "lsa64") & (scores["method"] == "sl_fpn")]
    blue = style.PALETTE[0]
    for axes, column in ((shares, "label_fraction"), (shots, "shots")):
        (line,) = (line for line in axes.lines if line.get_color() == blue)
        found = own[own[column] > 0]
        np.testing.assert_allclose(line.get_xdata(), sorted(found[column].unique()))
        np.testing.assert_allclose(line.get_ydata(), 100 * found.groupby(column)["value"].mean())
        assert len(axes.collections) == 2  # a band a method


def test_the_figure_is_drawn_from_the_tables_own_file(metrics, tmp_path):
    """Whose amounts of labels are read as text, being part of a row's key."""
    table = FewLabelsTable()
    table.write(few_labels(metrics), tmp_path / "few_labels")
    results = SimpleNamespace(table=lambda name: table.read(tmp_path / f"{name}.csv"))
    for drawn, direct in zip(
        FewLabels().draw(results).axes, few_labels_curves(few_labels(metrics)).axes, strict=True
    ):
        assert [x.get_text() for x in drawn.get_xticklabels()] == [
            x.get_text() for x in direct.get_xticklabels()
        ]
        assert len(drawn.lines) == len(direct.lines)


def test_two_seeds_have_no_band(metrics):
    """Their interval filled the panel and hid every line."""
    figure = few_labels_curves(few_labels(metrics[metrics["seed"] < 2]))
    assert all(not axes.collections for axes in figure.axes)
    assert "95 % over encoder seeds" not in [t.get_text() for t in figure.legends[0].get_texts()]


def test_a_method_looks_the_same_whoever_stands_beside_it():
    both = style.line_styles([("sl_fpn", "a"), ("simclr", "a")])
    alone = style.line_styles([("simclr", "a")])
    assert both[("simclr", "a")] == alone[("simclr", "a")]
    groups = [(method,) for method in METHODS.names()]
    looks = {(s["color"], str(s["linestyle"])) for s in style.line_styles(groups).values()}
    assert len(looks) == len(groups)
    ablation = style.line_styles([("sl_fpn", "x"), ("sl_fpn", "y"), ("simclr", "x")])
    assert [s["label"] for s in ablation.values()] == ["SimCLR", "SL-FPN, x", "SL-FPN, y"]
    assert len({s["color"] for s in ablation.values()}) == 3


def test_nothing_measured_says_so(metrics):
    linear = metrics[metrics["protocol"] == "linear"]
    assert "few labels" in few_labels_curves(few_labels(linear)).texts[0].get_text()
