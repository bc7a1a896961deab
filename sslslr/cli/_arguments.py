"""What several verbs take: the run that a command line means, and options in JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sslslr.utils.download.addresses import without_secrets
from sslslr.utils.errors import UserError, nearest

if TYPE_CHECKING:
    from sslslr.config.run import RunSpec

RunId = Annotated[str, typer.Argument(help="A run of the study (see `sslslr config runs`).")]
Config = Annotated[Path, typer.Option(help="The study's configuration.")]


def find_run(run_id: str, config: Path, spec: str) -> tuple["RunSpec", Path]:
    """The run and the study's results folder, from JSON settings or from an id and a study.

    Raises:
        UserError: neither was given, or the study has no such run.
    """
    from sslslr.config.load import load
    from sslslr.config.run import RunSpec
    from sslslr.config.settings import parse
    from sslslr.workflow import grid

    if spec:
        return parse(RunSpec, from_json(spec, "--spec"), "--spec"), Path("results")
    study = load(config)
    known = grid.runs(study)
    if run_id not in known:
        raise UserError(f"{config} has no run {run_id!r}. {nearest(run_id, known)}")
    return known[run_id], Path(study.results)


def from_json(text: str, where: str) -> Any:
    """Parse JSON of a command-line option, an object.

    Raises:
        UserError: not JSON, or no object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: {_repeated(text)} is not valid JSON ({error}).") from None
    if not isinstance(value, dict):
        raise UserError(f"{where}: {_repeated(text)} must be a JSON object, for example {{}}.")
    return value


def _repeated(text: str) -> str:
    """What somebody wrote, as an error repeats it: short, and without what must not be seen."""
    plain = without_secrets(text)
    return repr(plain if len(plain) <= 200 else plain[:197] + "...")
