"""Figures of scores against plain means."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sslslr.cli.report import app
from sslslr.report import collect, results, style
from sslslr.statistics import t_interval

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
                parts.append(
                    rows(method, target, target, "semi_supervised", values, fraction, shots)
                )
    return frame(*parts)


def drawn(axes):
    """(column, row) -> text of the cells of a heat map."""
    return {
        tuple(np.floor(text.get_position()).astype(int)): text.get_text() for text in axes.texts
    }


def test_cells_are_plain_means_and_say_n(metrics):
    figure = results.transfer_matrix(metrics)
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == ["SimCLR", "SL-FPN"]
    top1 = metrics[(metrics["metric"] == "top1") & (metrics["protocol"] == "linear")]
    for axes, method in zip(panels, ("simclr", "sl_fpn"), strict=True):
        cells = drawn(axes)
        assert len(cells) == 3 * 2
        for column, target in enumerate(TARGETS):
            for row, source in enumerate(("none", *TARGETS)):
                who = "random" if source == "none" else method
                same = (top1["method"] == who) & (top1["pretrain_dataset"] == source)
                mean = top1[same & (top1["dataset"] == target)]["value"].mean()
                assert cells[column, row] == f"{100 * mean:.1f}\nn {TARGETS[target]}"
    limits = {axes.collections[0].get_clim() for axes in panels}
    assert len(limits) == 1


def test_seeds_weigh_alike_however_many_probe_seeds_they_have():
    found = frame(rows("simclr", "lsa64", "lsa64", "linear", [[0.2], [0.4, 0.6, 0.8]]))
    table = results.transfer_table(found)
    assert table["value"].tolist() == pytest.approx([0.4])
    assert table["seeds"].tolist() == [2]


def test_a_cell_that_was_not_measured_stays_empty(metrics):
    absent = (metrics["pretrain_dataset"] == "lsa64") & (metrics["dataset"] == "wlasl_100")
    panels = results.transfer_matrix(metrics[~absent]).axes[:2]
    assert all((1, 1) not in drawn(axes) and len(drawn(axes)) == 5 for axes in panels)


def test_a_grid_that_is_mostly_empty_becomes_one_map_of_what_was_run(metrics):
    """Of ten methods that were pretrained on one of two sets, most panels were grey."""
    trained = metrics["pretrain_dataset"] != "none"
    own = metrics[~trained | (metrics["pretrain_dataset"] == metrics["dataset"])]
    own = own[~((own["method"] == "simclr") & (own["pretrain_dataset"] == "lsa64"))]
    axes = results.transfer_matrix(own).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [
        "random initialisation", "SL-FPN, from lsa64", "SimCLR, from wlasl_100",
        "SL-FPN, from wlasl_100",
    ]  # fmt: skip
    linear = own[(own["protocol"] == "linear") & (own["metric"] == "top1")]
    assert len(drawn(axes)) == linear.groupby(["method", "pretrain_dataset", "dataset"]).ngroups


def test_lines_are_means_and_bands_are_over_encoder_seeds(metrics):
    figure = results.semi_supervised_curves(metrics)
    shares, shots = figure.axes[:2]
    assert shares.get_title(loc="left") == "lsa64, n = 640"
    assert shares.get_xscale() == "log"
    scores = metrics[(metrics["protocol"] == "semi_supervised") & (metrics["metric"] == "top1")]
    own = scores[(scores["dataset"] == "lsa64") & (scores["method"] == "sl_fpn")]
    blue = style.PALETTE[0]
    for axes, column in ((shares, "label_fraction"), (shots, "shots")):
        (line,) = (line for line in axes.lines if line.get_color() == blue)
        found = own[own[column] > 0]
        np.testing.assert_allclose(line.get_xdata(), sorted(found[column].unique()))
        np.testing.assert_allclose(line.get_ydata(), 100 * found.groupby(column)["value"].mean())
        assert len(axes.collections) == 2  # a band a method
    table = results.amounts(own[own["shots"] > 0], "shots")
    seeds = own[own["shots"] == 5].groupby("seed")["value"].mean()
    assert tuple(table.loc[5, ["low", "high"]]) == pytest.approx(t_interval(seeds))


def test_one_seed_has_no_band(metrics):
    figure = results.semi_supervised_curves(metrics[metrics["seed"] == 0])
    assert all(not axes.collections for axes in figure.axes)
    assert "95 % over encoder seeds" not in [t.get_text() for t in figure.legends[0].get_texts()]


def test_two_seeds_are_joined_by_a_bar(metrics):
    """Their interval filled the panel and hid every line."""
    two = metrics[metrics["seed"] < 2]
    figure = results.semi_supervised_curves(two)
    named = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "95 % over encoder seeds" not in named
    assert "from one of 2 seeds to the other" in named
    own = two[(two["dataset"] == "lsa64") & (two["method"] == "sl_fpn") & (two["shots"] == 5)]
    seeds = own[own["metric"] == "top1"].groupby("seed")["value"].mean()
    ends = [100 * seeds.min(), 100 * seeds.max()]
    drawn = [p.vertices[:, 1] for c in figure.axes[1].collections for p in c.get_paths()]
    assert any(np.allclose(ys, ends) for ys in drawn)
    assert max(len(ys) for ys in drawn) == 2


def test_a_method_looks_the_same_whoever_stands_beside_it():
    both = style.line_styles([("sl_fpn", "a"), ("simclr", "a")])
    alone = style.line_styles([("simclr", "a")])
    assert both[("simclr", "a")] == alone[("simclr", "a")]
    looks = {(s["color"], str(s["linestyle"])) for s in style.line_styles(
        [(method,) for method in style.METHOD_LINES]
    ).values()}  # fmt: skip
    assert len(looks) == len(style.METHOD_LINES)
    ablation = style.line_styles([("sl_fpn", "x"), ("sl_fpn", "y"), ("simclr", "x")])
    assert [s["label"] for s in ablation.values()] == ["SimCLR", "SL-FPN, x", "SL-FPN, y"]
    assert len({s["color"] for s in ablation.values()}) == 3


def test_nothing_measured_says_so(metrics):
    linear = metrics[metrics["protocol"] == "linear"]
    assert "few labels" in results.semi_supervised_curves(linear).texts[0].get_text()
    none = metrics[metrics["method"] == "random"]
    assert "No pretrained encoder" in results.transfer_matrix(none).texts[0].get_text()


def test_the_verbs_write_the_same_bytes_twice(tmp_path, metrics):
    metrics[list(collect.METRICS)].to_csv(tmp_path / "metrics.csv", index=False)

    def render(name):
        for verb in ("semi", "transfer"):
            stem = tmp_path / name / verb
            ran = CliRunner().invoke(
                app, [verb, f"{tmp_path}/metrics.csv", "--stem", str(stem)], catch_exceptions=False
            )
            assert ran.exit_code == 0, ran.output
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    first = render("a")
    assert set(first) == {"semi.pdf", "semi.png", "transfer.pdf", "transfer.png"}
    assert first == render("b")
