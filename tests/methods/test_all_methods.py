"""What every method that pretrains must do: learn, not collapse, resume, and train all its parts."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid
from tiny_methods import NAMES, SMALL, build, step
from toys import random_batch

LEARNING_RATE = {"moco": 1e-3}  # at the 3e-3 of the others it shrinks first, see its docstring
COLLAPSES = {"sl_fpn"}  # nothing in its loss forbids it (`docs/paper.md`); the package watches it


def train(
    name: str,
    store,
    folder,
    epochs: int,
    options: dict | None = None,
    run: dict | None = None,
    checkpoint_every: int = 100,
    **settings,
) -> dict:
    """Pretrain on the toy clips; the artifact's weights, history and record.

    Args:
        run: changes of the run's specification.
    """
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 32, "heads": 4},
        "preprocess": {"frames": 12},
        "methods": {name: {**SMALL.get(name, {}), **(options or {})}},
        "pretrain": {
            "epochs": epochs,
            "batch_size": 12,
            "learning_rate": LEARNING_RATE.get(name, 3e-3),
            "checkpoint_every": checkpoint_every,
            "accelerator": "cpu",
        },
        "runs": [{"methods": [name], "datasets": ["toy"]}],
    }
    spec = next(iter(grid.runs(parse(StudyConfig, study, "test")).values()))
    spec = spec.model_copy(update=run or {})
    out = folder / "encoder"
    said: list[str] = []
    pretrain(spec, store, out, folder / "run.ckpt", "code", say=said.append, **settings)
    return {
        "weights": (out / "encoder.safetensors").read_bytes(),
        "history": pd.read_csv(out / "history.csv"),
        "run": json.loads((out / "run.json").read_text()),
        "said": said,
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_the_toy_clips_and_does_not_collapse(name, toy_store, tmp_path):
    found = train(name, toy_store, tmp_path, epochs=30)
    loss = found["history"]["loss"][1:]
    # From epoch 3 on: by then MoCo's queue is full, and finding a key among it as hard as it gets.
    early, late = loss[2:5].mean(), loss[-3:].mean()
    assert late < early - 0.1 * abs(early)
    if name not in COLLAPSES:
        assert not found["run"]["collapsed"]
        assert found["history"][["projection_rank", "embedding_rank"]].iloc[-1].min() > 2


# Views that hardly have anything in common: they agree in a constant alone. With easy ones the
# clips' own embeddings agree as well, and some seeds find those without the stop-gradient too.
UNLIKE = [
    {"name": "temporal_permutation", "begin": 1, "end": 0},
    {"name": "gaussian_noise", "std": 0.5},
    {"name": "rotation", "degrees": 180},
]


@pytest.mark.slow  # four trainings of 60 epochs
def test_simsiam_collapses_without_its_stop_gradient(toy_store, tmp_path):
    """As in figure 2 of its paper: without it views that share nothing agree, so in a constant.

    The spread of z shows it less surely on so few clips: batch norm blows up what is left of them.
    """
    agreement, spreads = {True: [], False: []}, {True: [], False: []}
    for stop in agreement:
        for seed in range(2):
            run = {"seed": seed, "augmentation_steps": UNLIKE}
            folder = tmp_path / f"{stop}{seed}"
            found = train("simsiam", toy_store, folder, 60, {"stop_gradient": stop}, run)
            agreement[stop].append(-found["history"]["loss"].iloc[-10:].mean())
            spreads[stop].append(found["history"]["projection_spread"].iloc[-20:].median())
    assert min(agreement[False]) > 0.5
    assert max(agreement[True]) < 0.25
    assert np.mean(spreads[True]) > 3 * np.mean(spreads[False])


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


@pytest.mark.parametrize("name", NAMES)
def test_killed_after_two_epochs_and_resumed_it_ends_with_the_same_bytes(name, toy_store, tmp_path):
    settings = {"epochs": 4, "checkpoint_every": 1}
    whole = train(name, toy_store, tmp_path / "whole", **settings)

    def kill_in_third_epoch(done: int, total: int) -> None:
        if done == total // 2 + 1:
            raise Killed

    with pytest.raises(Killed):
        train(name, toy_store, tmp_path / "cut", **settings, progress=kill_in_third_epoch)
    resumed = train(name, toy_store, tmp_path / "cut", **settings)
    assert any("resumed after epoch 2" in line for line in resumed["said"])
    assert resumed["weights"] == whole["weights"]
    pd.testing.assert_frame_equal(resumed["history"], whole["history"], check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_trained_part_gets_a_gradient_and_no_other(name):
    method = build(name)
    step(method)  # the first meets MoCo's empty queue
    step(method).loss.backward()
    for key, parameter in method.named_parameters():
        if key.startswith(("target_", "key_")):
            assert not parameter.requires_grad, key
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert parameter.grad.abs().sum() > 0, key
        else:
            assert parameter.grad is None, key


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_detached_and_the_loss_is_a_float32_scalar_also_under_autocast(name):
    exact = step(build(name))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = step(build(name))
    for output in (exact, mixed):
        assert output.loss.shape == ()
        assert output.loss.dtype == torch.float32
        assert output.terms
        assert not any(term.requires_grad for term in output.terms.values())
    torch.testing.assert_close(mixed.loss, exact.loss, rtol=0.05, atol=0.05)
    mixed.loss.backward()


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_from_its_generator_alone(name):
    method = build(name)
    method.eval()  # dropout draws from the global generator, which the loop sets
    torch.manual_seed(1)
    expected = torch.get_rng_state()
    first = step(method).loss
    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.equal(step(method).loss, first)


@pytest.mark.parametrize("name", NAMES)
def test_project_keeps_the_number_of_clips(name):
    method = build(name).eval()
    projection = method.project(torch.randn(5, method.encoder.width))
    assert projection.shape[0] == 5
    assert projection.shape[1] > 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", NAMES)
def test_a_step_on_a_gpu_does_not_wait_for_it(name):
    method = build(name).cuda()
    clip = random_batch(clips=8, frames=12).to("cuda")
    draws = torch.Generator("cuda").manual_seed(0)

    def one_step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = method(clip, clip, clip, draws).loss
        loss.backward()
        method.after_step(0.5)

    one_step()  # the first one sets up libraries
    torch.cuda.set_sync_debug_mode("error")
    try:
        one_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
