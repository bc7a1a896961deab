"""`sslslr pretrain`: one run of a study; `sslslr pretrain-stack`: several at once."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    run_id: Annotated[
        str, typer.Argument(help="A run of the study (see `sslslr config runs`).")
    ] = "",
    config: Annotated[Path, typer.Option(help="The study's configuration.")] = Path(
        "config/demo.yaml"
    ),
    spec: Annotated[
        str, typer.Option(help="The run's settings as JSON, instead of RUN_ID and --config.")
    ] = "",
    store: Annotated[Path | None, typer.Option(help="Clip store to pretrain on.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the encoder artifact.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where the state between epochs is kept.")
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of each process.")] = 1,
    requeue: Annotated[
        bool, typer.Option(help="Asked to stop under Slurm, put the job back in the queue.")
    ] = False,
) -> None:
    """Pretrain an encoder; a run that was killed goes on from its last checkpoint.

    Asked to stop (SIGTERM), it saves its state after the step that is under way and exits with
    status 75; the same command goes on from there.
    """
    from sslslr import artifacts, slurm, stages
    from sslslr.cli._runs import find_run
    from sslslr.cli._screen import progress_bar, say
    from sslslr.clips import ClipStore
    from sslslr.grid import NO_DATASET
    from sslslr.joblock import held
    from sslslr.pretrain import pretrain as run_pretraining
    from sslslr.training.stop import EXIT_CODE, Stopped

    run, results = find_run(run_id, config, spec)
    if store is None and run.dataset != NO_DATASET:
        store = results / "data" / run.dataset / "clips"
    clips = ClipStore.open(store) if store is not None else None
    code = stages.code_hash(*stages.pretrain_modules(run))
    out = out or results / "encoders" / run.run_id
    checkpoint = checkpoint or results / "checkpoints" / f"{run.run_id}.ckpt"
    if slurm.job_id():
        say(slurm.about())
    with held(out, say) as waited:
        if waited and artifacts.is_made(out, run, code, clips and clips.data_hash):
            say(f"{out}: the other job has made it; nothing is left to do")
            return
        try:
            with progress_bar(run.run_id) as progress:
                run_pretraining(
                    run, clips, out, checkpoint, code, threads, say=say, progress=progress
                )
        except Stopped as stop:
            say(str(stop))  # at once: what comes next may be killed
            if requeue and (said := slurm.requeue()):
                say(said)
            sys.exit(EXIT_CODE)


def pretrain_stack(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(help="Runs that differ in seed, views, rates or real-valued options."),
    ] = None,
    config: Annotated[Path, typer.Option(help="The study's configuration.")] = Path(
        "config/demo.yaml"
    ),
    most: Annotated[int, typer.Option(min=1, help="Runs of one stack at most.")] = 8,
    results: Annotated[Path | None, typer.Option(help="Folder with data/, encoders/.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
) -> None:
    """Pretrain several runs of one method in one process, stacked: faster where they are small.

    Without RUN_IDS all runs of the study that can be stacked, group after group; a run without
    company is left to `sslslr pretrain`. Each gets the artifact it would get alone, up to rounding.
    """
    from sslslr import grid, stages
    from sslslr.cli._screen import progress_bar, say
    from sslslr.clips import ClipStore
    from sslslr.config import load
    from sslslr.errors import UserError, nearest
    from sslslr.groups import stacks
    from sslslr.joblock import held
    from sslslr.stacking import pretrain_stack as run_stack

    study = load(config)
    known = grid.runs(study)
    if unknown := [name for name in run_ids or [] if name not in known]:
        raise UserError(f"{config} has no run {unknown[0]!r}. {nearest(unknown[0], known)}")
    folder = results or Path(study.results)
    for group in stacks([known[name] for name in dict.fromkeys(run_ids or known)], most):
        if len(group) == 1:
            say(f"{group[0].run_id}: nothing to stack it with; left to `sslslr pretrain`")
            continue
        name = grid.fingerprint([spec.run_id for spec in group])
        method = stages.METHODS.module(group[0].method_type)
        with contextlib.ExitStack() as around:
            for spec in sorted(group, key=lambda spec: spec.run_id):  # one order for all who wait
                around.enter_context(held(folder / "encoders" / spec.run_id, say))
            progress = around.enter_context(progress_bar(f"{len(group)} runs of {group[0].method}"))
            run_stack(
                group,
                ClipStore.open(folder / "data" / group[0].dataset / "clips"),
                folder / "encoders",
                folder / "checkpoints" / f"stack_{name}.ckpt",
                stages.code_hash("sslslr.stacking", method),
                threads=threads,
                say=say,
                progress=progress,
            )
