"""SIGReg and VISReg against lightly 1.6, whose wheel is fetched without its dependencies."""

import importlib
import subprocess
import sys
import types
import zipfile

import pytest
import torch

from sslslr.methods._gaussian import directions, invariance
from sslslr.methods.sigreg import epps_pulley
from sslslr.methods.visreg import Visreg, shape_term
from tiny_methods import build

pytestmark = pytest.mark.slow
SLICES = 64


@pytest.fixture(scope="module")
def lightly(tmp_path_factory):
    """The modules `lejepa_loss` and `visreg_loss`; packages around them stay empty, as they import more."""
    folder = tmp_path_factory.mktemp("lightly")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "lightly==1.6.0"]
    fetched = subprocess.run([*command, "-d", str(folder)], capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"pip cannot fetch lightly 1.6.0: {fetched.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    names = ["lightly", "lightly.loss", "lightly.utils"]
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            package = types.ModuleType(name)
            package.__path__ = [str(folder / name.replace(".", "/"))]
            patch.setitem(sys.modules, name, package)
        yield [importlib.import_module(f"lightly.loss.{n}_loss") for n in ("lejepa", "visreg")]
    for name in [name for name in sys.modules if name.startswith("lightly.")]:
        del sys.modules[name]


def projections() -> torch.Tensor:
    draws = torch.Generator().manual_seed(3)
    return torch.randn(3, 50, 16, generator=draws) * torch.linspace(0.2, 3, 16) + 0.4


def slices(z: torch.Tensor) -> torch.Tensor:
    return directions(z, SLICES, torch.Generator().manual_seed(5))


def test_sigreg_and_its_gradient_are_lightly_s(lightly):
    lejepa, _ = lightly
    found = []
    for ours in (True, False):
        z = projections().requires_grad_()
        torch.manual_seed(5)  # both draw the same directions
        value = epps_pulley(z @ slices(z)).mean() if ours else lejepa.SIGReg(num_vectors=SLICES)(z)
        (gradient,) = torch.autograd.grad(value, z)
        found.append((value, gradient))
    torch.testing.assert_close(*found)
    z = projections()
    theirs = lejepa.lejepa_invariance_loss(all_proj=z, global_proj=z)
    torch.testing.assert_close(invariance(z), theirs)


def test_visreg_and_its_gradient_are_lightly_s(lightly):
    _, visreg = lightly
    z = projections()
    terms = Visreg.regularisation(build("visreg"), z, torch.Generator().manual_seed(5))
    torch.testing.assert_close(terms["scale"], visreg.visreg_scale_loss(z))
    torch.testing.assert_close(terms["centre"], visreg.visreg_center_loss(z))
    found = []
    for ours in (True, False):
        z = projections().requires_grad_()
        torch.manual_seed(5)
        value = shape_term(z, slices(z)) if ours else visreg.visreg_shape_loss(z, SLICES)
        (gradient,) = torch.autograd.grad(value, z)
        found.append((value, gradient))
    torch.testing.assert_close(*found)
