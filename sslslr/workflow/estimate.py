"""What a study will cost, in words and hours, for a dry run. An estimate: nothing here is measured.

The one number that is given is `resources.clips_per_second`, the speed of pretraining SL-FPN with the
study's encoder on the machine at hand. All else is counted in forward passes of that encoder: a step
of pretraining is nine a clip (three branches, forward and backward), embedding one; a protocol says
what it costs itself, and multiplications outside of an encoder count at the same rate. An encoder of
another size counts by its weights. A process takes some seconds to start. Left out: views, protocols
that say nothing, and that jobs run side by side.
"""

from functools import cache

import torch

from sslslr.config.run import NO_DATASET, RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.encoders import ENCODERS
from sslslr.encoders.build import encoder_options
from sslslr.evaluation.protocols import PROTOCOLS
from sslslr.workflow.grid import evaluate_spec, runs

PASSES_PRETRAIN = 9
START = 4.0  # seconds of a process: Python, imports, and its clips
CLIPS_A_CLASS, CLASSES = 8, 500  # assumed of a target, and its classes at most


def estimate(study: StudyConfig, built: dict[str, int], published: dict[str, int]) -> str:
    """What a study will cost.

    Args:
        built: clips of each data set that is already built.
        published: of the others by their lists, as far as known; what is in neither is named, not counted.
    """
    clips = published | built
    found = runs(study).values()
    trained = [run for run in found if run.dataset != NO_DATASET]
    pretraining = sum(
        PASSES_PRETRAIN
        * clips.get(run.dataset, 0)
        * run.pretrain.epochs
        * _once(run)[0]
        / _once(study)[0]
        for run in trained
    )
    evaluation = sum(_evaluation(study, run, clips) for run in found)
    used = {
        target.dataset for run in found for target in evaluate_spec(study, run).targets.values()
    }
    used |= {run.dataset for run in trained}
    about = f"study {study.name!r}: {len(found)} runs, {len(trained)} of them pretrain. "
    unknown = ", ".join(sorted(used - set(clips)))
    if not used & set(clips):
        return (
            f"{about}No estimate: {unknown} must be built first, their numbers of clips are unknown"
        )
    rate = study.resources.clips_per_second
    hours = [
        (passes / PASSES_PRETRAIN / rate + START * jobs) / 3600
        for passes, jobs in ((pretraining, len(trained)), (evaluation, len(found)))
    ]
    text = (
        f"{about}Estimate, not measured: about {sum(hours):.2f} hours, {hours[0]:.2f} of pretraining and "
        f"{hours[1]:.2f} of evaluation, at {rate:g} clips/s (resources.clips_per_second)"
    )
    if assumed := ", ".join(sorted(used & (set(published) - set(built)))):
        text += f"; by the number of clips that their lists state, because not built yet: {assumed}"
    return text + (f"; not counted, because not built yet: {unknown}" if unknown else "")


@cache
def _built(encoder: str, frames: int) -> tuple[float, int]:
    """Multiplications of a forward pass, about, and the features' width of an encoder (as JSON).

    Each weight multiplies once a frame. The encoder is built without memory for its weights.
    """
    config = EncoderConfig.model_validate_json(encoder)
    with torch.device("meta"):
        built = ENCODERS.get(config.variant)(encoder_options(config), frames)
    weights = sum(weight.numel() for weight in built.parameters())
    return float(max(weights, 1) * (frames + 1)), built.width


def _once(settings: StudyConfig | RunSpec) -> tuple[float, int]:
    """Of the encoder of a study or of a run, see :func:`_built`."""
    return _built(settings.encoder.model_dump_json(), settings.preprocess.frames)


def _evaluation(study: StudyConfig, run: RunSpec, clips: dict[str, int]) -> float:
    """Forward passes of the study's encoder that the evaluation of a run is worth."""
    spec, passes = evaluate_spec(study, run), 0.0
    own, width = _once(run)
    once, _ = _once(study)
    for target in spec.targets.values():
        n = clips.get(target.dataset, 0)
        # By itself, for `results/features`; then once more with its views, for the probes.
        passes += n * (2 + spec.views if spec.views else 1) * own / once
        classes = min(CLASSES, max(2, n // CLIPS_A_CLASS))
        for name, options in spec.protocols.items():
            if target.protocols is not None and name not in target.protocols:
                continue
            protocol = PROTOCOLS.get(name)
            parsed = parse(protocol.Options, options, f"evaluate.protocols.{name}")
            encoded, multiplied = protocol.cost(parsed, width, classes)
            passes += n * (encoded * own + multiplied) / once
    return passes
