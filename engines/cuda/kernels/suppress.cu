// Non-maximum suppression within each class, as in engines/inference/nms.py: the best 300 candidates, at most 200 kept.
// One block of 256 threads an image. Equal scores keep the order of their cells, whatever the scheduling.

enum { SUPPRESS_THREADS = 256, CANDIDATES = 300, SORTED = 512, KEPT = 200, BINS = 256 };

// Orders candidates: higher score first, then lower cell; 0 where the cell is no candidate. No two are equal.
static __device__ u64 key_of(const float* scores, int cell) {
    const float score = scores[cell];
    if (!(score >= 0.0f)) return 0;
    const u64 bits = score > 0.0f ? __float_as_uint(score) : 0u;
    return bits << 32 | (u64)(0xffffffffu - (u32)cell);
}

static __device__ float area_of(const float* box) { return (box[2] - box[0]) * (box[3] - box[1]); }

static __device__ bool overlap(const float* a, const float* b, float iou_limit) {
    const float wide = fmaxf(fminf(a[2], b[2]) - fmaxf(a[0], b[0]), 0.0f);
    const float high = fmaxf(fminf(a[3], b[3]) - fmaxf(a[1], b[1]), 0.0f);
    const float shared = high * wide;
    const float all = fmaxf(area_of(a) + area_of(b) - shared, 1e-9f);
    return !(shared / all <= iou_limit);
}

// boxes [images, cells, 4], scores and kinds [images, cells] from a decoder. Kept ones, best first, in
// kept_boxes [images, 200, 4], kept_scores and kept_kinds [images, 200] (0, -1 and -1 beyond counts [images]).
extern "C" __global__ void suppress(const float* boxes, const float* scores, const int* kinds, int images, int cells,
                                    float iou_limit, float* kept_boxes, float* kept_scores, int* kept_kinds,
                                    int* counts) {
    __shared__ u64 keys[SORTED];
    __shared__ float box[CANDIDATES][4];
    __shared__ int kind[CANDIDATES];
    __shared__ int alive[CANDIDATES];
    __shared__ int bins[BINS];
    __shared__ int found, remaining, kept;
    __shared__ u64 threshold;

    const int thread = (int)threadIdx.x, image = (int)blockIdx.x;
    if (image >= images) return;
    boxes += 4 * (u64)image * (u64)cells;
    scores += (u64)image * (u64)cells;
    kinds += (u64)image * (u64)cells;

    if (thread == 0) found = kept = 0;
    for (int place = thread; place < SORTED; place += SUPPRESS_THREADS) keys[place] = 0;
    __syncthreads();
    int mine = 0;
    for (int cell = thread; cell < cells; cell += SUPPRESS_THREADS) mine += key_of(scores, cell) != 0;
    atomicAdd(&found, mine);
    __syncthreads();
    const bool crowded = found > CANDIDATES;
    if (thread == 0) {
        threshold = crowded ? 0 : 1;
        remaining = CANDIDATES;
    }
    __syncthreads();

    // The key of the last candidate to be compared, a byte at a time from the highest.
    for (int shift = 56; crowded && shift >= 0; shift -= 8) {
        bins[thread] = 0;
        __syncthreads();
        const u64 above = shift == 56 ? 0 : threshold >> (shift + 8);
        for (int cell = thread; cell < cells; cell += SUPPRESS_THREADS) {
            const u64 key = key_of(scores, cell);
            if (key != 0 && (shift == 56 ? 0 : key >> (shift + 8)) == above) atomicAdd(&bins[(int)(key >> shift & 255)], 1);
        }
        __syncthreads();
        if (thread == 0) {
            int bin = BINS - 1;
            while (bin > 0 && bins[bin] < remaining) remaining -= bins[bin--];
            threshold |= (u64)bin << shift;
        }
        __syncthreads();
    }

    if (thread == 0) found = 0;
    __syncthreads();
    for (int cell = thread; cell < cells; cell += SUPPRESS_THREADS) {
        const u64 key = key_of(scores, cell);
        if (key < threshold) continue;
        const int place = atomicAdd(&found, 1);
        if (place < CANDIDATES) keys[place] = key;
    }
    __syncthreads();

    // Bitonic sort, highest first.
    for (int size = 2; size <= SORTED; size *= 2) {
        for (int step = size / 2; step > 0; step /= 2) {
            const int low = 2 * thread - (thread & (step - 1)), high = low + step;
            const bool falling = (low & size) == 0;
            if ((keys[low] < keys[high]) == falling) {
                const u64 other = keys[low];
                keys[low] = keys[high];
                keys[high] = other;
            }
            __syncthreads();
        }
    }

    const int candidates = found < CANDIDATES ? found : CANDIDATES;
    for (int rank = thread; rank < candidates; rank += SUPPRESS_THREADS) {
        const int cell = (int)(0xffffffffu - (u32)keys[rank]);
        for (int side = 0; side < 4; ++side) box[rank][side] = boxes[4 * (u64)cell + (u64)side];
        kind[rank] = kinds[cell];
        alive[rank] = 1;
    }
    __syncthreads();

    kept_boxes += 4 * (u64)image * KEPT;
    kept_scores += (u64)image * KEPT;
    kept_kinds += (u64)image * KEPT;
    for (int rank = 0; rank < candidates; ++rank) {
        const int place = kept;
        const bool keep = alive[rank] && place < KEPT;
        __syncthreads();
        if (keep) {
            if (thread == 0) {
                for (int side = 0; side < 4; ++side) kept_boxes[4 * place + side] = box[rank][side];
                kept_scores[place] = __uint_as_float((u32)(keys[rank] >> 32));
                kept_kinds[place] = kind[rank];
                kept = place + 1;
            }
            for (int later = rank + 1 + thread; later < candidates; later += SUPPRESS_THREADS)
                if (kind[later] == kind[rank] && overlap(box[rank], box[later], iou_limit)) alive[later] = 0;
        }
        __syncthreads();
    }

    for (int place = kept + thread; place < KEPT; place += SUPPRESS_THREADS) {
        for (int side = 0; side < 4; ++side) kept_boxes[4 * place + side] = 0.0f;
        kept_scores[place] = -1.0f;
        kept_kinds[place] = -1;
    }
    if (thread == 0) counts[image] = kept;
}
