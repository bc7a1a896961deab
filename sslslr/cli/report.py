"""`sslslr report`: tables, figures and the page, from what the stages before wrote."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sslslr.cli._page import html, provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

app = typer.Typer(help="Render tables, figures and the report.", no_args_is_help=True)
app.command()(html)
app.command()(provenance)
Stem = Annotated[Path, typer.Option(help="Path of the output without its ending.")]
Metrics = Annotated[list[Path], typer.Argument(help="metrics.csv files.")]
Protocol = Annotated[
    str, typer.Option(help="Whose predictions to show [the first that learnt from all labels].")
]
TargetSettings = Annotated[
    str, typer.Option("--target", help="The target's settings as JSON: what the probe learnt from.")
]
Note = Annotated[str, typer.Option(help="What ends the captions: the study, and its reserves.")]
Figures = Annotated[Path, typer.Option(help="Folder of the figures.")]
FIGURES = Path("results/figures")


@app.command()
def table(
    metrics: Annotated[
        list[Path], typer.Argument(help="metrics.csv files; predictions.parquet lies beside each.")
    ],
    stem: Stem = Path("results/tables/linear"),
    paper: Annotated[Path, typer.Option(help="The paper's numbers.")] = Path(
        "config/paper_numbers.yaml"
    ),
    summary: Annotated[
        Path | None, typer.Option(help="JSON of one number a row, for `dvc metrics`.")
    ] = None,
    note: Note = "",
) -> None:
    """The linear-evaluation table as CSV, Markdown and LaTeX."""
    from sslslr.cli._screen import say
    from sslslr.report import collect, tables
    from sslslr.report import summary as numbers

    found = tables.linear_table(
        collect.read_metrics(metrics),
        collect.read_predictions([path.with_name("predictions.parquet") for path in metrics]),
        collect.read_paper_numbers(paper),
    )
    written = tables.render(found, stem, tables.LINEAR_CAPTION, note=note)
    for path in [*written, *([numbers.write(found, summary)] if summary else [])]:
        say(f"wrote {path}")


@app.command()
def verdict(
    metrics: Annotated[
        list[Path], typer.Argument(help="metrics.csv files; predictions.parquet lies beside each.")
    ],
    claims: Annotated[Path, typer.Option(help="The claims to decide.")] = Path(
        "config/claims.yaml"
    ),
    stem: Stem = Path("results/tables/verdicts"),
    note: Note = "",
) -> None:
    """Which claims hold: STEM and STEM_comparisons as CSV, Markdown and LaTeX."""
    from sslslr import claims as deciding
    from sslslr.cli._screen import say
    from sslslr.report import collect
    from sslslr.report import verdict as shown

    stated, scores = deciding.load(claims), collect.read_metrics(metrics)
    guesses = collect.read_predictions([path.with_name("predictions.parquet") for path in metrics])
    comparisons = deciding.decide(stated, scores, guesses)
    verdicts = deciding.verdicts(stated, comparisons, scores)
    for row in verdicts.itertuples():
        say(f"{row.claim}: {row.verdict}")
    for path in shown.write(verdicts, comparisons, stem, note):
        say(f"wrote {path}")


@app.command()
def training(
    histories: Annotated[
        list[Path] | None, typer.Argument(help="history.csv files, each in its run's folder.")
    ] = None,
    collapse_spread: Annotated[
        float, typer.Option(help="The study's threshold of collapse, a share of the first spread.")
    ] = 0.1,
    collapse_rank: Annotated[
        float, typer.Option(help="The study's threshold of collapse, an effective rank.")
    ] = 2.0,
    stem: Stem = Path("results/figures/training"),
) -> None:
    """Loss, spread and effective rank over epochs."""
    from sslslr.report import collect, figures

    found = collect.read_histories(histories) if histories else {}  # nothing was pretrained
    _save(figures.training_curves(found, collapse_spread, collapse_rank), stem)


@app.command()
def clip(
    store: Annotated[Path, typer.Option(help="Clip store to take the clip from.")],
    preprocess: Annotated[str, typer.Option(help="Preprocessing settings as JSON.")] = "{}",
    steps: Annotated[str, typer.Option(help="The augmentation's steps as JSON.")] = "[]",
    stem: Stem = Path("results/figures/clip"),
) -> None:
    """A clip as a strip of skeletons, and two permuted views of it."""
    from sslslr.cli._runs import from_json
    from sslslr.cli._screen import say
    from sslslr.clips import ClipStore
    from sslslr.config import PreprocessConfig
    from sslslr.report import figures, picture
    from sslslr.strict import parse

    settings = parse(PreprocessConfig, from_json(preprocess, "--preprocess"), "--preprocess")
    permutation = picture.first_permutation(from_json(steps, "--steps", list))
    drawn = picture.permuted_views(ClipStore.open(store), settings, permutation)
    for path in figures.save(drawn, stem):
        say(f"wrote {path}")


@app.command()
def semi(
    metrics: Metrics,
    stem: Stem = Path("results/figures/semi_supervised"),
) -> None:
    """Top-1 over the amount of labels."""
    from sslslr.report import collect, results

    _save(results.semi_supervised_curves(collect.read_metrics(metrics)), stem)


@app.command()
def transfer(
    metrics: Metrics,
    protocol: Annotated[str, typer.Option(help="Whose scores to show.")] = "linear",
    stem: Stem = Path("results/figures/transfer"),
) -> None:
    """Top-1 by the data set of pretraining and by target."""
    from sslslr.report import collect, results

    _save(results.transfer_matrix(collect.read_metrics(metrics), protocol), stem)


@app.command()
def results(
    metrics: Metrics,
    protocol: Annotated[str, typer.Option(help="Whose scores to show in the matrix.")] = "linear",
    folder: Figures = FIGURES,
    table: Annotated[
        Path | None, typer.Option(help="Path of the table of few labels without its ending.")
    ] = None,
    note: Note = "",
) -> None:
    """`semi` and `transfer` in one process: semi_supervised.* and transfer.*; few labels as a table."""
    from sslslr.cli._screen import say
    from sslslr.report import collect, few_labels
    from sslslr.report import results as drawn

    scores = collect.read_metrics(metrics)
    if table:
        for path in few_labels.write(few_labels.few_labels(scores), table, note):
            say(f"wrote {path}")
    _save(drawn.semi_supervised_curves(scores), folder / "semi_supervised")
    _save(drawn.transfer_matrix(scores, protocol), folder / "transfer")


@app.command()
def embedding(
    features: Annotated[Path, typer.Option(help="Folder of features.npy and clips.csv.")],
    title: Annotated[str, typer.Option(help="What the features are of.")] = "",
    store: Annotated[
        Path | None, typer.Option(help="Clip store, for the languages of clips without signers.")
    ] = None,
    stem: Stem = Path("results/figures/embedding"),
) -> None:
    """A map (t-SNE) of an encoder's features."""
    from sslslr.clips import ClipStore
    from sslslr.report import embedding as maps

    vectors, clips = maps.read_features(features)
    if store:
        clips = maps.with_languages(clips, ClipStore.open(store))
    title = title or f"{features.parent.name} on {features.name}"
    _save(maps.embedding_map(vectors, clips, title), stem)


@app.command()
def confusions(
    predictions: Annotated[Path, typer.Option(help="The run's predictions.parquet.")],
    store: Annotated[Path, typer.Option(help="Clip store that was scored.")],
    dataset: Annotated[str, typer.Option(help="The target's name.")],
    preprocess: Annotated[str, typer.Option(help="Preprocessing settings as JSON.")] = "{}",
    protocol: Protocol = "",
    stem: Stem = Path("results/figures/confusions"),
    target: TargetSettings = "{}",
) -> None:
    """The signs that are confused most, side by side."""
    from sslslr.cli._runs import from_json
    from sslslr.clips import ClipStore
    from sslslr.config import PreprocessConfig, TargetConfig
    from sslslr.errors import UserError
    from sslslr.report import collect
    from sslslr.report import confusions as pairs
    from sslslr.strict import parse

    settings = parse(PreprocessConfig, from_json(preprocess, "--preprocess"), "--preprocess")
    found = pairs.of_one_protocol(collect.read_predictions([predictions]), dataset, protocol)
    if found.empty and protocol:
        raise UserError(f"{predictions}: no prediction on {dataset!r} by protocol {protocol!r}.")
    scored = parse(TargetConfig, from_json(target, "--target"), "--target")
    _save(pairs.confusion_figure(found, ClipStore.open(store), settings, target=scored), stem)


@app.command()
def example(
    features: Annotated[Path, typer.Option(help="The run's folder of features, a target each.")],
    predictions: Annotated[Path, typer.Option(help="The run's predictions.parquet.")],
    store: Annotated[Path, typer.Option(help="Clip store that was scored.")],
    dataset: Annotated[str, typer.Option(help="The target's name.")],
    preprocess: Annotated[str, typer.Option(help="Preprocessing settings as JSON.")] = "{}",
    protocol: Protocol = "",
    folder: Figures = FIGURES,
    target: TargetSettings = "{}",
) -> None:
    """`embedding` and `confusions` of one run in one process: embedding.* and confusions.*."""
    title = f"{features.name} on {dataset}"
    embedding(features / dataset, title, store, folder / "embedding")
    confusions(predictions, store, dataset, preprocess, protocol, folder / "confusions", target)


@app.command()
def augmentations(
    store: Annotated[Path, typer.Option(help="Clip store to take the clip from.")],
    preprocess: Annotated[str, typer.Option(help="Preprocessing settings as JSON.")] = "{}",
    augmentations: Annotated[
        str, typer.Option(help="The study's compositions as JSON: name to steps.")
    ] = "{}",
    stem: Stem = Path("results/figures/augmentations"),
) -> None:
    """One clip under every augmentation."""
    from sslslr.cli._runs import from_json
    from sslslr.clips import ClipStore
    from sslslr.config import PreprocessConfig
    from sslslr.report.augmentations import augmentation_sheet
    from sslslr.strict import parse

    settings = parse(PreprocessConfig, from_json(preprocess, "--preprocess"), "--preprocess")
    steps = from_json(augmentations, "--augmentations")
    _save(augmentation_sheet(ClipStore.open(store), settings, steps), stem)


@app.command()
def differences(
    metrics: Annotated[
        list[Path], typer.Argument(help="metrics.csv files; predictions.parquet lies beside each.")
    ],
    targets: Annotated[str, typer.Option(help="The study's targets as JSON.")] = "{}",
    note: Note = "",
    folder: Annotated[Path, typer.Option(help="Folder of the tables.")] = Path("results/tables"),
) -> None:
    """What each ablation changes, and what new signers cost: ablations.* and signer_gap.*."""
    from sslslr.cli._runs import from_json
    from sslslr.cli._screen import say
    from sslslr.report import collect
    from sslslr.report import differences as made

    scores = collect.read_metrics(metrics)
    guesses = collect.read_predictions([path.with_name("predictions.parquet") for path in metrics])
    gap = made.signer_gap(scores, from_json(targets, "--targets"))
    for path in made.write(made.ablations(scores, guesses), gap, folder, note):
        say(f"wrote {path}")


@app.command(name="ablation-figures")
def ablation_figures(
    metrics: Metrics,
    ablations: Annotated[Path, typer.Option(help="The ablations' CSV.")] = Path(
        "results/tables/ablations.csv"
    ),
    folder: Figures = FIGURES,
) -> None:
    """What each ablation changes, and every method under every view: ablations.* and views.*."""
    from sslslr.report import ablations as drawn
    from sslslr.report import collect
    from sslslr.report.differences import read

    _save(drawn.forest(read(ablations)), folder / "ablations")
    _save(drawn.views_matrix(collect.read_metrics(metrics)), folder / "views")


def _save(figure: "Figure", stem: Path) -> None:
    from sslslr.cli._screen import say
    from sslslr.report import style

    for path in style.save(figure, stem):
        say(f"wrote {path}")
