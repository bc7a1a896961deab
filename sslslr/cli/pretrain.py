"""`sslslr pretrain`: one run of a study."""

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
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
) -> None:
    """Pretrain an encoder; a run that was killed goes on from its last checkpoint."""
    from sslslr import stages
    from sslslr.cli._runs import find_run
    from sslslr.cli._screen import progress_bar, say
    from sslslr.clips import ClipStore
    from sslslr.grid import NO_DATASET
    from sslslr.pretrain import pretrain as run_pretraining

    run, results = find_run(run_id, config, spec)
    if store is None and run.dataset != NO_DATASET:
        store = results / "data" / run.dataset / "clips"
    with progress_bar(run.run_id) as progress:
        run_pretraining(
            run,
            ClipStore.open(store) if store is not None else None,
            out or results / "encoders" / run.run_id,
            checkpoint or results / "checkpoints" / f"{run.run_id}.ckpt",
            stages.code_hash(*stages.pretrain_modules(run)),
            threads=threads,
            say=say,
            progress=progress,
        )
