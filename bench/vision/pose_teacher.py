"""The pose teacher's own labels beside those made by eye: no student of it can be expected to be better.

python -m bench.vision.pose_teacher movenet_lightning.tflite [--labels engines/training/crops/action-pool.csv]
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from bench.inputs import shared_file
from bench.vision.accuracy_action import EVERYWHERE, LABELS, PLACES
from engines.evaluation.eye_labels import HANDLING, UNCLEAR, labelled_images, read_labels
from engines.inference.crops import cut
from engines.training.crops.action_pose import PoseTeacher, label, view_of

CLIP = "video-retail-nvidia/retail.mp4"


@click.command()
@click.argument("teacher", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=LABELS)
def main(teacher: Path, data: Path | None, labels: Path) -> None:
    """Precision and recall of the pose teacher TEACHER (.tflite) on the crops labelled by eye."""
    folder = data or shared_file(CLIP, "--data").parents[1]
    poses = PoseTeacher(teacher, threads=1)
    found: dict[str, list[tuple[float, bool]]] = {}
    for image, boxes in labelled_images(folder, [box for box in read_labels(labels) if box.label != UNCLEAR]):
        for box in boxes:
            seen = label(cut(image, *view_of(box.box)), poses).handling
            folder_name = box.clip.split("/")[0]
            for place in (PLACES[folder_name] if labels == LABELS else folder_name, EVERYWHERE):
                found.setdefault(place, []).append((seen, box.label == HANDLING))
    for place, rows in sorted(found.items()):
        seen_at, truth = np.array(rows).T
        called, handling = np.nan_to_num(seen_at, nan=-1.0) >= 0.5, truth > 0.5
        hits = int((called & handling).sum())
        precision, recall = hits / max(1, int(called.sum())), hits / max(1, int(handling.sum()))
        unknown = int(np.isnan(seen_at).sum())
        click.echo(
            f"{place}: {len(rows)} crops, pose unknown in {unknown}, "
            f"precision {precision:.3f}, recall {recall:.3f}"
        )


if __name__ == "__main__":
    main()
