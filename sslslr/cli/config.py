"""`sslslr config`: check a study's configuration, list its runs, print the schema."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Check a configuration, list its runs, print the schema.", no_args_is_help=True
)
ConfigFile = Annotated[Path, typer.Argument(help="The study's configuration.")]


@app.command()
def check(config: ConfigFile = Path("config/demo.yaml")) -> None:
    """Check every setting, those of methods, data sets and transforms too."""
    from sslslr.config.load import load
    from sslslr.utils.words import counted
    from sslslr.workflow.check import check as check_study
    from sslslr.workflow.check import unanswered

    study = load(config)
    number = check_study(study)
    print(f"{config}: sound, {number} runs.")
    if lacking := unanswered(study):
        print(
            f"{counted(len(lacking), 'claim')} of {study.claims} will be called not measured; the first is "
            f"{lacking[0]}. Add such runs, or state other claims (key claims)."
        )


@app.command()
def runs(config: ConfigFile = Path("config/demo.yaml")) -> None:
    """List the runs of the grid, one a line."""
    import pandas as pd

    from sslslr.config.load import load
    from sslslr.workflow import grid

    table = pd.DataFrame(
        {
            "run_id": spec.run_id,
            "method": spec.method,
            "augmentation": spec.augmentation,
            "variant": spec.encoder.variant,
            "dataset": spec.dataset,
            "tag": spec.tag or "",
            "seed": spec.seed,
            "epochs": spec.pretrain.epochs,
        }
        for spec in grid.runs(load(config)).values()
    )
    print(table.to_string(index=False))


@app.command()
def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""
    import json

    from sslslr.config.study import StudyConfig

    print(json.dumps(StudyConfig.model_json_schema(), indent=2))
