"""Deliberate faults of the kernels, each of a kind that is easily made, which the checks must find."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.gpu.kernels.lane import run_lane
from engines.cuda.kernels.sources import source
from testing.gpu.host_kernels.build import HostKernelsError


@dataclass(frozen=True)
class Mutant:
    """One fault: `right` occurs once in the kernels and becomes `wrong`; `check` is where it should show."""

    name: str
    check: str
    right: str
    wrong: str


MUTANTS = (
    Mutant(
        "blue and red exchanged",
        "letterbox",
        "bgr[rule.rgb ? 2 - channel : channel]",
        "bgr[rule.rgb ? channel : 2 - channel]",
    ),
    Mutant(
        "mean of the picture's channel order",
        "letterbox",
        "(value - rule.mean[channel])",
        "(value - rule.mean[rule.rgb ? 2 - channel : channel])",
    ),
    Mutant(
        "pixel centres at whole numbers", "letterbox", "(2 * index + 1) * size - count", "2 * index * size"
    ),
    Mutant("chroma of the next column", "letterbox", "2 * (u64)(x / 2);", "2 * (u64)((x + 1) / 2);"),
    Mutant(
        "chroma rows as many as luma rows",
        "letterbox",
        "(u64)(y / 2) * (u64)frame.row_bytes",
        "(u64)y * (u64)frame.row_bytes",
    ),
    Mutant(
        "a gap after the row forgotten",
        "letterbox",
        "const u8* pixel = frame.pixels + row + 3 * (u64)x;",
        "const u8* pixel = frame.pixels + 3 * ((u64)y * (u64)frame.width + (u64)x);",
    ),
    Mutant(
        "last row's right neighbour not bounded",
        "letterbox",
        "next_x = bounded_index(x.first + 1, frame.width)",
        "next_x = x.first + 1",
    ),
    Mutant(
        "size of the frame's memory not checked",
        "letterbox",
        "(height - 1) * row + 3 * width <= frame.bytes;",
        "true;",
    ),
    Mutant(
        "chroma's end not checked",
        "letterbox",
        "(chroma_height - 1) * row + chroma_width <= frame.bytes - frame.chroma_offset",
        "true",
    ),
    Mutant(
        "one row too many",
        "letterbox",
        "if (x >= width || y >= height || image >= batch) return;",
        "if (x >= width || y > height || image >= batch) return;",
    ),
    Mutant(
        "empty places of the batch left as they were",
        "letterbox",
        "if (image < frame_count) {",
        "if (image >= frame_count) return;\n    {",
    ),
    Mutant(
        "halves cut off, not rounded",
        "half",
        "magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u",
        "magnitude - 0x38000000u",
    ),
    Mutant(
        "ties of subnormal halves away from even",
        "half",
        "rest > tie || (rest == tie && (quotient & 1u))",
        "rest >= tie",
    ),
    Mutant(
        "boxes not cut at the picture's far edge",
        "crops",
        "bounded((to - (float)offset) * step, 0.0f, (float)size)",
        "fmaxf((to - (float)offset) * step, 0.0f)",
    ),
    Mutant(
        "boxes grown at one end only", "crops", "return {low - more, high + more", "return {low - more, high"
    ),
    Mutant("what is grown counted as shown", "crops", "high - low};", "high - low + 2.0f * more};"),
    Mutant(
        "the window's end not cut at the picture's edge",
        "crops",
        "(int)span.to + AROUND_PX > size ? size : (int)span.to + AROUND_PX",
        "(int)span.to + AROUND_PX",
    ),
    Mutant(
        "large boxes sampled, not averaged",
        "crops",
        "while (scale < 0.5f &&",
        "while (scale < 0.0f &&",
    ),
    Mutant(
        "only the whole pixels of a mean counted",
        "crops",
        "row * down.seen < (y + 1) * down.count;",
        "row < (y + 1) * down.count / down.seen;",
    ),
    Mutant(
        "the shrunk window's last column not bounded",
        "crops",
        "next_x = bounded_index(x.first + 1, across.seen)",
        "next_x = x.first + 1",
    ),
    Mutant("owner's place in the batch forgotten", "crops", "return image * most + crop;", "return crop;"),
    Mutant(
        "counts above the table believed",
        "crops",
        "counts[image] < most ? counts[image] : most",
        "counts[image]",
    ),
    Mutant(
        "boxes that are not numbers cropped",
        "crops",
        "if (known && wide.shown >= 1.0f",
        "if (wide.shown >= 1.0f",
    ),
    Mutant(
        "less than a pixel cropped",
        "crops",
        "wide.shown >= 1.0f && high.shown >= 1.0f",
        "wide.shown > 0.0f && high.shown > 0.0f",
    ),
    Mutant("cell corners instead of centres", "decoders", "(row_at + 0.5f) * stride", "row_at * stride"),
    Mutant("levels round down", "decoders", "rows = (height + step - 1) / step", "rows = height / step"),
    Mutant(
        "NaN becomes the largest size",
        "decoders",
        "logarithm > 10.0f ? 10.0f : logarithm",
        "fminf(logarithm, 10.0f)",
    ),
    Mutant(
        "score above, not at, the least",
        "decoders",
        "known && row[4] >= least_score",
        "known && row[4] > least_score",
    ),
    Mutant(
        "refused cells not written",
        "decoders",
        "scores[place] = candidate ? score : -1.0f;",
        "if (candidate) scores[place] = score;",
    ),
    Mutant("suppression across classes", "suppress", "kind[later] == kind[rank] && overlap", "overlap"),
    Mutant(
        "suppressed boxes suppress",
        "suppress",
        "const bool keep = alive[rank] && place < KEPT;",
        "const bool keep = place < KEPT;",
    ),
    Mutant("equal scores in any order", "suppress", "(u64)(0xffffffffu - (u32)cell)", "(u64)(u32)(cell + 1)"),
    Mutant(
        "barrier after the histogram missing",
        "suppress",
        "atomicAdd(&bins[(int)(key >> shift & 255)], 1);\n        }\n        __syncthreads();",
        "atomicAdd(&bins[(int)(key >> shift & 255)], 1);\n        }",
    ),
    Mutant(
        "barrier in the sort missing",
        "suppress",
        "keys[high] = other;\n            }\n            __syncthreads();",
        "keys[high] = other;\n            }",
    ),
    Mutant(
        "barrier only for some threads",
        "suppress",
        "place < KEPT;\n        __syncthreads();",
        "place < KEPT;\n        if (thread < candidates) __syncthreads();",
    ),
    Mutant("places beyond the kept not written", "suppress", "kept_kinds[place] = -1;\n    }", "}"),
    Mutant("more kept than there is room for", "suppress", "alive[rank] && place < KEPT", "alive[rank]"),
    Mutant(
        "sum without the second half's last",
        "normalise",
        "half = NORMALISE_THREADS / 2; half > 0",
        "half = NORMALISE_THREADS / 2; half > 1",
    ),
    Mutant(
        "squares overflow",
        "normalise",
        "const float share = in[column] / largest;",
        "const float share = in[column];",
    ),
)


@dataclass(frozen=True)
class Caught:
    """What became of a mutant: what found it (`compiled` checks, `sanitizer`), or None, and its words."""

    mutant: Mutant
    by: str | None
    words: str


def mutated(mutant: Mutant) -> str:
    """The kernels with that fault. Raises HostKernelsError where its place is not found once."""
    kernels = source()
    if kernels.count(mutant.right) != 1:
        raise HostKernelsError(
            f"mutant '{mutant.name}': its place occurs {kernels.count(mutant.right)} times"
        )
    return kernels.replace(mutant.right, mutant.wrong)


def judge(mutant: Mutant) -> Caught:
    """Run the check meant for it, then that check under the sanitizers. Raises HostKernelsError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mutant.cu"
        file.write_text(mutated(mutant))
        for by, sanitize, rounds in (("comparison", False, 1.0), ("sanitizer", True, 0.5)):
            fault = run_lane(file, sanitize=sanitize, rounds=rounds, only=(mutant.check,)).fault
            if fault is not None:
                return Caught(mutant, by, fault)
    return Caught(mutant, None, "")


def hunt() -> Iterator[Caught]:
    """Every mutant in turn."""
    for mutant in MUTANTS:
        yield judge(mutant)
