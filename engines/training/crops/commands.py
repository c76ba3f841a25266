"""`python -m engines.training reid|action`: training of the nets on person crops, and their export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

NETS = ("reid", "reid-tune", "action")


def add_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `reid`, `reid-tune` and `action` to the parser's commands."""
    for name, text in (
        ("reid-tune", "go on with the re-identification net on drawn people, real likenesses kept"),
        ("reid", "distil the re-identification net from two teachers; goes on where a stopped run ended"),
        ("action", "train the handling-goods net on pseudo-labels; goes on where a stopped run ended"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--config", type=Path, required=True, help=f"recipe, e.g. engines/training/recipes/{name}.yaml"
        )
        command.add_argument(
            "--export",
            type=Path,
            metavar="FOLDER",
            help="write the run's net as it stands into this folder as ONNX, with its manifest entry",
        )
        if name == "reid-tune":
            command.add_argument(
                "--shares",
                action="store_true",
                help="what each share of the run is worth, on what is held out",
            )


def run(given: argparse.Namespace) -> None:
    """Trains, or exports where asked to. Raises TrainingError."""
    if given.command == "reid":
        _reid(given)
    elif given.command == "reid-tune":
        _reid_tune(given)
    else:
        _action(given)


def _reid(given: argparse.Namespace) -> None:
    from engines.training.crops.recipe import ReidRecipe, read_crop_recipe

    recipe = read_crop_recipe(given.config, ReidRecipe)
    if given.export is not None:
        from engines.training.crops.export import export_reid

        export_reid(recipe, given.config, given.export)
    else:
        from engines.training.crops.reid_train import reid_training

        reid_training(recipe).run()


def _reid_tune(given: argparse.Namespace) -> None:
    from engines.training.crops.recipe import TuneRecipe, read_crop_recipe

    recipe = read_crop_recipe(given.config, TuneRecipe)
    if given.shares:
        from engines.training.crops.tuning.shares import best_share, judge_shares

        found = []
        print("share  drawn rank-1  drawn mAP  real as before  real as the teachers")
        for each in judge_shares(recipe):
            found.append(each)
            print(
                f"{each.share:5.2f} {each.rank1:13.3f} {each.mean_ap:10.3f} {each.as_before:15.3f} "
                f"{each.teachers:21.3f}",
                flush=True,
            )
        print(f"share to take: {best_share(found):g}")
    elif given.export is not None:
        from engines.training.crops.export import export_reid_tune

        export_reid_tune(recipe, given.config, given.export)
    else:
        from engines.training.crops.tuning.train import tuning

        tuning(recipe).run()


def _action(given: argparse.Namespace) -> None:
    from engines.training.crops.recipe import ActionRecipe, read_crop_recipe

    recipe = read_crop_recipe(given.config, ActionRecipe)
    if given.export is not None:
        from engines.training.crops.export import export_action

        export_action(recipe, given.config, given.export)
    else:
        from engines.training.crops.action_train import action_training

        action_training(recipe).run()
