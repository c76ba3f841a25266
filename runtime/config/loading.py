"""From a file to a StoreConfig, or to all of its mistakes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from runtime.config.checks.cameras import check_cameras
from runtime.config.checks.console import check_console
from runtime.config.checks.coverage import check_view
from runtime.config.checks.files import check_files, complete_floor, resolve_paths
from runtime.config.checks.maps import check_maps
from runtime.config.checks.metrics import check_metrics
from runtime.config.checks.sections import (
    check_areas,
    check_articles,
    check_camera_places,
    check_engines,
    check_entrances,
    check_names,
    check_readers,
    check_site,
    check_uplink,
)
from runtime.config.mistakes import ConfigErrors, Mistake, placed
from runtime.config.model import StoreConfig
from runtime.config.parsing import yaml_tree
from runtime.config.parsing.draft import read
from runtime.config.stock import place_stock, read_stock

CHECKS = (
    check_files,
    complete_floor,
    check_site,
    check_names,
    check_cameras,
    check_camera_places,
    check_maps,
    check_entrances,
    check_view,
    check_areas,
    read_stock,
    check_articles,
    place_stock,
    check_readers,
    check_engines,
    check_uplink,
    check_console,
    check_metrics,
)


log = logging.getLogger(__name__)


class Examined(NamedTuple):
    """A store and what is to be said of its config: mistakes that are tolerated, and remarks."""

    store: StoreConfig
    mistakes: list[Mistake]


def load(path: str | Path, *, clips_needed: bool = True) -> StoreConfig:
    """The store that `path` describes, checked as a whole. Raises ConfigErrors with every mistake.

    Relative paths in the file start at the file's folder and are absolute in the result; `floor.extent_m` is
    always filled in. Without `clips_needed` the video files of cameras may be missing: another will be used.
    """
    file = Path(path)
    return parse(yaml_tree.read_text(file), file, clips_needed=clips_needed)


def parse(text: str, file: Path, *, clips_needed: bool = True) -> StoreConfig:
    """As `load`, from text; `file` names it in messages and its folder is where relative paths start."""
    store, mistakes = examine(text, file, clips_needed=clips_needed)
    unsound = [mistake for mistake in mistakes if mistake.weight != "remark"]
    if unsound:
        raise ConfigErrors(file, unsound)
    return store


def load_running(path: str | Path, *, clips_needed: bool = True) -> Examined:
    """As `load` for a box that is in service: what is tolerated there is no reason to stop, but is told.

    Raises ConfigErrors with every mistake where one of them is not tolerated.
    """
    file = Path(path)
    return examine(yaml_tree.read_text(file), file, clips_needed=clips_needed)


def load_at_work(path: str | Path, *, clips_needed: bool = True) -> StoreConfig:
    """As `load_running` for the commands that a technician needs on site: mistakes are logged."""
    store, mistakes = load_running(path, clips_needed=clips_needed)
    for mistake in mistakes:
        if mistake.weight == "tolerated":
            log.warning("warning: %s: %s", placed(mistake, Path(path)), mistake)
    return store


def examine(text: str, file: Path, *, clips_needed: bool = True) -> Examined:
    """The store of a text, and what is tolerated in it or only remarked on.

    Raises ConfigErrors with every mistake where one of them is not tolerated.
    """
    draft = read(yaml_tree.parse(text, file), file.absolute().parent)
    draft.clips_needed = clips_needed
    resolve_paths(draft)
    for check in CHECKS:
        check(draft)
    found = sorted(draft.notes.mistakes, key=lambda mistake: (mistake.file is not None, mistake.line))
    if any(mistake.weight == "refused" for mistake in found) or draft.site is None or draft.floor is None:
        raise ConfigErrors(file, [mistake for mistake in found if mistake.weight != "remark"])
    store = StoreConfig(
        site=draft.site,
        floor=draft.floor,
        cameras=[camera for _, camera in draft.cameras],
        entrances=[entrance for _, entrance in draft.entrances],
        zones=[zone for _, zone in draft.zones],
        fixtures=[fixture for _, fixture in draft.fixtures],
        readers=[reader for _, reader in draft.readers],
        engines=draft.engines,
        uplink=draft.uplink,
        retention=draft.retention,
        intervals=draft.intervals,
        inventory=draft.inventory,
        log=draft.log,
        console=draft.console,
        metrics=draft.metrics,
        home_assistant=draft.home_assistant,
        state_dir=draft.state_dir,
        epcs_file=draft.epcs_file,
        file=file.absolute(),
    )
    return Examined(store, found)
