"""A net that begins with the weights of a deeper one; needs torch (extra `train`)."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from engines.errors import TrainingError  # noqa: E402
from engines.models.detector import DetectorNet, DetectorWidth  # noqa: E402
from engines.training.detector.train import without_deeper_blocks  # noqa: E402

DEEP = DetectorWidth((8, 8, 16, 16, 16), (8, 8, 8, 8), (1, 1, 3, 2), 16, 16)
SHALLOW = DetectorWidth((8, 8, 16, 16, 16), (8, 8, 8, 8), (1, 1, 1, 1), 16, 16)
WIDE = DetectorWidth((8, 8, 16, 32, 16), (8, 8, 8, 8), (1, 1, 1, 1), 16, 16)
WHERE = Path("deep.pt")


def test_a_shallower_net_answers_as_the_deeper_one_would_if_its_last_blocks_added_nothing() -> None:
    torch.manual_seed(3)
    deep, shallow = DetectorNet(DEEP).eval(), DetectorNet(SHALLOW).eval()
    images = torch.rand(1, 3, 64, 96) * 255
    shallow.load_state_dict(without_deeper_blocks(deep.state_dict(), shallow, WHERE))
    with torch.no_grad():
        for stage, first_spare in ((2, 2), (3, 2)):
            for block in list(deep.backbone.stages[stage])[first_spare:]:
                block.expand[1].weight.zero_()
                block.expand[1].bias.zero_()
        assert torch.equal(deep(images), shallow(images))


def test_weights_of_another_width_or_of_a_shallower_net_are_refused() -> None:
    shallow = DetectorNet(SHALLOW)
    for other in (DetectorNet(WIDE), DetectorNet(DetectorWidth(SHALLOW.backbone, blocks=(0, 1, 1, 1)))):
        with pytest.raises(TrainingError, match="another width"):
            without_deeper_blocks(other.state_dict(), shallow, WHERE)
