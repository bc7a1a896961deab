"""`sslslr evaluate`: all protocols for one encoder."""

from pathlib import Path
from typing import Annotated

import typer

from sslslr.cli._arguments import Config, RunId, find_run, from_json


def evaluate(
    run_id: RunId = "",
    config: Config = Path("config/demo.yaml"),
    spec: Annotated[
        str, typer.Option(help="The evaluation's settings as JSON, instead of RUN_ID.")
    ] = "",
    results: Annotated[
        Path | None, typer.Option(help="Folder with data/, encoders/, metrics/.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Embed each target data set once and run every protocol on the features."""
    from sslslr.config.load import load
    from sslslr.config.run import EvaluateSpec, clip_store
    from sslslr.config.settings import parse
    from sslslr.evaluation.evaluate import evaluate as run_evaluation
    from sslslr.utils.progress import say
    from sslslr.workflow import grid, stages
    from sslslr.workflow.job_lock import held

    if spec:
        evaluation = parse(EvaluateSpec, from_json(spec, "--spec"), "--spec")
        folder = results or Path("results")
    else:
        run, folder = find_run(run_id, config, "")
        evaluation, folder = grid.evaluate_spec(load(config), run), results or folder
    metrics = folder / "metrics" / evaluation.run.run_id
    with held(metrics, say):
        run_evaluation(
            evaluation,
            folder / "encoders" / evaluation.run.run_id,
            {
                name: clip_store(folder, target.dataset or name)
                for name, target in evaluation.targets.items()
            },
            metrics,
            folder / "features" / evaluation.run.run_id,
            threads=threads,
            say=say,
            code=stages.code_hash(*stages.evaluate_code(evaluation)),
            pool=clip_store(folder, evaluation.run.dataset) if evaluation.members else None,
        )
