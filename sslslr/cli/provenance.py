"""`sslslr why`, `verify`, `archive`, `check-results`: where results come from, whether they hold."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Option(help="Folder of the results.")]


def why(
    cell: Annotated[
        str, typer.Argument(help="FILE:ROW:COLUMN, as in results/tables/linear.csv:1:top1_mean.")
    ],
) -> None:
    """Runs, seeds, settings, hashes and commands behind a cell; exit status 1 if it is stale."""
    from sslslr.provenance import cells
    from sslslr.provenance import why as answering

    answer = answering.why(cells.find(cell))
    typer.echo(answer.text)
    if answer.stale:
        raise typer.Exit(1)


def verify(
    cell: Annotated[
        str, typer.Option(help="ROW:COLUMN of linear.csv to compute, instead of a random cell.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the choice of cells.")] = 0,
    cells: Annotated[int, typer.Option(min=1, help="How many random cells.")] = 1,
    tolerance: Annotated[
        float | None, typer.Option(min=0, max=1, help="Largest difference of a score that agrees.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it costs, no more.")] = (
        False
    ),
    results: Results = Path("results"),
) -> None:
    """Compute cells of the linear table from scratch and compare; exit status 1 if one differs."""
    from sslslr.provenance import verify as checking
    from sslslr.provenance.cells import find
    from sslslr.utils.progress import say

    table = results / "tables" / "linear.csv"
    chosen = [find(f"{table}:{cell}")] if cell else checking.choose(results, seed, cells)
    say(checking.estimate(chosen))
    for one in chosen:
        say(str(one))
    if estimate:
        return
    outcomes = [checking.verify(one, say, tolerance) for one in chosen]
    for outcome in outcomes:
        typer.echo("\n".join(checking.report(outcome)))
    if not all(outcome.agrees for outcome in outcomes):
        raise typer.Exit(1)


def archive(
    out: Annotated[Path, typer.Argument(help="The zip file to make.")],
    results: Results = Path("results"),
) -> None:
    """Pack results as an RO-Crate: encoders, metrics, tables, figures; no clips."""
    from sslslr.provenance.archive import archive as pack

    typer.echo(f"{out}: {pack(results, out)} files, each with the hash that was recorded.")


def check_results(
    folder: Annotated[
        Path | None, typer.Argument(help="A published study, or the folder of the results.")
    ] = None,
    results: Results = Path("results"),
    break_seals: Annotated[
        bool, typer.Option("--break", help="Have the next run make damaged files again.")
    ] = False,
) -> None:
    """Read every byte that a job wrote and compare its hash; exit status 1 if one differs."""
    from sslslr.provenance import publish
    from sslslr.utils.errors import UserError
    from sslslr.workflow import seals

    results = folder or results
    if publish.is_published(results):
        for damage in (changed := publish.check(results)):
            typer.echo(damage)
        if changed:
            raise typer.Exit(1)
        typer.echo(f"{results}: everything is as it was published.")
        return
    if not results.is_dir():
        raise UserError(f"{results}: there is no such folder of results. Name it with --results.")
    damages, count = seals.examine(results, thorough=True, renew=False)
    for damage in damages:
        typer.echo(f"changed since it was written: {damage}")
    unsealed = seals.unsealed(results)
    if not count and not unsealed:
        raise UserError(
            f"{results}: neither results of a workflow nor a published study (it has no hashes.json); "
            "nothing was checked. Name another folder."
        )
    if unsealed:
        typer.echo(
            f"{results}: {len(unsealed)} files have no seal, the first {unsealed[0]}. Where they are "
            "known to be sound, `snakemake --touch --forceall --cores 1` seals them."
        )
    if damages:
        if break_seals:
            for seal in {damage.seal for damage in damages}:
                seals.break_seal(seal)
        advice = "The next run makes them again." if break_seals else "See --break."
        typer.echo(f"{results}: {len(damages)} of {count} files were changed. {advice}")
        raise typer.Exit(1)
    typer.echo(f"{results}: {count} files are what their jobs wrote.")
