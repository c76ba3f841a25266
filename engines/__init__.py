"""Tensors in, tensors out: the networks and what runs them.

    from engines.detector import PersonDetector
    detector = PersonDetector.open()                  # our own weights, the best back end here
    persons = detector.detect(image_bgr)              # boxes (n, 4) in pixels, scores (n,)

The way of a picture: `preprocess` lays it into the network's input in place; a back end (`backends`:
OpenVINO, onnxruntime) runs the network and its colour and scale conversion; `decoders` turn raw outputs into
candidate boxes; `nms` keeps the best of each heap; `detector` joins these. `catalogue` knows the engines by
name, ours in `weights/` and the user's in a folder of their own; `cli` is `tagsight engines`.

`models` and `training` (PyTorch, extra `train`) are how our weights are made; nothing here needs them.
`evaluation` measures networks on labelled pictures.
"""

import os
import sys

# The libraries that run networks report on their users unasked. OpenVINO tells Google Analytics of imports,
# unless the package it does that with is missing; onnxruntime writes an id of the device and a record of its
# sessions for Microsoft's collector, unless told not to. This stands before anything of ours can import them.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
