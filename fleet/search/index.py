"""Garments by nearness of embeddings (faiss): exact for a shop's hundreds, a graph for a chain's many."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError

EXACT_UP_TO = 20_000
NEIGHBOURS = 24
"""Links of each garment in the graph (HNSW, Malkov and Yashunin 2016)."""
LOOKED_AT = 96
"""Garments that a search of the graph keeps in view."""


class GarmentIndex:
    """`embeddings` (count, numbers), each of length 1: nearness is the cosine."""

    def __init__(self, embeddings: npt.NDArray[np.float32], exact_up_to: int = EXACT_UP_TO) -> None:
        """Raises FleetError where faiss is not installed."""
        try:
            import faiss
        except ImportError as error:
            raise FleetError("garments are searched with faiss: pip install 'tagsight[search]'") from error
        faiss.omp_set_num_threads(1)
        length = embeddings.shape[1]
        self._index: Any
        if len(embeddings) <= exact_up_to:
            self._index = faiss.IndexFlatIP(length)
        else:
            self._index = faiss.IndexHNSWFlat(length, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = LOOKED_AT
            self._index.hnsw.efSearch = LOOKED_AT
        self._index.add(np.ascontiguousarray(embeddings))
        self.count = len(embeddings)

    def nearest(
        self, wanted: npt.NDArray[np.float32], count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Places and cosines of the `count` nearest to each row of `wanted`, nearest first."""
        cosines, places = self._index.search(np.ascontiguousarray(wanted), min(count, self.count))
        return places, cosines
