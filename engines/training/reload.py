"""Back from an exported detector to a net that can be trained on: what is on the device is enough.

The export has folded each batch normalisation into the convolution before it. The net takes the folded
weights, and its normalisations become what is left of them, a shift; they must not follow new batches
(`freeze`).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from engines.errors import TrainingError
from engines.models.detector import PIXEL_SCALE, WIDTHS, DetectorNet
from engines.training.loop import read_state

Tensors = dict[str, NDArray[np.float32]]


def net_from_onnx(path: Path) -> DetectorNet:
    """The net of a `person-detector.onnx` in fp32 or half-precision storage, which answers as the file does.

    Raises TrainingError for a file that is no such export (an 8-bit one has lost too much).
    """
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise TrainingError(f"{path}: cannot be read as ONNX: {error}") from error
    tensors = stored(graph)
    for width in WIDTHS.values():
        net = DetectorNet(width)
        net.eval()
        if fill(net, graph, tensors):
            return net
    raise TrainingError(f"{path}: is not an export of our detector in fp32 or half-precision storage")


def width_of(net: DetectorNet) -> str:
    """The net's name in WIDTHS."""
    return next(name for name, width in WIDTHS.items() if width == net.width)


def stored(graph: onnx.GraphProto) -> Tensors:
    """Constants by the name under which nodes use them, half-precision ones widened."""
    tensors = {item.name: numpy_helper.to_array(item).astype(np.float32) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    return tensors


def module_path(node_name: str) -> str:
    """`/backbone/stem/stem.0/Conv` to `backbone.stem.0`: a segment that begins the next one is part of it."""
    parts = node_name.strip("/").split("/")[:-1]
    followed = [*parts[1:], ""]
    return ".".join(part for part, after in zip(parts, followed, strict=True) if not after.startswith(part))


@torch.no_grad()
def fill(net: DetectorNet, graph: onnx.GraphProto, tensors: Tensors) -> bool:
    """Puts the export's weights into `net`; False where they do not fit it."""
    modules = dict(net.named_modules())
    filled = set()
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "BatchNormalization"):
            continue
        path = module_path(node.name)
        module = modules.get(path)
        values = [tensors[name] for name in node.input[1:] if name in tensors]
        if module is None or not values or not _fits(module, values[0]):
            return False
        given = [torch.from_numpy(value.copy()) for value in values]
        if isinstance(module, nn.BatchNorm2d):
            for place, value in zip(_parts(module), given, strict=True):
                place.copy_(value)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.copy_(given[0])
            beside = modules.get(f"{path.rpartition('.')[0]}.1")
            if module.bias is not None:
                module.bias.copy_(given[1])
            elif len(given) == 2 and isinstance(beside, nn.BatchNorm2d):
                shift_only(beside, given[1])
        filled.add(path)
    wanted = {path for path, module in modules.items() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)}
    stem = net.backbone.stem[0]
    assert isinstance(stem, nn.Conv2d)
    stem.weight.div_(PIXEL_SCALE)
    return wanted <= filled


def _parts(module: nn.BatchNorm2d) -> list[torch.Tensor]:
    found = [module.weight, module.bias, module.running_mean, module.running_var]
    return [part for part in found if part is not None]


def _fits(module: nn.Module, weight: NDArray[np.float32]) -> bool:
    mine = getattr(module, "weight", None)
    return isinstance(mine, torch.Tensor) and tuple(mine.shape) == weight.shape


def shift_only(norm: nn.BatchNorm2d, shift: torch.Tensor) -> None:
    """Makes a batch normalisation that only adds `shift`."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_(math.sqrt(1.0 + norm.eps))
    norm.bias.copy_(shift)


def freeze(net: nn.Module) -> None:
    """Keeps the statistics of every batch normalisation as they are from now on."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def read_imagenet(path: Path) -> dict[str, Tensor]:
    """MobileNetV2's ImageNet weights, a PyTorch state file. Raises TrainingError for anything else."""
    state = read_state(path)
    if "features.0.0.weight" not in state:
        raise TrainingError(f"{path}: not MobileNetV2's weights: without 'features.0.0.weight'")
    return state
