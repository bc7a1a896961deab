"""Asked to stop between any two steps, a run goes on where it was and ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from test_distributed import spec_of
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.training.checkpoint import TrainingState
from sslslr.training.pretrain import pretrain
from sslslr.training.stop import EXIT_CODE, Stopped, StopSwitch

DROPOUT = {"encoder": {"dropout": 0.2}}
FILES = ("encoder.safetensors", "history.csv")


def files_of(folder) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


# Within an epoch of three steps, the first and a later one, and at an epoch's end.
@pytest.mark.parametrize(("method", "step"), [("moco", 1), ("byol", 4), ("sl_fpn", 6)])
def test_a_sigterm_is_obeyed_after_the_step_and_changes_nothing(toy_store, tmp_path, method, step):
    spec = spec_of(method, pretrain={"epochs": 3, "precision": "32-true"}, **DROPOUT)
    pretrain(spec, toy_store, tmp_path / "whole", tmp_path / "whole.ckpt", "code", say=str)
    done: list[int] = []

    def ask(steps: int, total: int) -> None:
        done.append(steps)
        if steps == step:
            os.kill(os.getpid(), signal.SIGTERM)

    cut = (spec, toy_store, tmp_path / "cut", tmp_path / "cut.ckpt", "code")
    with pytest.raises(Stopped, match=r"asked to stop; saved .*cut.ckpt after epoch"):
        pretrain(*cut, say=str, progress=ask)
    assert done[-1] == step
    assert not (tmp_path / "cut").exists()
    said: list[str] = []
    pretrain(*cut, say=said.append, progress=lambda steps, total: done.append(steps))
    assert done == list(range(1, 10))  # no step was lost, none done twice
    assert any("resumed after epoch" in line for line in said)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_before_the_first_step_there_is_nothing_to_save(toy_store, tmp_path, monkeypatch):
    def ask(*_) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("sslslr.training.pretrain.preprocess", ask)
    with pytest.raises(Stopped, match="before the first step"):
        pretrain(spec_of("sl_fpn"), toy_store, tmp_path / "a", tmp_path / "ckpt", "code", say=str)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_switch_leaves_the_handler_of_before(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    with StopSwitch() as stop:
        stop.wait_for_a_step()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
        assert stop.asked
    assert signal.getsignal(signal.SIGTERM) is before


def command(spec, store, folder) -> list[str]:
    return [
        *(sys.executable, "-m", "sslslr", "pretrain", "--spec", spec.model_dump_json()),
        *("--store", str(store.path), "--out", str(folder / "encoder"), "--requeue"),
        *("--checkpoint", str(folder / "run.ckpt")),
    ]


def interrupted(spec, store, folder, by: signal.Signals) -> tuple[int, str]:
    """Exit code and text of a process that got the signal after its next checkpoint."""
    checkpoint = folder / "run.ckpt"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    process = subprocess.Popen(command(spec, store, folder), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            break
        time.sleep(0.01)
    process.send_signal(by)
    said = process.communicate(timeout=120)[1]
    return process.returncode, said


def test_a_real_process_that_is_stopped_and_then_killed_resumes_to_the_same_bytes(
    toy_store, tmp_path
):
    spec = spec_of("sl_fpn", pretrain={"epochs": 60, "checkpoint_every": 5, "precision": "32-true"})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    pretrain(spec, toy_store, whole / "encoder", whole / "run.ckpt", "code", say=str)
    code, said = interrupted(spec, toy_store, cut, signal.SIGTERM)
    assert code == EXIT_CODE == 75, said
    assert "The same command goes on from there." in said
    assert "Slurm" not in said  # there is none here, whatever --requeue says
    code, said = interrupted(spec, toy_store, cut, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "resumed after epoch" in said
    assert not (cut / "encoder/run.json").exists(), "it had ended before the kill"
    again = CliRunner().invoke(app, command(spec, toy_store, cut)[3:], catch_exceptions=False)
    assert "resumed after epoch" in again.output
    assert files_of(cut / "encoder") == files_of(whole / "encoder")


@pytest.mark.slow  # three times two processes: half a minute
def test_all_of_several_processes_stop_at_the_same_step(toy_store, tmp_path):
    settings = {"epochs": 60, "checkpoint_every": 5, "devices": 2, "precision": "32-true"}
    spec = spec_of("sl_fpn", pretrain=settings, **DROPOUT)
    subprocess.run(command(spec, toy_store, tmp_path / "whole"), check=True, capture_output=True)
    code, said = interrupted(spec, toy_store, tmp_path / "cut", signal.SIGTERM)
    assert code == EXIT_CODE, said
    assert said.count("asked to stop; saved") == 1
    again = command(spec, toy_store, tmp_path / "cut")
    again = subprocess.run(again, check=True, capture_output=True, text=True)
    assert "resumed after epoch" in again.stderr
    assert files_of(tmp_path / "cut/encoder") == files_of(tmp_path / "whole/encoder")


def test_a_checkpoint_holds_the_gradient_scaler(tmp_path):
    """Of 16-mixed: after a resume with a fresh one, the first steps would overflow and be skipped."""
    from lightning_fabric.plugins.precision import MixedPrecision

    def training(scale: float) -> TrainingState:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        network = torch.nn.Linear(2, 1)
        precision = MixedPrecision("16-mixed", "cpu", scaler)
        return TrainingState(network, torch.optim.AdamW(network.parameters()), precision, "same")

    training(8.0).save(tmp_path / "ckpt")
    other = training(2.0)
    assert other.resume(tmp_path / "ckpt", torch.device("cpu")).startswith("resumed")
    assert other.precision.state_dict()["scale"] == 8.0
