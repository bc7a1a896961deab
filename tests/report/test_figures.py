"""Figures: what they draw, and that the same input gives the same bytes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from sslslr.methods import METHODS
from sslslr.pose.skeleton import EDGES, PARTS
from sslslr.report import reading
from sslslr.report.figures import _skeletons as strips
from sslslr.report.figures import _style as style
from sslslr.report.figures import training
from traced import results_in

MOVED = strips.MOVED.lower()


def history(epochs=6, start_loss=5.0, collapses=False):
    epoch = np.arange(epochs + 1)
    decay = np.exp(-epoch * (1.0 if collapses else 0.1))
    spread = 0.2 * decay
    return pd.DataFrame(
        {
            "epoch": epoch,
            "step": epoch * 10,
            "loss": np.where(epoch > 0, start_loss * decay, np.nan),
            "projection_spread": spread,
            "projection_rank": 1 + 30 * decay,
            "embedding_spread": spread,
            "embedding_rank": 1 + 50 * decay,
            "collapsed": (spread < 0.02).astype(int),
        }
    )


def runs():
    return {
        "sl_fpn.temporal_permutation.transformer.synthetic.s0": history(
            start_loss=1e-3, collapses=True
        ),
        "sl_fpn.temporal_permutation.transformer.synthetic.s1": history(start_loss=1e-3),
        "simsiam.temporal_permutation.transformer.synthetic.s0": history(start_loss=-0.9),
        "simclr.temporal_permutation.transformer.lexicon.s0": history(),
        "random.none.transformer.none.s0": history(epochs=0),
    }


def legend_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def solid_lines(axes, epochs=6):
    return [line for line in axes.lines if len(line.get_xdata()) == epochs + 1]


def test_a_row_a_pretraining_set_and_a_colour_a_method():
    figure = training.training_curves(runs())
    assert len(figure.axes) == 2 * 3
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == [
        "pretrained on lexicon",
        "pretrained on synthetic",
    ]
    lines = solid_lines(figure.axes[3])
    assert len(lines) == 3
    assert len({line.get_color() for line in lines}) == 2  # two seeds of SL-FPN share one
    assert not any("random" in text for text in legend_texts(figure))


def test_the_thresholds_are_those_of_the_study(tmp_path):
    settings = {"collapse_spread": 0.3, "collapse_rank": 5}
    results = results_in(tmp_path, pretrain=settings)
    run_id = "sl_fpn.none.transformer.toy.s0"
    drawing = training.Training().draw(results.only([], histories={run_id: history()}))
    _, spread, rank = drawing.axes
    for axes, threshold in ((spread, 0.3), (rank, 5.0)):
        assert any(set(line.get_ydata()) == {threshold} for line in axes.lines)


def test_spread_is_relative_to_its_start_and_collapse_is_marked_once():
    spread = training.training_curves(runs()).axes[4]
    assert [line.get_ydata()[0] for line in solid_lines(spread)] == [1.0] * 3
    crosses = [line for line in spread.lines if line.get_marker() == "X"]
    assert [float(cross.get_xdata()[0]) for cross in crosses] == [3.0]  # e^-3 < 0.1 < e^-2
    assert any(set(line.get_ydata()) == {0.1} for line in spread.lines)


def test_a_loss_below_zero_is_drawn_too():
    figure = training.training_curves(runs())
    losses = [axes for axes in figure.axes if axes.get_ylabel() == "loss"]
    drawn = np.concatenate([line.get_ydata()[1:] for axes in losses for line in axes.lines])
    assert np.isfinite(losses[0].transData.transform(np.stack([drawn, drawn], axis=1))).all()
    assert drawn.min() < 0


def test_a_single_epoch_is_a_point():
    """A line of one point was not to be seen, and its axis counted hundredths of an epoch."""
    figure = training.training_curves({"simclr.none.transformer.toy.s0": history(epochs=1)})
    assert figure.axes[0].lines[0].get_marker() in style.MARKERS
    assert all(tick == round(tick) for axes in figure.axes for tick in axes.get_xticks())


def test_methods_differ_by_more_than_colour():
    """Who does not see red and green, or prints in grey, has the marker and the dash."""
    groups = [(method, "none", "paper", "") for method in METHODS.names()]
    lines = [(line["marker"], line["linestyle"]) for line in style.line_styles(groups).values()]
    assert len(set(lines)) == len(lines)
    assert "X" not in style.MARKERS  # the cross is a collapse
    long = training.training_curves({"simclr.none.transformer.toy.s0": history(epochs=40)}).axes[0]
    assert 4 <= len(range(40)[:: abs(long.lines[0].get_markevery()[1])]) <= 8


def test_nothing_trained_says_so():
    figure = training.training_curves({"random.none.transformer.none.s0": history(epochs=0)})
    assert "No run was trained" in figure.texts[0].get_text()


def test_histories_are_named_by_their_folder(tmp_path):
    folder = tmp_path / "byol.none.transformer.toy.s0"
    folder.mkdir()
    history().to_csv(folder / "history.csv", index=False)
    read = reading.read_histories([folder / "history.csv"])
    assert list(read) == [folder.name]
    assert np.isnan(read[folder.name]["loss"][0])


@pytest.fixture
def clip():
    """(10, 75, 2): all joints present, y grows downwards."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.2, 0.8, (1, 75, 2)) + np.linspace(0, 0.1, 10)[:, None, None]


def segments(axes):
    """Number of drawn bones by part, in the order of drawing."""
    return [len(c.get_segments()) for c in axes.collections if isinstance(c, LineCollection)]


def tints(axes):
    from matplotlib.colors import to_hex

    return [to_hex(patch.get_facecolor()) for patch in axes.patches]


def test_every_valid_frame_is_drawn_and_numbered(clip):
    axes = strips.clip_strip([("original", clip, 7)]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["original", *map(str, range(7))]
    assert segments(axes)[1:] == [7 * len(EDGES["left_hand"]), 7 * len(EDGES["right_hand"])]
    low, high = sorted(axes.get_ylim())
    assert axes.get_ylim() == (high, low)  # y down


def test_missing_joints_are_not_drawn(clip):
    clip[3, PARTS["left_hand"]] = np.nan
    present = np.ones(75, dtype=bool)
    present[PARTS["body"]] = False
    figure = strips.clip_strip([("original", clip, 10)], present)
    assert segments(figure.axes[0]) == [0, 9 * 21, 10 * 21]
    assert legend_texts(figure) == ["left hand", "right hand"]


def test_an_empty_clip_still_gives_a_figure(clip):
    assert segments(strips.clip_strip([("empty", clip * np.nan, 10)]).axes[0]) == [0, 0, 0]


def test_a_permuted_view_shows_where_frames_came_from(clip):
    order = [2, 0, 1, 3, 4, 5, 6, 7, 9, 8]
    rows = [("original", clip, 10), ("view", clip[order], 10)]
    phases = [(0, 3, "beginning"), (3, 8, "middle"), (8, 10, "end")]
    figure = strips.clip_strip(rows, phases=phases, order=[None, order])
    first, second = figure.axes
    assert MOVED not in tints(first)
    assert [tint == MOVED for tint in tints(second)] == [i != o for i, o in enumerate(order)]
    assert [text.get_text() for text in second.texts] == ["view", *map(str, order)]
    assert {"beginning", "middle", "end"} <= {text.get_text() for text in first.texts}
    assert "frame moved" in legend_texts(figure)


def test_long_clips_are_thinned_from_first_to_last_frame(clip):
    axes = strips.clip_strip([("long", clip, 10)], max_frames=4).axes[0]
    assert [text.get_text() for text in axes.texts][1:] == ["0", "3", "6", "9"]


def test_rows_share_one_scale(clip):
    small, large = strips.clip_strip([("a", clip, 10), ("b", clip * 2, 10)]).axes

    def height(axes):
        points = np.concatenate(axes.collections[1].get_segments())
        return np.ptp(points[:, 1])

    assert height(large) == pytest.approx(2 * height(small), rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no clip"),
        ([("x", np.zeros((3, 42, 2)), 3)], r"x: expected \(T, 75, 2\), found \(3, 42, 2\)"),
        ([("x", np.zeros((3, 75, 2)), 4)], r"x: length 4 is not in 1\.\.3"),
    ],
)
def test_what_cannot_be_drawn_is_named(rows, message):
    with pytest.raises(ValueError, match=message):
        strips.clip_strip(rows)


def test_two_renders_are_equal_byte_by_byte(tmp_path, clip):
    def render(name):
        curves = style.save(training.training_curves(runs()), tmp_path / name / "training")
        strip = style.save(strips.clip_strip([("a", clip, 10)]), tmp_path / name / "clip")
        return {path.name: path.read_bytes() for path in (*curves, *strip)}

    first = render("first")
    assert set(first) == {"training.pdf", "training.png", "clip.pdf", "clip.png"}
    assert first == render("second")
    assert b"CreationDate" not in first["training.pdf"]
    assert b"/Type3" not in first["training.pdf"]  # fonts are embedded as TrueType
