"""What a study will cost, in words and hours, for a dry run. An estimate: nothing here is measured.

The one number that is given is `resources.clips_per_second`, the speed of pretraining SL-FPN with the
study's encoder on the machine at hand. All else is counted in forward passes of that encoder: a step
of pretraining is nine a clip (three branches, forward and backward), fine-tuning three, embedding
one; the heads of the linear probe by their multiplications, at the same rate. An encoder of another
size counts by depth times width squared. Left out, as small: views, start-up, the other protocols,
and on a machine with several GPUs that jobs run side by side.
"""

import itertools

from sslslr.config import EncoderConfig, LinearConfig, StudyConfig
from sslslr.grid import NO_DATASET, RunSpec, evaluate_spec, runs

PASSES_PRETRAIN, PASSES_FINE_TUNE = 9, 3
CLASSES = 500  # assumed of a target: the hidden layers cost more than the last


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
        PASSES_PRETRAIN * clips.get(run.dataset, 0) * run.pretrain.epochs * _size(study, run)
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
    hours = [passes / PASSES_PRETRAIN / rate / 3600 for passes in (pretraining, evaluation)]
    text = (
        f"{about}Estimate, not measured: about {sum(hours):.2f} hours, {hours[0]:.2f} of pretraining and "
        f"{hours[1]:.2f} of evaluation, at {rate:g} clips/s (resources.clips_per_second)"
    )
    if assumed := ", ".join(sorted(used & (set(published) - set(built)))):
        text += f"; by the number of clips that their lists state, because not built yet: {assumed}"
    return text + (f"; not counted, because not built yet: {unknown}" if unknown else "")


def _passes(encoder: EncoderConfig, frames: int) -> float:
    """Multiplications of a forward pass, up to the factor that cancels."""
    return encoder.depth * (4 + 2 * encoder.feedforward) * encoder.width**2 * (frames + 1)


def _size(study: StudyConfig, run: RunSpec) -> float:
    """A forward pass of the run's encoder, in those of the study's."""
    if run.encoder.variant == "raw":
        return 0.0
    depth = 1 if run.encoder.variant == "as_released" else run.encoder.depth
    own = run.encoder.model_copy(update={"depth": depth})
    return _passes(own, run.preprocess.frames) / _passes(study.encoder, study.preprocess.frames)


def _evaluation(study: StudyConfig, run: RunSpec, clips: dict[str, int]) -> float:
    """Forward passes of the study's encoder that the evaluation of a run is worth."""
    spec, size, passes = evaluate_spec(study, run), _size(study, run), 0.0
    for target in spec.targets.values():
        n = clips.get(target.dataset, 0)
        passes += n * size
        for protocol, options in spec.protocols.items():
            if protocol == "fine_tune":
                shares = sum(options.get("label_fractions", [1.0]))
                passes += PASSES_FINE_TUNE * n * options.get("epochs", 100) * shares * size
            elif protocol == "linear":
                passes += n * _linear(study, run, options)
            elif protocol == "semi_supervised" and options.get("probe") == "linear":
                shares = sum(options.get("fractions", [0.01, 0.05, 0.1, 0.3, 0.5]))
                heads = shares * options.get("draws", 3)
                passes += n * heads * _linear(study, run, options.get("linear", {}))
    return passes


def _linear(study: StudyConfig, run: RunSpec, options: dict) -> float:
    """Passes a clip of the paper's head, over all its epochs and seeds, backward included."""
    head = LinearConfig.model_validate(options)
    width = 150 * run.preprocess.frames if run.encoder.variant == "raw" else run.encoder.width
    widths = [width, *head.hidden, CLASSES]
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    once = weights / _passes(study.encoder, study.preprocess.frames)
    return 3 * once * head.epochs * len(head.seeds)
