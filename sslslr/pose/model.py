"""What decides estimated keypoints beside the videos: the backend, its options, its model.

A prepared model is a folder: `model.json` (name, versions, sha256 of the weights) and, where the
backend has any, the weights as safetensors.
"""

import importlib.metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from sslslr.config.settings import Settings, parse
from sslslr.pose.backends import BACKENDS
from sslslr.utils.errors import UserError
from sslslr.utils.files import atomic_folder, read_object, refuse_foreign, write_json

MODEL = "model.json"


class Extraction(Settings):
    """What decides a shard's keypoints, beside the videos."""

    backend: str = Field("mmpose", description="File in sslslr/pose/backends/.")
    backend_options: dict[str, Any] = Field({}, description="Options of that backend.")
    resample_fps: float | None = Field(
        None, gt=0, description="Bring every video to this rate; null: the frames as they are."
    )


def backend_options(settings: Extraction) -> Any:
    """The backend's options, checked; raises UserError naming the key."""
    model = BACKENDS.get(settings.backend).Options
    return parse(model, settings.backend_options, "options.backend_options")


def prepare_model(settings: Extraction, folder: Path) -> dict[str, Any]:
    """Put what the backend's model needs into `folder`, whole or not at all; returns model.json.

    Raises:
        UserError: the backend's packages or weights are not there, the weights are others, or
            `folder` holds something else.
    """
    options = backend_options(settings)
    if not (folder / MODEL).is_file():  # else an older model, whose other files its backend names
        refuse_foreign(folder, (), "prepared model")
    with atomic_folder(folder) as temporary:
        model = BACKENDS.get(settings.backend).prepare(options, temporary)
        versions = {**model["versions"], "av": importlib.metadata.version("av")}
        model = {"backend": settings.backend, **model, "versions": versions}
        model["options"] = _recorded(options)
        write_json(temporary / MODEL, model)
    return model


def _recorded(options: Any) -> dict[str, Any]:
    """The options that a card may show: where weights lie on this machine is not one."""
    values = options.model_dump(mode="json").items()
    return {name: value for name, value in values if not _names_weights(name)}


def _names_weights(option: str) -> bool:
    return option == "weights" or option.endswith("_weights")


def local_weights(settings: Extraction) -> list[Path]:
    """The files of weights on this machine that the backend's options name and that are there."""
    values = backend_options(settings).model_dump(mode="json").items()
    files = [Path(value) for name, value in values if value and _names_weights(name)]
    return [file for file in files if file.is_file()]


def prepared_model(settings: Extraction, folder: Path) -> dict[str, Any]:
    """model.json of a prepared folder.

    Raises:
        UserError: not prepared, or for other settings.
    """
    model = read_object(folder / MODEL)
    recorded = {"backend": model.get("backend"), "options": model.get("options")}
    if recorded != {"backend": settings.backend, "options": _recorded(backend_options(settings))}:
        raise UserError(f"{folder}: prepared for other options of the backend. Prepare it again.")
    return model
