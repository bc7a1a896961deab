"""Finding the run that a command line means."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslslr.errors import UserError, nearest

if TYPE_CHECKING:
    from sslslr.grid import RunSpec


def find_run(run_id: str, config: Path, spec: str) -> tuple["RunSpec", Path]:
    """The run and the study's results folder, from JSON settings or from an id and a study.

    Raises:
        UserError: neither was given, or the study has no such run.
    """
    from sslslr import grid
    from sslslr.config import load
    from sslslr.strict import parse

    if spec:
        return parse(grid.RunSpec, from_json(spec, "--spec"), "--spec"), Path("results")
    study = load(config)
    known = grid.runs(study)
    if run_id not in known:
        raise UserError(f"{config} has no run {run_id!r}. {nearest(run_id, known)}")
    return known[run_id], Path(study.results)


def find_runs(run_ids: list[str] | None, config: Path, specs: str) -> tuple[list["RunSpec"], Path]:
    """Several runs and the results folder, from a JSON list of settings or from ids and a study.

    Raises:
        UserError: neither was given, or the study has no such run.
    """
    from sslslr import grid
    from sslslr.config import load
    from sslslr.strict import parse

    if specs:
        given = from_json(specs, "--specs", list)
        return [parse(grid.RunSpec, values, "--specs") for values in given], Path("results")
    study = load(config)
    known = grid.runs(study)
    for run_id in run_ids or []:
        if run_id not in known:
            raise UserError(f"{config} has no run {run_id!r}. {nearest(run_id, known)}")
    return [known[run_id] for run_id in dict.fromkeys(run_ids or known)], Path(study.results)


def from_json(text: str, where: str, kind: type = dict) -> Any:
    """Parse JSON of a command-line option, an object or, with `list`, a list.

    Raises:
        UserError: not JSON, or of another kind.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: {text!r} is not valid JSON ({error}).") from None
    if not isinstance(value, kind):
        wanted = "a JSON object, for example {}" if kind is dict else "a JSON list, for example []"
        raise UserError(f"{where}: {text!r} must be {wanted}.")
    return value
