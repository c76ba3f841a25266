"""Crops of many drawn people, each before many cameras in several shops, with who they are.

Drawn in parts of `PART` people who meet in `SHOPS` shops; a part that is whole is kept, so drawing may be
broken off and go on. Every `HELD_OUT_EVERY`-th part is held out: other looks, and of whole outfits none that
the others wear. A person's crops lie side by side in one picture.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.inference.crops import cut
from engines.scene.spec import PersonLook, Uses
from engines.training.synthetic.drawing.faults import CameraFaults
from engines.training.synthetic.drawing.textures import Textures
from engines.training.synthetic.filming import Studio
from engines.training.synthetic.labels import whole_box
from engines.training.synthetic.mingling import CAMERAS, SIZE, mingling_scene
from engines.training.synthetic.people.dressing import Dressed, dress
from engines.training.synthetic.people.parts import parts

PART, SHOPS = 12, 4
MOMENTS_S = (5.0, 17.0)
HELD_OUT_EVERY = 9
HELD_OUT_OUTFITS = frozenset({"female_casualsuit02", "male_casualsuit06", "male_worksuit01"})
FIRST_LOOK, FIRST_HELD_OUT_LOOK = 2_000_000, 3_000_000
"""Seeds of looks; other random shops draw theirs below 1 << 20."""
CROP_WH = (80, 176)
BOX_WH = (64, 144)
"""A crop holds the box in its middle, and an eighth and a ninth more on every side."""
MOST_CROPS, LEAST_CROPS = 16, 6
LEAST_PX = 44
LEAST_SHOWN = 0.5
"""Of the joints."""
QUALITY = 95
USES: tuple[Uses, ...] = ("nothing", "bag", "basket", "trolley", "pram", "wheelchair")
USED = (0.66, 0.22, 0.06, 0.03, 0.02, 0.01)


class DrawnCrop(msgspec.Struct, frozen=True):
    """One crop: which camera of which shop, when, the box's height in px, the share of joints that shows."""

    camera: str
    time_s: float
    height_px: int
    shown: float


class DrawnPerson(msgspec.Struct, frozen=True):
    """One person: the picture of their crops, from left to right as in `crops`, and its SHA-256."""

    person: str
    file: str
    sha256: str
    held_out: bool
    look: int
    female: bool
    years: float
    height_m: float
    outfit: str
    crops: list[DrawnCrop]


class DrawnPart(msgspec.Struct, frozen=True):
    """What `part-NNNN.json` says."""

    part: int
    seed: int
    renderer: str
    people: list[DrawnPerson]


@dataclass
class _Found:
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    crops: list[DrawnCrop] = field(default_factory=list)


def draw_identities(
    folder: Path,
    count: int,
    seed: int = 1,
    tell: Callable[[str], None] = print,
    *,
    held_out_only: bool = False,
) -> list[DrawnPerson]:
    """Draws until `folder` has crops of at least `count` people, those held out among them, or of so many
    that are held out. Raises EngineError."""
    folder.mkdir(parents=True, exist_ok=True)
    people: list[DrawnPerson] = []
    step = HELD_OUT_EVERY if held_out_only else 1
    number = HELD_OUT_EVERY - 1 if held_out_only else 0
    while len(people) < count:
        listing = folder / f"part-{number:04d}.json"
        if not listing.exists():
            begun_s = time.process_time()
            _draw_part(folder, listing, number, seed)
            crops = sum(len(person.crops) for person in _read_part(listing).people)
            spent_s = (time.process_time() - begun_s) / max(1, crops)
            tell(
                f"{listing.name}: {len(people) + PART} people or so, of {count}; {spent_s:.3f} core s a crop"
            )
        people += _read_part(listing).people
        number += step
    return people


def drawn_people(folder: Path) -> list[DrawnPerson]:
    """Everybody of whom `draw_identities` has left crops so far. Raises EngineError where nobody is."""
    listings = sorted(folder.glob("part-*.json"))
    people = [person for listing in listings for person in _read_part(listing).people]
    if not people:
        raise EngineError(
            f"{folder}: no drawn people; `python -m engines.training.synthetic identities --out {folder}` "
            "draws them"
        )
    return people


def crops_of(folder: Path, person: DrawnPerson) -> NDArray[np.uint8]:
    """A person's crops (n, height, width, 3), BGR. Raises EngineError for a file that is not as it was."""
    path = folder / person.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != person.sha256:
        raise EngineError(f"{path}: not as it was drawn (SHA-256); delete its part-*.json to draw it again")
    strip = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(np.stack(np.split(np.asarray(strip, np.uint8), len(person.crops), axis=1)))


def _read_part(path: Path) -> DrawnPart:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DrawnPart)
    except (OSError, msgspec.DecodeError) as error:
        raise EngineError(
            f"{path}: not a list of drawn people: {error}; delete it to draw it again"
        ) from error


def _draw_part(folder: Path, listing: Path, part: int, seed: int) -> None:
    held_out = part % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    looks = list(_looks(part, seed, held_out))
    rng = np.random.default_rng([seed, part, 88])
    uses = [USES[place] for place in rng.choice(len(USES), PART, p=USED)]
    found = [_Found() for _ in looks]
    name, bodies = "none", list[Dressed]()
    for shop in range(SHOPS):
        scene = mingling_scene((seed * 100_000 + part) * SHOPS + shop, looks, uses)
        studio = Studio(scene, samples=0)
        name = studio.renderer.name
        bodies = [mover.dressed for mover in studio.stage.movers]
        faults = [CameraFaults(scene.seed, camera) for camera in range(CAMERAS)]
        for moment_s in MOMENTS_S:
            _take(studio, faults, moment_s + float(rng.uniform(-3, 3)), f"{part}-{shop}", found)
        studio.renderer.close()
    people = [
        _write(folder, f"{part:04d}-{place:02d}", (look, bodies[place]), held_out, one, rng)
        for place, (look, one) in enumerate(zip(looks, found, strict=True))
        if len(one.crops) >= LEAST_CROPS
    ]
    partial = listing.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(DrawnPart(part, seed, name, people))))
    partial.replace(listing)


def _looks(part: int, seed: int, held_out: bool) -> Iterator[PersonLook]:
    """Looks of a part, in whole outfits only of those that it may wear."""
    first = (FIRST_HELD_OUT_LOOK if held_out else FIRST_LOOK) + seed * 20_000_000 + part * 100
    found = 0
    for number in range(first, first + 100):
        rng = np.random.default_rng([number, 5])
        look = PersonLook(
            number,
            years=float(rng.uniform(5, 14)) if rng.random() < 0.06 else None,
            headscarf=bool(rng.random() < 0.05),
            dark=bool(rng.random() < 0.06),
        )
        outfit = dress(look, parts(), Textures()).outfit
        if not outfit or (outfit in HELD_OUT_OUTFITS) == held_out:
            found += 1
            yield look
        if found == PART:
            return


def _take(studio: Studio, faults: list[CameraFaults], time_s: float, shop: str, found: list[_Found]) -> None:
    """All cameras' crops of one moment."""
    frame = round(time_s * studio.scene.fps)
    tableau = studio.stage.at(frame / studio.scene.fps)
    studio.renderer.set_moving(tableau.meshes)
    for camera in range(CAMERAS):
        view = studio.view(camera, tableau.time_s)
        numbers = studio.renderer.numbers(view)
        wanted = []
        for actor in tableau.actors:
            box = whole_box(view, actor.mesh.vertices[:, :3])
            if box is None:
                continue
            left, top, right, bottom = box
            inside = max(left, 0.0), max(top, 0.0), min(right, SIZE[0]), min(bottom, SIZE[1])
            wide, high = inside[2] - inside[0], inside[3] - inside[1]
            if wide < LEAST_PX / 5 or high < LEAST_PX or wide * high < 0.6 * (right - left) * (bottom - top):
                continue
            joints = view.project(np.stack(list(actor.moment.joints.values())))
            shown = float(np.mean([_shows(numbers, actor.number, u, v) for u, v in joints.tolist()]))
            if shown >= LEAST_SHOWN:
                wanted.append((actor.number, inside, shown))
        if not wanted:
            continue
        image = faults[camera].see(studio.sensed(camera, studio.renderer.picture(view), frame))
        for number, box, shown in wanted:
            x, y = (box[2] - box[0]) * 0.125, (box[3] - box[1]) / 9
            grown = (box[0] - x, box[1] - y, box[2] + x, box[3] + y)
            found[number - 1].pictures.append(cut(image, grown, CROP_WH))
            found[number - 1].crops.append(
                DrawnCrop(
                    f"{shop}-{camera}", frame / studio.scene.fps, round(box[3] - box[1]), round(shown, 2)
                )
            )


def _shows(numbers: NDArray[np.int32], number: int, u: float, v: float) -> bool:
    if not (0 <= u < numbers.shape[1] and 0 <= v < numbers.shape[0]):
        return False
    return bool(numbers[int(v), int(u)] == number)


def _write(
    folder: Path,
    name: str,
    who: tuple[PersonLook, Dressed],
    held_out: bool,
    found: _Found,
    rng: np.random.Generator,
) -> DrawnPerson:
    chosen = np.sort(rng.permutation(len(found.crops))[:MOST_CROPS])
    strip = np.concatenate([found.pictures[place] for place in chosen], axis=1)
    data = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    file = f"{name}.jpg"
    (folder / file).write_bytes(data)
    look, dressed = who
    return DrawnPerson(
        name,
        file,
        hashlib.sha256(data).hexdigest(),
        held_out,
        look.seed,
        dressed.shape.female,
        dressed.shape.years,
        round(dressed.height_m, 3),
        dressed.outfit,
        [found.crops[place] for place in chosen],
    )
