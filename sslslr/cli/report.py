"""`sslslr report`: tables, figures and the page, from what the stages before wrote."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sslslr.utils.progress import say

if TYPE_CHECKING:
    from sslslr.report.results import Results

app = typer.Typer(help="Render tables, figures and the report.", no_args_is_help=True)
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="Folder of the results (default: the study's).")
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="The study (default: the one that built the results, of their provenance.json)."
    ),
]
ConfigJson = Annotated[str, typer.Option(help="The resolved study as JSON, instead of --config.")]


@app.command()
def table(
    name: Annotated[
        str,
        typer.Argument(
            help="A file of sslslr/report/tables, such as linear (default: all of them)."
        ),
    ] = "",
    results: ResultsFolder = None,
    config: Config = None,
    config_json: ConfigJson = "",
    charts: Annotated[
        bool, typer.Option("--charts", help="Also the figures that are drawn of tables.")
    ] = False,
) -> None:
    """A table as CSV, Markdown and LaTeX, or all: RESULTS/tables/NAME.*."""
    from sslslr.report.figures import FIGURES
    from sslslr.report.tables import TABLES, in_order

    entries = list(map(TABLES.get, [name] if name else in_order()))
    if charts:
        entries += [figure for figure in FIGURES.classes().values() if figure.of_tables()]
    _render(entries, _results(results, config, config_json))


@app.command()
def figure(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Files of sslslr/report/figures, such as training (default: all)."),
    ] = None,
    results: ResultsFolder = None,
    config: Config = None,
    config_json: ConfigJson = "",
) -> None:
    """Figures as PDF and PNG: RESULTS/figures/NAME.*."""
    from sslslr.report.figures import FIGURES

    figures = map(FIGURES.get, names or FIGURES.names())
    _render(figures, _results(results, config, config_json))


def _render(entries: Iterable[Any], results: "Results") -> None:
    for entry in entries:
        for path in entry().render(results):
            say(f"wrote {path}")


@app.command()
def page(
    results: ResultsFolder = None, config: Config = None, config_json: ConfigJson = ""
) -> None:
    """The whole study on one self-contained page, and its headline numbers for `dvc metrics`."""
    from sslslr.report.page.page import render
    from sslslr.report.summary import summary
    from sslslr.utils.files import write_json

    study = _results(results, config, config_json)
    say(f"wrote {render(study)}")
    for name, numbers in summary(study).items():
        write_json(study.folder / name, numbers)
        say(f"wrote {study.folder / name}")


@app.command()
def verdict(
    claim: Annotated[str, typer.Argument(help="An id of config/claims.yaml.")],
    results: ResultsFolder = None,
    config: Config = None,
    config_json: ConfigJson = "",
) -> None:
    """The verdict on a claim in a line, of the table `verdicts`."""
    from sslslr.report.tables.verdicts import Verdicts, line

    print(line(_results(results, config, config_json).table(Verdicts.name), claim))


@app.command()
def provenance(
    results: ResultsFolder = None, config: Config = None, config_json: ConfigJson = ""
) -> None:
    """The study's runs, commands and hashes as an RO-Crate: RESULTS/provenance.json."""
    from sslslr.provenance import crate

    say(f"wrote {crate.write(_results(results, config, config_json))}")


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The study, which is the folder below OUT, too.")],
    results: ResultsFolder = None,
    config: Config = None,
    out: Annotated[Path, typer.Option(help="Where studies are published.")] = Path("docs/study"),
    ended: Annotated[
        bool, typer.Option("--ended", help="Of a study under way: the runs that have ended.")
    ] = False,
) -> None:
    """Scores, page and hashes of RESULTS (default: results/NAME) for the repository: OUT/NAME; no clips, 4 MB."""
    from sslslr.config.load import load
    from sslslr.provenance import publish as published
    from sslslr.utils.errors import UserError

    folder = results or Path("results") / name
    if ended and config is None:
        raise UserError("--ended needs --config: a study under way has no provenance.json yet.")
    with contextlib.ExitStack() as stack:
        if ended and config is not None:
            study = stack.enter_context(published.ended(load(config), folder))
        else:
            study = _results(folder, config, "")
        files = published.publish(study, out / name)
    say(f"{out / name}: {len(files)} files; `sslslr check-results {out / name}`")


def _results(folder: Path | None, config: Path | None, config_json: str) -> "Results":
    """The results of the study that a command line means."""
    from sslslr.cli._arguments import from_json
    from sslslr.config.load import load
    from sslslr.config.settings import parse
    from sslslr.config.study import StudyConfig
    from sslslr.report.results import Results, study_of
    from sslslr.workflow.grid import evaluations

    if config_json:
        study = parse(StudyConfig, from_json(config_json, "--config-json"), "--config-json")
    else:
        study = load(config) if config else study_of(folder or Path("results"))
    return Results(study, evaluations(study), folder)
