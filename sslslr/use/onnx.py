"""An encoder as ONNX, compared with torch.

    keypoints   float32 (clips, frames, 75, 2), preprocessed as preprocess.json says
    lengths     int64 (clips,), true frames of each clip
    features    float32 (clips, width)

The legacy exporter (`dynamo=False`) is used: it writes one file in a second.
"""

import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sslslr.data.batch import Batch
from sslslr.pose.skeleton import N_JOINTS
from sslslr.utils.errors import UserError

OPSET = 17
MOST = 1e-4  # largest difference of a feature from torch's
INPUTS, OUTPUT = ["keypoints", "lengths"], "features"


class _Forward(nn.Module):
    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, keypoints: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder(keypoints, lengths)


def lacking() -> str | None:
    """Why ONNX cannot be had, in words; None where the packages of the extra `onnx` can be imported."""
    for name in ("onnx", "onnxruntime"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                return "it needs two packages more"
            return f"{name} cannot be imported ({error})"
        # Another protobuf than it was made for, a library that is missing.
        except Exception as error:
            return f"{name} cannot be imported ({error})"
        if getattr(module, "__file__", None) is None:  # a folder of that name, where Python looks
            return "it needs two packages more"
    return None


def to_onnx(encoder: nn.Module, frames: int) -> bytes:
    """The encoder as an ONNX file, for any number of clips of `frames` frames.

    Raises:
        UserError: the encoder has an operation that ONNX has not.
    """
    example = torch.randn(2, frames, N_JOINTS, 2), torch.tensor([frames, max(1, frames // 2)])
    stream = io.BytesIO()
    torch.onnx.register_custom_op_symbolic("aten::cummax", _running(1.0, frames), OPSET)
    torch.onnx.register_custom_op_symbolic("aten::cummin", _running(-1.0, frames), OPSET)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: shapes that are fixed are meant so
            torch.onnx.export(
                _Forward(encoder).eval(), example, stream, dynamo=False, opset_version=OPSET,
                input_names=INPUTS, output_names=[OUTPUT],
                dynamic_axes={name: {0: "clips"} for name in (*INPUTS, OUTPUT)},
            )  # fmt: skip
    except torch.onnx.errors.UnsupportedOperatorError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"this encoder cannot be written as ONNX ({reason}).") from None
    finally:
        torch.onnx.unregister_custom_op_symbolic("aten::cummax", OPSET)
        torch.onnx.unregister_custom_op_symbolic("aten::cummin", OPSET)
        encoder.eval()  # the exporter leaves it in training mode
    return stream.getvalue()


def _running(sign: float, frames: int) -> Callable[..., Any]:
    """The running maximum (or minimum) of whole numbers over axis 1: ONNX has none but max-pooling."""

    def symbolic(g: Any, values: Any, dim: Any) -> Any:
        x = g.op("Transpose", g.op("Cast", values, to_i=1), perm_i=[0, 2, 1])
        sign_of = g.op("Constant", value_t=torch.tensor(sign))
        x = g.op("MaxPool", g.op("Mul", x, sign_of), kernel_shape_i=[frames],
                 pads_i=[frames - 1, 0], strides_i=[1])  # fmt: skip
        x = g.op("Transpose", g.op("Mul", x, sign_of), perm_i=[0, 2, 1])
        x = g.op("Cast", x, to_i=7)
        return x, x  # the places of the maxima are not asked for

    return symbolic


def difference(encoder: nn.Module, file: bytes, batch: Batch) -> float:
    """Largest absolute difference of a feature between ONNX and torch, in evaluation mode."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = encoder.eval()(batch.keypoints, batch.lengths).float().numpy()
    given = {"keypoints": batch.keypoints.numpy(), "lengths": batch.lengths.numpy()}
    return float(np.abs(session.run([OUTPUT], given)[0] - expected).max())
