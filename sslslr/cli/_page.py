"""The verbs of `sslslr report` that gather a whole study: its page, its cost, its provenance."""

from pathlib import Path
from typing import Annotated

import typer


def html(
    runs: Annotated[list[Path], typer.Argument(help="run.json files of the encoders.")],
    config_json: Annotated[str, typer.Option(help="The resolved study as JSON.")],
    table: Annotated[Path, typer.Option(help="The linear-evaluation table's CSV.")],
    figure: Annotated[list[Path], typer.Option(help="A figure's PNG; may be repeated.")] = [],  # noqa: B006
    card: Annotated[list[Path], typer.Option(help="A data set's card.json; may be repeated.")] = [],  # noqa: B006
    verdicts: Annotated[Path | None, typer.Option(help="The verdicts' CSV.")] = None,
    comparisons: Annotated[Path | None, typer.Option(help="The comparisons' CSV.")] = None,
    few_labels: Annotated[Path | None, typer.Option(help="The CSV of few labels.")] = None,
    ablations: Annotated[Path | None, typer.Option(help="The ablations' CSV.")] = None,
    signer_gap: Annotated[Path | None, typer.Option(help="The signer gap's CSV.")] = None,
    cost: Annotated[
        Path | None, typer.Option(help="Path of the tables of cost without their endings.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("results/report.html"),
) -> None:
    """The whole study on one self-contained page, and what its encoders cost as tables."""
    from sslslr.cli._runs import from_json
    from sslslr.cli._screen import say
    from sslslr.errors import UserError
    from sslslr.report import collect, markup, tables, wording
    from sslslr.report import cost as costs
    from sslslr.report import html as page

    study = from_json(config_json, "--config-json")
    note = wording.split_note(study.get("evaluate", {}).get("targets", {}))
    caption = f"{wording.LINEAR_CAPTION} {wording.NOTE}{note}"
    cells, caption = markup.fold(tables.display(tables.read_table(table)), caption)
    if comparisons and not verdicts:
        raise UserError("--comparisons needs --verdicts: it stands below them.")
    linear = page.Table("linear", "Linear evaluation", caption, cells)
    shown = [linear, *page.further_tables(few_labels, ablations, signer_gap, note)]
    records = collect.read_runs(runs)
    if cost:
        own = wording.study_note(study.get("name", ""), study.get("note"), {})
        for path in costs.write(costs.costs(records), cost, own):
            say(f"wrote {path}")
    page.render_report(
        out,
        study,
        shown,
        [page.figure(path) for path in figure],
        records,
        collect.read_cards(card),
        page.verdict_tables(verdicts, comparisons, note) if verdicts else [],
    )
    say(f"wrote {out}")


def provenance(
    runs: Annotated[list[Path], typer.Argument(help="run.json files of the encoders.")],
    config_json: Annotated[str, typer.Option(help="The resolved study as JSON.")],
    card: Annotated[list[Path], typer.Option(help="A data set's card.json; may be repeated.")] = [],  # noqa: B006
    made: Annotated[
        list[Path], typer.Option(help="A table, figure or page; may be repeated.")
    ] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The crate's metadata.")] = Path(
        "results/provenance.json"
    ),
) -> None:
    """The study's runs, commands and hashes as an RO-Crate; evaluation.json is found by the run."""
    from sslslr.cli._runs import from_json
    from sslslr.cli._screen import say
    from sslslr.config import StudyConfig
    from sslslr.strict import parse
    from sslslr.trace import crate

    study = parse(StudyConfig, from_json(config_json, "--config-json"), "--config-json")
    folder = Path(study.results) / "metrics"
    evaluations = [folder / path.parent.name / "evaluation.json" for path in runs]
    crate.write(study, runs, evaluations, card, made, out)
    say(f"wrote {out}")
