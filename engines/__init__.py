"""Tensors in, tensors out: the networks and what runs them.

    from engines.inference.detector import PersonDetector
    detector = PersonDetector.open()                  # our own weights, the best back end here
    persons = detector.detect(image_bgr)              # boxes (n, 4) in pixels, scores (n,)

`inference` letterboxes a frame into a network's input, decodes its outputs and drops duplicates; `backends`
run the network (OpenVINO, onnxruntime; TensorRT by way of `cuda`). `catalogue` knows the engines by name,
ours in `weights` and the user's in a folder of their own, and tries a network nobody knows before it is used;
its `cli` is `tagsight engines`. `build` makes engines for this machine's GPU. `evaluation` measures networks
on labelled images; `models` and `training` (PyTorch, extra `train`) are how our weights are made.
"""

import os
import sys

# The libraries that run networks report on their users unasked. OpenVINO tells Google Analytics of imports,
# unless the package it does that with is missing; onnxruntime writes an id of the device and a record of its
# sessions for Microsoft's collector, unless told not to. This stands before anything of ours can import them.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
