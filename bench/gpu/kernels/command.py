"""`tagsight bench kernels`: the CUDA kernels without a GPU.

The kernels' own source is built for this CPU and compared with a float64 oracle. With `--mutants` each
of a list of deliberate faults is put in and must be found; with `--compile` they are compiled for every
GPU we aim at. Nothing here measures a GPU's speed.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from bench.gpu import stand_in
from bench.gpu.kernels.cases import Mismatch
from bench.gpu.kernels.on_gpu import check_on_gpu
from engines.cuda.errors import CompileError, GpuError
from engines.cuda.kernels.compile import TARGETS, Usage, compilers, usage
from tagsight.errors import TagsightError


@click.command()
@click.option("--sanitize", is_flag=True, help="Under AddressSanitizer and UBSan.")
@click.option("--mutants", is_flag=True, help="Put in deliberate faults; all must be found.")
@click.option(
    "--compile", "compile_all", is_flag=True, help="Compile for every target with every compiler here."
)
@click.option("--gpu", "on_gpu", is_flag=True, help="The same checks on the GPU here.")
@click.option("--stand-in", "over", is_flag=True, help="Try --gpu without one.")
@click.option("--rounds", type=click.FloatRange(0.01, 100), default=1.0, show_default=True, help="Of --gpu.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def kernels(
    sanitize: bool,
    mutants: bool,
    compile_all: bool,
    on_gpu: bool,
    over: bool,
    rounds: float,
    as_json: bool,
) -> None:
    """Compare the CUDA kernels with a float64 oracle on this CPU (host build, never GPU speed).

    \b
    Example:
      tagsight bench kernels --mutants
    """
    if on_gpu or over:
        _on_gpu(rounds, over, as_json)
        return
    console = Console(stderr=as_json)
    report: dict[str, object] = {"where": "host build"}
    if mutants:
        report["mutants"] = _hunt(console)
    elif compile_all:
        report["compiled"] = _compile(console)
    else:
        report["largest_error"] = _compare(console, sanitize)
    if as_json:
        click.echo(json.dumps(report))


def _on_gpu(rounds: float, over: bool, as_json: bool) -> None:
    if over and not stand_in.is_here():
        again = ["bench", "kernels", "--gpu", "--rounds", str(rounds), *["--json"] * as_json]
        click.echo(stand_in.run(again), nl=False)
        return
    try:
        where, errors = check_on_gpu(rounds)
    except Mismatch as mismatch:
        raise TagsightError(f"the kernels differ from the oracle on the GPU: {mismatch}") from mismatch
    except GpuError as error:
        said = f"not run: no GPU ({error})"
        click.echo(json.dumps({"not_run": said}) if as_json else said)
        return
    if as_json:
        click.echo(json.dumps({"where": where, "largest_error": errors}))
        return
    _print_errors(Console(), where, errors)


def _print_errors(console: Console, where: str, errors: dict[str, float]) -> None:
    table = Table("kernel", "largest error against float64", title=where)
    for name, error in errors.items():
        table.add_row(name, f"{error:.2g}")
    console.print(table)


def _compare(console: Console, sanitize: bool) -> dict[str, float]:
    from bench.gpu.kernels.lane import run_lane

    verdict = run_lane(sanitize=sanitize)
    if verdict.fault is not None:
        raise TagsightError(f"the kernels differ from the oracle: {verdict.fault}")
    _print_errors(console, "host build", verdict.errors)
    return verdict.errors


def _hunt(console: Console) -> list[dict[str, str | None]]:
    from bench.gpu.kernels.mutants import MUTANTS, Caught, judge

    found: list[Caught] = []
    for number, mutant in enumerate(MUTANTS, 1):
        found.append(judge(mutant))
        console.print(f"{number}/{len(MUTANTS)} {mutant.name}: {found[-1].by or 'NOT FOUND'}", markup=False)
    missed = [one.mutant.name for one in found if one.by is None]
    if missed:
        raise TagsightError(f"{len(missed)} of {len(found)} mutants were not found: {', '.join(missed)}")
    console.print(f"all {len(found)} mutants were found")
    return [{"mutant": one.mutant.name, "found_by": one.by, "words": one.words} for one in found]


def _compile(console: Console) -> list[dict[str, object]]:
    rows: list[Usage] = []
    for compiler in compilers():
        for target in TARGETS:
            if target in compiler.targets:
                rows.extend(usage(compiler, target))
    if not rows:
        raise CompileError("no CUDA compiler is here: nvcc, or pip install nvidia-cuda-nvrtc-cu12")
    table = Table("compiler", "target", "kernel", "registers", "spilled bytes", "shared bytes")
    for row in rows:
        numbers = (row.registers, row.spilled_bytes, row.shared_bytes)
        table.add_row(row.compiler, f"sm_{row.target}", row.kernel, *map(str, numbers))
    console.print(table)
    return [asdict(row) for row in rows]
