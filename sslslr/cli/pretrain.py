"""`sslslr pretrain`: one run of a study; `sslslr pretrain-stack`: several at once."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sslslr.grid import RunSpec


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
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each process.")] = 1,
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
    from sslslr.cli._screen import progress_bar, say, say_imports
    from sslslr.clips import ClipStore
    from sslslr.grid import NO_DATASET
    from sslslr.joblock import held
    from sslslr.pretrain import pretrain as run_pretraining

    run, results = find_run(run_id, config, spec)
    say_imports(run.run_id)
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
        with _stoppable(requeue), progress_bar(run.run_id) as progress:
            run_pretraining(run, clips, out, checkpoint, code, threads, say=say, progress=progress)


def pretrain_stack(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(help="Runs that differ in seed, views, rates or real-valued options."),
    ] = None,
    config: Annotated[Path, typer.Option(help="The study's configuration.")] = Path(
        "config/demo.yaml"
    ),
    specs: Annotated[
        str,
        typer.Option(help="The runs' settings as a JSON list, instead of RUN_IDS and --config."),
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="Runs of one stack at most.")] = 8,
    results: Annotated[Path | None, typer.Option(help="Folder with data/, encoders/.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    requeue: Annotated[
        bool, typer.Option(help="Asked to stop under Slurm, put the job back in the queue.")
    ] = False,
) -> None:
    """Pretrain several runs of one method in one process, stacked: faster where they are small.

    Without RUN_IDS all runs of the study that can be stacked, group after group; a run without
    company is left to `sslslr pretrain`. Each gets the artifact it would get alone, up to rounding.
    """
    from sslslr import slurm, stacking  # noqa: F401 (the largest import, counted below)
    from sslslr.cli._runs import find_runs
    from sslslr.cli._screen import say, say_imports
    from sslslr.groups import stacks

    wanted, folder = find_runs(run_ids, config, specs)
    say_imports("pretrain-stack")
    if slurm.job_id():
        say(slurm.about())
    for group in stacks(wanted, most):
        if len(group) == 1:
            say(f"{group[0].run_id}: nothing to stack it with; left to `sslslr pretrain`")
            continue
        with _stoppable(requeue):
            _run_stack(group, results or folder, threads)


def _run_stack(group: "list[RunSpec]", folder: Path, threads: int) -> None:
    from sslslr import artifacts, grid, stages
    from sslslr.cli._screen import progress_bar, say
    from sslslr.clips import ClipStore
    from sslslr.joblock import held
    from sslslr.stacking import pretrain_stack as run_stack

    clips = ClipStore.open(folder / "data" / group[0].dataset / "clips")
    code = stages.code_hash(*stages.stack_modules(group[0]))
    places = {spec.run_id: folder / "encoders" / spec.run_id for spec in group}
    name = grid.fingerprint([spec.run_id for spec in group])
    with contextlib.ExitStack() as around:
        # In one order for all who wait.
        waited = [around.enter_context(held(places[run_id], say)) for run_id in sorted(places)]
        if any(waited) and all(
            artifacts.is_made(places[spec.run_id], spec, code, clips.data_hash) for spec in group
        ):
            say(f"{', '.join(places)}: the other job has made them; nothing is left to do")
            return
        progress = around.enter_context(progress_bar(f"{len(group)} runs of {group[0].method}"))
        checkpoint = folder / "checkpoints" / f"stack_{name}.ckpt"
        out = folder / "encoders"
        run_stack(group, clips, out, checkpoint, code, threads, say=say, progress=progress)


@contextlib.contextmanager
def _stoppable(requeue: bool) -> Iterator[None]:
    """Asked to stop: say so, requeue if that is wanted, and end with the status that means it."""
    from sslslr import slurm
    from sslslr.cli._screen import say
    from sslslr.training.stop import EXIT_CODE, Stopped

    try:
        yield
    except Stopped as stop:
        say(str(stop))  # at once: what comes next may be killed
        if requeue and (said := slurm.requeue()):
            say(said)
        sys.exit(EXIT_CODE)
