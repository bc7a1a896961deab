"""`sslslr pretrain`: one run of a study."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sslslr.cli._arguments import Config, RunId, find_run


def pretrain(
    run_id: RunId = "",
    config: Config = Path("config/demo.yaml"),
    spec: Annotated[
        str, typer.Option(help="The run's settings as JSON, instead of RUN_ID and --config.")
    ] = "",
    store: Annotated[Path | None, typer.Option(help="Clip store to pretrain on.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the encoder artifact.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where the state between epochs is kept.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each process.")] = 1,
    requeue: Annotated[
        bool, typer.Option(help="Asked to stop under Slurm, put the job back in the queue.")
    ] = False,
) -> None:
    """Pretrain an encoder; a run that was killed goes on from its last checkpoint.

    Asked to stop (SIGTERM), it saves its state after the step that is under way and exits with
    status 75; the same command goes on from there.
    """
    from sslslr.config.run import NO_DATASET, clip_store
    from sslslr.data.store import ClipStore
    from sslslr.encoders import artifact
    from sslslr.training.pretrain import pretrain as run_pretraining
    from sslslr.utils.progress import progress_bar, say, say_imports
    from sslslr.workflow import slurm, stages
    from sslslr.workflow.job_lock import held

    run, results = find_run(run_id, config, spec)
    say_imports(run.run_id)
    if store is None and run.dataset != NO_DATASET:
        store = clip_store(results, run.dataset)
    clips = ClipStore.open(store) if store is not None else None
    for line in clips.card.get("warnings", []) if clips is not None else []:
        say(f"{clips.name}: {line}")
    code = stages.code_hash(*stages.pretrain_code(run))
    out = out or results / "encoders" / run.run_id
    checkpoint = checkpoint or results / "checkpoints" / f"{run.run_id}.ckpt"
    if job := slurm.about():
        say(job)
    with held(out, say) as waited:
        if waited and artifact.is_made(out, run, code, clips and clips.data_hash):
            say(f"{out}: the other job has made it; nothing is left to do")
            return
        with _stoppable(requeue), progress_bar(run.run_id) as progress:
            run_pretraining(run, clips, out, checkpoint, code, threads, say=say, progress=progress)


@contextlib.contextmanager
def _stoppable(requeue: bool) -> Iterator[None]:
    """Asked to stop: say so, requeue if that is wanted, and end with the status that means it."""
    from sslslr.training.stop import EXIT_CODE, Stopped
    from sslslr.utils.progress import say
    from sslslr.workflow import slurm

    try:
        yield
    except Stopped as stop:
        say(str(stop))  # at once: what comes next may be killed
        if requeue and (said := slurm.requeue()):
            say(said)
        sys.exit(EXIT_CODE)
