"""The checks of a study that need its methods, data sets and transforms to be imported."""

from sslslr.config import StudyConfig
from sslslr.datasets import DATASETS
from sslslr.errors import UserError, nearest
from sslslr.grid import evaluate_spec, protocol_options, runs
from sslslr.methods import METHODS
from sslslr.protocols import PROTOCOLS
from sslslr.strict import parse


def check(study: StudyConfig) -> int:
    """Check every option of every run, data set, transform and protocol, before any job starts.

    Returns:
        The number of runs.

    Raises:
        UserError: the first setting that is wrong, with its place in the file.
    """
    from sslslr.augment import compose

    for name, dataset in study.datasets.items():
        parse(DATASETS.get(dataset.source).Options, dataset.options, f"datasets.{name}.options")
    _check_licences(study.accept_licences)
    for name, steps in study.augmentations.items():
        compose(steps, f"augmentations.{name}")
    for name, options in protocol_options(study).items():
        for method in study.evaluate.protocols[name].get("methods", []):
            if method not in study.methods:
                hint = nearest(str(method), study.methods)
                where = f"evaluate.protocols.{name}.methods"
                raise UserError(f"{where}: {method!r} is not defined. {hint}")
        parse(PROTOCOLS.get(name).Options, options, f"evaluate.protocols.{name}")
    specs = runs(study)
    for run in specs.values():
        parse(METHODS.get(run.method_type).Options, run.method_options, f"methods.{run.method}")
        evaluate_spec(study, run)
    return len(specs)


def _check_licences(accepted: list[str]) -> None:
    """An id that no data set asks for is a slip of the pen."""
    known = {getattr(DATASETS.get(name), "consent", "") for name in DATASETS.names()} - {""}
    for licence in accepted:
        if licence not in known:
            hint = nearest(licence, known)
            raise UserError(f"accept_licences: no data set asks for {licence!r}. {hint}")
