"""`sslslr report`: tables, figures and the page, from what the stages before wrote."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Render tables, figures and the report.", no_args_is_help=True)
Stem = Annotated[Path, typer.Option(help="Path of the output without its ending.")]


@app.command()
def table(
    metrics: Annotated[
        list[Path], typer.Argument(help="metrics.csv files; predictions.parquet lies beside each.")
    ],
    stem: Stem = Path("results/tables/linear"),
    paper: Annotated[Path, typer.Option(help="The paper's numbers.")] = Path(
        "config/paper_numbers.yaml"
    ),
) -> None:
    """The linear-evaluation table as CSV, Markdown and LaTeX."""
    from sslslr.cli._screen import say
    from sslslr.report import collect, tables

    found = tables.linear_table(
        collect.read_metrics(metrics),
        collect.read_predictions([path.with_name("predictions.parquet") for path in metrics]),
        collect.read_paper_numbers(paper),
    )
    for path in tables.render(found, stem, tables.LINEAR_CAPTION):
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
    for path in shown.write(verdicts, comparisons, stem):
        say(f"wrote {path}")


@app.command()
def training(
    histories: Annotated[
        list[Path], typer.Argument(help="history.csv files, each in its run's folder.")
    ],
    stem: Stem = Path("results/figures/training"),
) -> None:
    """Loss, spread and effective rank over epochs."""
    from sslslr.cli._screen import say
    from sslslr.report import collect, figures

    for path in figures.save(figures.training_curves(collect.read_histories(histories)), stem):
        say(f"wrote {path}")


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
    from sslslr.config import PreprocessConfig, parse
    from sslslr.report import figures, picture

    settings = parse(PreprocessConfig, from_json(preprocess, "--preprocess"), "--preprocess")
    permutation = picture.first_permutation(from_json(steps, "--steps"))
    drawn = picture.permuted_views(ClipStore.open(store), settings, permutation)
    for path in figures.save(drawn, stem):
        say(f"wrote {path}")


@app.command()
def html(
    runs: Annotated[list[Path], typer.Argument(help="run.json files of the encoders.")],
    config_json: Annotated[str, typer.Option(help="The resolved study as JSON.")],
    table: Annotated[Path, typer.Option(help="The linear-evaluation table's CSV.")],
    figure: Annotated[list[Path], typer.Option(help="A figure's PNG; may be repeated.")] = [],  # noqa: B006
    card: Annotated[list[Path], typer.Option(help="A data set's card.json; may be repeated.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The page.")] = Path("results/report.html"),
) -> None:
    """The whole study on one self-contained page."""
    from sslslr.cli._runs import from_json
    from sslslr.cli._screen import say
    from sslslr.report import collect, markup, tables
    from sslslr.report import html as page

    caption = f"{tables.LINEAR_CAPTION} {tables.NOTE}"
    cells, caption = markup.fold(tables.display(tables.read_table(table)), caption)
    linear = page.Table("linear", "Linear evaluation", caption, cells)
    page.render_report(
        out,
        from_json(config_json, "--config-json"),
        [linear],
        [page.figure(path) for path in figure],
        collect.read_runs(runs),
        collect.read_cards(card),
    )
    say(f"wrote {out}")
