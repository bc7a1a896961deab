"""Which precision a machine is asked for."""

import types

import pytest
import torch

from sslslr.utils.hardware import choose_precision, cpu_multiplies_bf16

NONE = {"avx2": True, "avx512_bf16": False, "amx_bf16": False, "cpu_name": "bf16"}


@pytest.fixture
def cpu_that_has(monkeypatch):
    """cpu_that_has(name, ...): no GPU, and a processor with these instructions."""

    def set_up(*names: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        found = NONE | dict.fromkeys(names, True)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)

    return set_up


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
def test_bf16_is_followed_on_a_cpu_that_multiplies_it(name, cpu_that_has):
    cpu_that_has(name)
    assert choose_precision("cpu", "bf16-mixed") == ("bf16-mixed", "")


def test_elsewhere_mixed_precision_is_full_and_says_so(cpu_that_has):
    cpu_that_has()
    precision, note = choose_precision("cpu", "bf16-mixed")
    assert precision == "32-true"
    assert "AVX512-BF16" in note
    cpu_that_has("avx512_bf16")
    precision, note = choose_precision("cpu", "16-mixed")
    assert precision == "32-true"
    assert "16-mixed needs a GPU" in note


def test_auto_is_full_precision_on_every_cpu(cpu_that_has):
    cpu_that_has("avx512_bf16", "amx_bf16")
    assert choose_precision("cpu", "auto") == ("32-true", "")
    assert choose_precision("cpu", "64-true") == ("64-true", "")


def test_the_processor_is_asked_as_this_torch_answers():
    """Names of what a processor has are torch's own; another release may have others."""
    assert isinstance(cpu_multiplies_bf16(), bool)
    if torch.backends.cpu.get_cpu_capability() != "NO AVX":
        assert any("bf16" in name for name in torch.cpu.get_capabilities())


@pytest.mark.parametrize(("generation", "precision"), [(7, "16-mixed"), (8, "bf16-mixed")])
def test_auto_on_a_gpu_is_bf16_only_where_the_gpu_has_it(monkeypatch, generation, precision):
    """CUDA emulates bf16 on older ones (V100, T4), which torch calls support if it is not asked."""
    about = types.SimpleNamespace(major=generation)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert choose_precision("cuda", "auto") == (precision, "")
