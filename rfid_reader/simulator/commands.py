"""`tagsight rfid simulate` and `tagsight rfid replay`: readers that are not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from rfid_reader.errors import ReaderError
from rfid_reader.reads import load_reads
from rfid_reader.settings import LLRP_PORT


@click.command()
@click.argument("reads", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=LLRP_PORT, show_default=True, help="TCP port; 0 picks one.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="Times the recorded pace.")
def replay(reads: Path, host: str, port: int, speed: float) -> None:
    """Play a read table back as an LLRP reader, for the daemon or any other client.

    Ends when everything was played. Times are those of the playing, not of the recording.

    \b
    Example:
      tagsight rfid replay reads.csv --port 5084
    """
    from rfid_reader.simulator.llrp.server import SimulatedReader
    from rfid_reader.simulator.sources import RecordedSource

    if speed <= 0:
        raise click.BadParameter("--speed has to be positive")
    source = RecordedSource(load_reads(reads), speed)
    with SimulatedReader(source, port, host=host) as simulated:
        click.echo(f"playing {reads} on {host}:{simulated.port}")
        _wait(simulated.failed, lambda: source.finished and simulated.idle())
        click.echo(f"{simulated.reports_sent} reads sent")


def _wait(failed: Callable[[], BaseException | None], finished: Callable[[], bool]) -> None:
    """Until interrupted, finished or failed."""
    try:
        while not finished() and failed() is None:
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    failure = failed()
    if failure is not None:
        raise ReaderError(f"the simulated reader failed: {failure!r}")


@click.command()
@click.option(
    "--scenario",
    required=True,
    metavar="FILE|NAME",
    help="The store to simulate: a YAML file, or one that ships (tagsight rfid scenario list).",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=LLRP_PORT, show_default=True, help="TCP port; 0 picks one.")
@click.option("--truth", type=click.Path(path_type=Path), help="Write every true flip here (JSON lines).")
@click.option("--seed", type=int, help="Another seed than the scenario's.")
@click.option(
    "--epoch", type=float, help="Host time (UTC seconds) at which the scenario is at 0; now by default."
)
@click.option("--seconds", type=float, default=0.0, help="Stop after this long; 0 until interrupted.")
@click.option(
    "--reads", type=click.Path(path_type=Path), help="Write --seconds of reads here at once; no reader."
)
@click.option("--no-impinj", is_flag=True, help="A reader without Impinj's extensions: no phase.")
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path),
    help="Speak TLS with this certificate and key (one PEM file).",
)
def simulate(
    scenario: str,
    host: str,
    port: int,
    truth: Path | None,
    seed: int | None,
    epoch: float | None,
    seconds: float,
    reads: Path | None,
    no_impinj: bool,
    tls_cert: Path | None,
) -> None:
    """Simulate a reader in a store: real LLRP over TCP, physics underneath, the truth beside it.

    A truth line has epc, start_s and end_s (UTC seconds), scenario_start_s, scenario_end_s, rack and person.

    \b
    Example:
      tagsight rfid simulate --scenario boutique --port 5084 --truth truth.jsonl --seed 7
      tagsight rfid simulate --scenario boutique --seconds 300 --reads reads.csv --truth truth.jsonl
    """
    from rfid_reader.simulator.llrp.server import SimulatedReader, reader_certificate
    from rfid_reader.simulator.offline import write_simulated_reads
    from rfid_reader.simulator.scenarios.files import find_scenario, load_scenario
    from rfid_reader.simulator.truth import TruthFile

    source = load_scenario(find_scenario(scenario))
    with TruthFile(truth) as truth_file:
        if reads is not None:
            if seconds <= 0:
                raise click.UsageError("--reads needs --seconds")
            rows = write_simulated_reads(source, reads, seconds, epoch or 0.0, seed, truth_file.write)
            click.echo(f"{reads}: {rows} reads, {truth_file.flips} flips")
            return
        with SimulatedReader(
            source,
            port,
            host=host,
            epoch=epoch,
            seed=seed,
            impinj=not no_impinj,
            on_flip=truth_file.write,
            tls=reader_certificate(tls_cert) if tls_cert is not None else None,
        ) as simulated:
            click.echo(f"simulating {source.scenario.name} on {host}:{simulated.port}")
            end_s = time.monotonic() + (seconds or float("inf"))
            _wait(simulated.failed, lambda: time.monotonic() >= end_s)
