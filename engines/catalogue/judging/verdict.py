"""From what was tried to a verdict: one sentence, and the recipe of what was accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from engines import backends
from engines.backends.entrance import NetworkInput, entrance_of
from engines.backends.protocol import Network
from engines.catalogue import Recipe
from engines.catalogue.judging.facts import Facts, person_among, read_facts
from engines.catalogue.judging.image import ReferenceImage, load
from engines.catalogue.judging.task import NetworkVerdict, Task
from engines.catalogue.judging.trial import (
    INVALID_OUTPUTS,
    NO_LOGITS,
    SURE,
    NetworkTrial,
    Result,
    best_of,
    check_finite,
)
from engines.catalogue.source import NetworkSource
from engines.errors import EngineError, WeightsError
from engines.inference.decoders import AS_IT_IS, Shapes
from engines.inference.detector import PersonDetector
from engines.inference.preprocess import tight_input

INPUT_MULTIPLE = 32
NAMES_SHOWN = 8
EXPORT = "docs/engines.md lists what to export"


class NetworkRefusal(Exception):
    """A sentence about a network, and what was found until then."""

    def __init__(self, sentence: str, decoder: str | None = None, found: int = 0) -> None:
        super().__init__(sentence)
        self.decoder, self.found = decoder, found


def pass_verdict(task: Task) -> NetworkVerdict:
    """Judge a network. Raises EngineError only for an image that cannot be used."""
    picture = load(Path(task.picture) if task.picture else None, task.persons)
    try:
        return _accepted(task, picture)
    except NetworkRefusal as refusal:
        reason = f"{task.file}: {refusal}"
        return _refused(reason, picture, refusal.decoder, refusal.found)
    except EngineError as error:
        said = str(error)
        reason = said if task.file in said else f"{task.file}: {said}"
        return msgspec.structs.replace(_refused(reason, picture), lasting=False)


def _refused(
    reason: str, picture: ReferenceImage, decoder: str | None = None, found: int = 0
) -> NetworkVerdict:
    return NetworkVerdict(
        accepted=False, decoder=decoder, persons_found=found, persons_there=picture.persons, reason=reason
    )


def _accepted(task: Task, picture: ReferenceImage) -> NetworkVerdict:
    path = Path(task.file)
    size = task.recipe.input or tight_input(picture.size_wh, task.recipe.long_side, INPUT_MULTIPLE)
    facts = read_facts(path, size, task.memory_bytes) if path.suffix == ".onnx" else Facts()
    recipe = _named(task.recipe, facts)
    runner = backends.choose(task.backend)
    network = runner.read(path)
    entrance = entrance_of(network.inputs, path)
    if entrance.size is not None and task.recipe.input not in (None, entrance.size):
        width, height = entrance.size
        raise NetworkRefusal(f"takes pictures of {width}x{height} and of no other size")
    trial = NetworkTrial(network, picture, entrance.size or size, task.threads)
    results = _results(trial, recipe, entrance, facts)
    best = best_of(results, picture.persons)
    if not best.is_enough(picture.persons):
        raise _refusal(trial, best, results, picture, recipe)
    found_out = _recipe(recipe, best, entrance)
    in_use = PersonDetector(
        runner, NetworkSource(path, found_out), threads=task.threads, score=recipe.score or SURE
    )
    persons = _seen(in_use, trial, best)
    if persons < best.found:
        raise NetworkRefusal(
            f"found {best.found} persons when tried and {persons} in use", best.way.decoder.name
        )
    return NetworkVerdict(
        accepted=True,
        decoder=best.way.decoder.name,
        persons_found=best.found,
        persons_there=picture.persons,
        reason=f"found {best.found} of {picture.persons} persons: {_words(best, network, entrance)}",
        recipe=found_out,
    )


def _named(recipe: Recipe, facts: Facts) -> Recipe:
    """The recipe with the classes' names from the file, where the user has given none. Raises Refusal."""
    if facts.task == "obb":
        raise NetworkRefusal("is for rotated boxes (task obb); export a network of task detect")
    if recipe.classes is not None or recipe.person is not None or not facts.names:
        return recipe
    person = person_among(facts.names)
    if person is None:
        shown = ", ".join(facts.names[:NAMES_SHOWN]) + (", …" if len(facts.names) > NAMES_SHOWN else "")
        raise NetworkRefusal(
            f"its classes are {shown}, and none is called person; if one of them is what should be counted, "
            "give all names in order with --classes and call that one person"
        )
    return _changed(recipe, {"classes": list(facts.names), "person": facts.names[person]})


def _changed(recipe: Recipe, changes: dict[str, object]) -> Recipe:
    kept = {key: getattr(recipe, key) for key in Recipe.__struct_fields__}
    return Recipe(**{**kept, **changes})


def _results(trial: NetworkTrial, recipe: Recipe, entrance: NetworkInput, facts: Facts) -> list[Result]:
    """What every possible way finds. Raises Refusal where there is no way at all."""
    outputs, _ = trial.run(AS_IT_IS, recipe.fit or "corner")
    try:
        check_finite(outputs)
    except WeightsError as error:
        raise NetworkRefusal(str(error)) from error
    shapes = [output.shape for output in outputs]
    decoders = trial.decoders(recipe, shapes)
    if not decoders:
        raise NetworkRefusal(_what_it_is(shapes, facts))
    counts = [decoder.classes(shapes) for decoder in decoders]
    known = [count for count in counts if count is not None]
    if known and len(known) == len(counts):
        if recipe.classes is not None and len(recipe.classes) > max(known):
            raise NetworkRefusal(
                f"tells {max(known)} classes apart, and {len(recipe.classes)} names are given"
            )
        asked = recipe.person_class(default=0)
        if asked >= max(known):
            raise NetworkRefusal(f"class {asked} is asked for, but the network has {max(known)} classes")
    if recipe.classes is not None and len(recipe.classes) in known:
        told = (len(recipe.classes), None)
        decoders = [decoder for decoder in decoders if decoder.classes(shapes) in told]
    return list(trial.results(recipe, decoders, entrance.kind))


def _what_it_is(shapes: Shapes, facts: Facts) -> str:
    """For outputs that no decoder reads."""
    seen = ", ".join(str(list(shape)) for shape in shapes)
    said = f"outputs {seen} are not those of a detector known here"
    flat = [shape for shape in shapes if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))]
    maps = [
        shape
        for shape in shapes
        if len(shape) >= 4 or (len(shape) == 3 and all((side or 0) > 96 for side in shape[1:]))
    ]
    if facts.task == "classify" or (len(flat) == len(shapes) == 1):
        return f"{said}: one row of numbers for the whole picture is a classifier's; export a detector"
    if len(shapes) == 1 and maps:
        return f"{said}: a map of the picture is a segmentation's or a depth network's; export a detector"
    if len(maps) == len(shapes) > 1:
        return (
            f"{said}: these are a head's raw maps; export with the boxes worked out in the network "
            "(Ultralytics: yolo export format=onnx; RT-DETR, D-FINE, DEIM: export_onnx.py)"
        )
    return f"{said}; {EXPORT} (Ultralytics: yolo export format=onnx)"


def _refusal(
    trial: NetworkTrial, best: Result, results: list[Result], picture: ReferenceImage, recipe: Recipe
) -> NetworkRefusal:
    """Why the best way is not good enough."""
    name, found, there = best.way.decoder.name, best.found, picture.persons
    tally = f"found {found} of {there} persons"
    fault = _telling_fault(best, results)
    if fault is not None:
        name = fault.way.decoder.name
        return NetworkRefusal(f"found 0 of {there} persons, read as {name}: {fault.fault}; {EXPORT}", name, 0)
    if best.beside > there and found:
        return NetworkRefusal(
            f"{tally}, and {best.beside} boxes where nobody is, read as {name}; "
            f"its weights or its export are not as they should be",
            name,
            found,
        )
    other = trial.other_class(results, recipe.score or SURE)
    if other is not None:
        number, seen = other
        names = recipe.classes or []
        called = f" ({names[number]})" if number < len(names) else ""
        return NetworkRefusal(
            f"{tally} as class {best.way.person}, but {seen} as class {number}{called}; "
            "give the names of its classes in order with --classes, one of them person",
            name,
            found,
        )
    which = "the picture that comes with tagsight" if picture.shipped else "the picture"
    sized = "; with a larger --input it may see more" if found else ""
    more = (
        "; one for views from overhead or for heads is tried on a picture of yours: "
        f"tagsight engines add --picture FILE --persons N{sized}"
        if picture.shipped
        else sized
    )
    return NetworkRefusal(
        f"{tally} in {which}, read as {name} and in every other way that fits{more}", name, found
    )


def _telling_fault(best: Result, results: list[Result]) -> Result | None:
    """What is wrong with the numbers, if that is why nobody is found.

    Told of the first decoder read in its usual way, where the boxes at fault are surer than all others.
    """
    first = results[0].way.decoder
    usual = [
        result
        for result in results
        if result.way.decoder is first
        and replace(result.way.meaning, roles=()) == replace(first.usual, roles=())
    ]
    loudest = max(usual, key=lambda result: result.sure, default=best)
    if loudest.fault in ("", NO_LOGITS, INVALID_OUTPUTS) or best.found > loudest.found:
        return best if best.fault else None
    return loudest


def _recipe(recipe: Recipe, best: Result, entrance: NetworkInput) -> Recipe:
    """What the user said and what was found out."""
    way, usual = best.way, best.way.decoder.usual
    changes: dict[str, object] = {
        "decoder": way.decoder.name,
        "input": entrance.size or recipe.input,
        "colour": way.pixels.colour,
        "mean": way.pixels.mean,
        "std": way.pixels.std,
        "fit": way.fit,
        "box_units": way.meaning.units if way.meaning.units != usual.units else None,
        "box_form": way.meaning.form if way.meaning.form != usual.form else None,
        "score_scale": way.meaning.scale if way.meaning.scale != usual.scale else None,
        "outputs": list(way.meaning.roles) or None,
    }
    if recipe.classes is None and recipe.person is None:
        changes["person"] = way.person
    return _changed(recipe, changes)


def _seen(detector: PersonDetector, trial: NetworkTrial, best: Result) -> int:
    """Persons that the detector finds as it will be used."""
    found = detector.detect(trial.picture.image)
    return trial.matched(best.way, found.boxes, found.scores).found


def _words(best: Result, network: Network, entrance: NetworkInput) -> str:
    """How it is fed and read, for people."""
    way = best.way
    mean, std = np.round(way.pixels.mean, 1), np.round(way.pixels.std, 1)
    scale = f"{way.pixels.colour} {'0..255' if (std == 1).all() else '0..1' if (std == 255).all() else ''}"
    if mean.any():
        scale = f"{way.pixels.colour} less {', '.join(f'{value:g}' for value in mean)}, by " + ", ".join(
            f"{value:g}" for value in std
        )
    form = {"centre": "", "corners": " by their corners", "yx-corners": " by their corners, y first"}
    grid = way.decoder.name in ("ltrb", "yolox", "nanodet", "fastestdet")
    meaning = "" if grid else f", boxes in {way.meaning.units}{form[way.meaning.form]}"
    if way.meaning.scale != "shares":
        meaning += f", scores through {'a softmax' if way.meaning.scale == 'softmax' else 'a sigmoid'}"
    kind = {"f32": "", "f16": ", half precision", "u8": ", 8-bit input"}[entrance.kind]
    layout = ", colours last" if entrance.layout == "nhwc" else ""
    return f"decoder {way.decoder.name}, {scale}{kind}{layout}{meaning}, class {way.person}"
