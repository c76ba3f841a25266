"""Back from an exported re-identification net to one that can be trained on, as `reload` for detectors."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from torch import nn

from engines.errors import TrainingError
from engines.models.reid import EmbedderNet
from engines.training.reload import module_path, shift_only, stored


@torch.no_grad()
def embedder_from_onnx(path: Path) -> EmbedderNet:
    """The net of a `person-reid.onnx`, which answers as the file does; its normalisations only shift.

    Raises TrainingError for a file that is no such export.
    """
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise TrainingError(f"{path}: cannot be read as ONNX: {error}") from error
    net = EmbedderNet()
    net.eval()
    modules, tensors, filled = dict(net.named_modules()), stored(graph), set[str]()
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        place = module_path(node.name)
        module = modules.get(place)
        values = [torch.from_numpy(tensors[name].copy()) for name in node.input[1:] if name in tensors]
        if not isinstance(module, nn.Conv2d | nn.Linear) or len(values) != 2:
            break
        if module.weight.shape != values[0].shape:
            break
        module.weight.copy_(values[0])
        if module.bias is not None:
            module.bias.copy_(values[1])
        else:
            before, _, number = place.rpartition(".")
            norm = modules[f"{before}.{int(number) + 1}"]
            assert isinstance(norm, nn.BatchNorm2d)
            shift_only(norm, values[1])
        filled.add(place)
    wanted = {place for place, module in modules.items() if isinstance(module, nn.Conv2d | nn.Linear)}
    if filled != wanted:
        raise TrainingError(f"{path}: is not an export of our re-identification net")
    return net
