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
    from sslslr.config import load
    from sslslr.study import check as check_study

    number = check_study(load(config))
    print(f"{config}: sound, {number} runs.")


@app.command()
def runs(config: ConfigFile = Path("config/demo.yaml")) -> None:
    """List the runs of the grid, one a line."""
    from sslslr.config import load
    from sslslr.grid import table

    print(table(load(config)).to_string(index=False))


@app.command()
def schema() -> None:
    """Print the JSON schema (as YAML) that Snakemake validates a configuration with."""
    import yaml

    from sslslr.config import schema as make_schema

    print(yaml.safe_dump(make_schema(), sort_keys=False, width=100), end="")
