"""`tagsight healthcheck`: whether the box is well, in one sentence and an exit code."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import click

from contract.facts import ProcessHealth
from runtime.config import StoreConfig, load_at_work
from runtime.console.health_words import BoxLine, lines, verdict
from runtime.console.shown import ShownStore
from runtime.daybook.following import HEALTH_S, Following
from runtime.daybook.states import SILENT_S, Level

WELL: tuple[Level, ...] = ("good", "fair")


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The store's store.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def healthcheck(config_path: Path, as_json: bool) -> None:
    """Say in one sentence whether this box is well: exit code 0 if so, 1 if not.

    It reads what the daemon last wrote of its health, and asks nobody: for container engines, monitoring and
    scripts. What works with remarks is well. A daemon that has said nothing for a minute is not.

    \b
    Example:
      tagsight healthcheck --config /etc/tagsight/store.yaml
    """
    config = load_at_work(config_path, clips_needed=False)
    level, sentence, found = judge(config, time.time())
    if as_json:
        said = [{"name": line.name, "level": line.level, "words": line.words} for line in found]
        click.echo(json.dumps({"well": level in WELL, "level": level, "words": sentence, "lines": said}))
    else:
        click.echo(sentence)
    if level not in WELL:
        raise click.exceptions.Exit(1)


def judge(config: StoreConfig, now_s: float) -> tuple[Level, str, list[BoxLine]]:
    """How the box of that store is, in one sentence, and everything that it rests on."""
    events = Following(config.outbox_path(), lambda now_s: now_s - HEALTH_S, {"health"})
    health = {
        event.fact.process: event.fact
        for event in events.news(now_s)
        if isinstance(event.fact, ProcessHealth)
    }
    events.close()
    if events.fault:
        return "bad", f"Something is wrong: {events.fault}.", []
    last_s = max((found.time_s for found in health.values()), default=now_s - HEALTH_S)
    if now_s - last_s >= SILENT_S:
        silence = f"The daemon has said nothing for {now_s - last_s:.0f} s or more: is it running?"
        return "bad", silence, []
    found = lines(ShownStore.of(config), health, now_s, _disk_used(config.outbox_path().parent))
    level, sentence = verdict(found)
    if level == "good":
        return level, sentence, found
    worst = "; ".join(f"{line.name} {line.words}" for line in found if line.level == level)
    return level, f"{sentence.partition(':')[0]}: {worst}.", found


def _disk_used(folder: Path) -> float | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.used / usage.total
