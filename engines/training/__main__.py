"""Command line of training: `python -m engines.training --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.errors import TrainingError
from engines.training.config import read_recipe
from engines.training.crops import commands as crop_commands


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m engines.training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (
        ("pool", "gather pictures, let the teachers label them, cut persons out"),
        ("detector", "train the person detector; goes on where a stopped run ended"),
        ("ablation", "train it with and without each part of the distillation, and write the table"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--config", type=Path, required=True, help="recipe, e.g. engines/training/recipes/detector.yaml"
        )
    command = commands.add_parser("average", help="the mean of two checkpoints, to start from")
    command.add_argument("first", type=Path)
    command.add_argument("second", type=Path)
    command.add_argument("--share", type=float, default=0.5, help="of the second; 0.5 if not given")
    command.add_argument("--out", type=Path, required=True)
    crop_commands.add_commands(commands)
    command = commands.add_parser(
        "export", help="write a checkpoint as ONNX, in half-precision storage and in 8 bits"
    )
    command.add_argument("checkpoint", type=Path, help="best.pt or checkpoint.pt of a run")
    command.add_argument("--pool", type=Path, required=True, help="pool folder, for calibration pictures")
    command.add_argument("--out", type=Path, default=Path("engines/weights"))
    command = commands.add_parser("measure", help="average precision of an exported net")
    command.add_argument("weights", type=Path)
    command.add_argument("--data", type=Path, default=Path("../shared/data"))
    command.add_argument(
        "--pool", type=Path, help="pool folder: measure its held-out photos and frames as well"
    )
    command.add_argument(
        "--record", action="store_true", help="write the figures into the manifest beside the net"
    )
    command.add_argument("--size", type=int, nargs=2, action="append", metavar=("WIDTH", "HEIGHT"))
    return top


def train(given: argparse.Namespace) -> None:
    recipe = read_recipe(given.config)
    pool = recipe.run.parent / "pool"
    if given.command == "pool" or not (pool / "pool.json").exists():
        from engines.training.detector.prepare import build_pool

        build_pool(recipe.data, pool, recipe.threads)
    if given.command == "detector":
        from engines.training.detector.train import detector_training

        detector_training(recipe, pool).run()
    elif given.command == "ablation":
        from engines.training.detector.ablation import ablate

        ablate(recipe, pool)


def measure(given: argparse.Namespace) -> None:
    from engines.evaluation import accuracy as evaluate
    from engines.training import manifest

    suffix = "_int8" if given.weights.stem.endswith("-int8") else ""
    figures: dict[str, float] = {}
    predict = evaluate.onnx_predictor(given.weights)
    for width, height in given.size or [(416, 320)]:
        for name, examples in evaluate.measured_sets(given.data, given.pool).items():
            found = evaluate.measure(predict, examples, (width, height))
            figures[f"{name.replace('-', '_')}_ap50_{width}x{height}{suffix}"] = round(found.ap50, 3)
            print(
                f"{name} {width}x{height}: AP50 {found.ap50:.3f}; at score {found.threshold:.2f} precision "
                f"{found.precision:.3f}, recall {found.recall:.3f}, mean IoU {found.mean_iou:.3f}",
                flush=True,
            )
    if given.record:
        manifest.update(given.weights.parent, given.weights.stem.removesuffix("-int8"), {"measured": figures})


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        if given.command == "export":
            from engines.training.detector.export import export_all

            export_all(given.checkpoint, given.pool, given.out)
        elif given.command == "average":
            from engines.training.average import average

            average(given.first, given.second, given.share, given.out)
        elif given.command in crop_commands.NETS:
            crop_commands.run(given)
        elif given.command == "measure":
            measure(given)
        else:
            train(given)
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
