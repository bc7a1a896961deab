"""Whether an encoder was made with the settings that its evaluation asks for.

    refuse_other(run, spec.run, encoder_folder, say)

Settings are compared by what they mean, with the defaults of each part written out: a run.json of an older
version of the package lacks keys that came later, and may have some of its training that are gone.
"""

from pathlib import Path
from typing import Any

from sslslr.augment import TRANSFORMS
from sslslr.config.run import RunSpec
from sslslr.config.settings import Settings, parse
from sslslr.config.study import PretrainConfig
from sslslr.encoders.artifact import settings
from sslslr.encoders.build import encoder_options
from sslslr.methods import METHODS
from sslslr.utils.errors import UserError
from sslslr.utils.progress import Log

NAMES = {"run_id", "tag"}  # they say nothing that another setting does not
MOST = 5  # differences that an error names


def refuse_other(run: dict[str, Any], wanted: RunSpec, folder: Path, say: Log) -> None:
    """Refuse an encoder that was made with other settings than those of `wanted`.

    Args:
        run: the encoder's run.json.
        say: is told which stated settings this version does not know; they are not compared.

    Raises:
        UserError: names what differs.
    """
    record, unknown = _meant(run, str(folder))
    study, _ = _meant({"spec": wanted.model_dump(mode="json")}, str(folder))
    differences = [
        f"{key} {record.get(key)!r}, not {study.get(key)!r}"
        for key in {**study, **record}
        if record.get(key) != study.get(key)
    ]
    if differences:
        rest = [f"{len(differences) - MOST} more"] if len(differences) > MOST else []
        raise UserError(
            f"{folder}: this encoder was made with other settings than {wanted.run_id!r} has now "
            f"({'; '.join(differences[:MOST] + rest)}). Pretrain it again."
        )
    if unknown:
        say(
            f"{wanted.run_id}: the encoder is of another version of the package; settings of its training that "
            f"this one does not know were not compared ({', '.join(sorted(unknown)[:MOST])})."
        )


def _meant(run: dict[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """Dotted names of a run's settings and their values; and the names that this version does not know."""
    spec = settings(run, where)  # all but the training's
    training, gone = _known(PretrainConfig, run["spec"].get("pretrain") or {}, f"{where}: pretrain")
    method = METHODS.get(spec.method_type).Options
    options, lost = _known(
        method, run.get("method_options") or spec.method_options, f"{where}: method_options"
    )
    encoder = encoder_options(spec.encoder, f"{where}: encoder").model_dump(mode="json")
    parts = spec.model_dump(mode="json", exclude=NAMES | {"pretrain", "method_options", "encoder"})
    parts["augmentation_steps"] = [_step(step, where) for step in spec.augmentation_steps]
    parts |= {"pretrain": training, "method_options": options}
    parts |= {"encoder": {"variant": spec.encoder.variant, **encoder}}
    unknown = [f"pretrain.{key}" for key in gone] + [f"method_options.{key}" for key in lost]
    return _flat(parts), unknown


def _known(model: type[Settings], values: Any, where: str) -> tuple[dict[str, Any], list[str]]:
    values = values if isinstance(values, dict) else {}
    known = {key: value for key, value in values.items() if key in model.model_fields}
    parsed: Settings = parse(model, known, where)
    return parsed.model_dump(mode="json"), [key for key in values if key not in known]


def _step(step: dict[str, Any], where: str) -> dict[str, Any]:
    name = step.get("name")
    options = {key: value for key, value in step.items() if key != "name"}
    parsed: Settings = parse(TRANSFORMS.get(name), options, f"{where}: augmentation_steps ({name})")
    return {"name": name, **parsed.model_dump(mode="json")}


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        )
    return flat
