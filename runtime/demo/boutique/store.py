"""The boutique: a minute of a staged shop in three films, and a simulated reader that follows the same
scene."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from broker.mosquitto import free_port
from engines.scene.courses import Trajectory
from engines.scene.reading import load_scene
from engines.scene.spec import Scene
from engines.scene.truth import courses
from runtime.demo.page import page_section
from runtime.demo.plaza import Opened, Prepared, calibrate_quiet, run_store
from runtime.demo.staging import scenario_of, store_of, write_paths
from tagsight.errors import TagsightError

HERE = Path(__file__).parent
SCENE = HERE / "scene.yaml"
LEAD_S = 20.0
"""The films begin so long after the daemon is started; who is slower waits for their next turn."""


@dataclass(frozen=True)
class Boutique:
    """The scene, everybody's course in it, and the films by camera."""

    scene: Scene
    everybody: Sequence[Trajectory]
    films: dict[str, Path]

    @classmethod
    def shipped(cls) -> Boutique:
        """What comes with the product. Raises TagsightError for a film that is missing."""
        scene = load_scene(SCENE)
        films = {camera.name: HERE / f"{camera.name}.mp4" for camera in scene.cameras}
        for film in films.values():
            if not film.is_file():
                raise TagsightError(f"{film}: the boutique's film is missing; it comes with tagsight")
        return cls(scene, courses(scene), films)


@contextmanager
def open_boutique(boutique: Boutique, folder: Path, broker_port: int) -> Iterator[Opened]:
    """Run the simulated reader and the daemon as processes of their own until the context ends."""
    with run_store(prepare_boutique(boutique, folder, broker_port)) as opened:
        yield opened


def prepare_boutique(boutique: Boutique, folder: Path, broker_port: int) -> Prepared:
    """Write the scenario, the paths and store.yaml into `folder`.

    `epoch_s` of what is given is when a turn of the films began, is about to begin, or begins once more.
    """
    scenario = folder / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(scenario_of(boutique.scene, boutique.everybody), sort_keys=False))
    write_paths(boutique.scene, boutique.everybody, folder / "paths.csv")
    calibrate_quiet(folder, scenario)
    reader_port = free_port()
    epoch_s = round(time.time() + LEAD_S - boutique.scene.seconds, 3)
    uris = {
        name: f"file:{film}?loop=1&pace=real&epoch={epoch_s:.3f}" for name, film in boutique.films.items()
    }
    store = store_of(boutique.scene, uris)
    store["readers"][0].update(port=reader_port, calibration=str(folder / "antennas.yaml"))
    store["uplink"] = {"host": "127.0.0.1", "port": broker_port, "trust_broker": True}
    store["console"] = page_section()
    store["state_dir"] = str(folder / "state")
    (folder / "state").mkdir(mode=0o700)
    config = folder / "store.yaml"
    config.write_text(yaml.safe_dump(store, sort_keys=False))
    return Prepared(folder, config, scenario, reader_port, epoch_s)
