"""The `tagsight` command: finds the subcommand, prints errors for people."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from runtime.lazy_group import LazyGroup
from tagsight.errors import TagsightError
from tagsight.redaction import redact, redact_traces

COMMANDS = {
    "run": ("runtime.commands.run", "Run the daemon for one store."),
    "demo": ("runtime.commands.demo", "Run the plaza store: real video, a simulated reader, a local broker."),
    "cameras": ("runtime.commands.cameras", "Find the network's cameras and their streams (ONVIF)."),
    "video": ("runtime.commands.video", "Track and count persons in a video file."),
    "config": ("runtime.commands.config", "Write, check, draw and describe store.yaml."),
    "engines": ("engines.catalogue.cli", "Networks this machine can run: list, add, verify."),
    "rfid": ("rfid_reader.cli", "Capture, replay, judge and simulate tag reads."),
    "calibrate": ("calibration.cli", "Measure cameras, floor, antennas and clocks on site."),
    "events": ("runtime.uplink.events_cli", "Describe, decode and watch events."),
    "uplink": ("runtime.uplink.cli", "Receive events for the cloud; keys for the uplink."),
    "fleet": ("fleet.cli", "Many shops in one warehouse: load test, answers, history."),
    "bench": ("bench.cli", "Measure this machine, each figure against a baseline of the same run."),
    "report": ("runtime.commands.report", "One day in figures: a page, tables, a heatmap."),
    "view": ("runtime.commands.view", "Say where the box's pages are, with a link to sign in by."),
    "healthcheck": (
        "runtime.commands.healthcheck",
        "Say whether the box is well, by a sentence and an exit code.",
    ),
    "doctor": ("runtime.commands.doctor", "Say what this machine has and what is missing."),
}
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""One thread for numpy's matrix products, here and in every process started from here, unless the user says
otherwise: ours are small, and a second thread that waits for them turns a core idly (judging tags takes 15 %
of a core with two, 8 % with one). numpy reads it when it is first imported.
"""


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("tagsight"), prog_name="tagsight")
def tagsight() -> None:
    """Customer flow and garment handling from a shop's own cameras and RFID readers, without names.

    \b
    Example:
      tagsight demo --seconds 60 --out demo-out
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a fault the user can mend, 2 wrong usage, 130 interrupted."""
    os.environ.setdefault(BLAS_THREADS, "1")
    redact_traces()
    try:
        status = tagsight.main(args=arguments, prog_name="tagsight", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(redact(shown.getvalue()), nl=False, err=True)
        sys.exit(error.exit_code)
    except TagsightError as error:
        click.echo(f"tagsight: {redact(str(error))}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
