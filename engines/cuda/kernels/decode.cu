// Raw outputs of detectors to a box, a score and a class for every cell, as in engines/inference/decoders.py.
// A cell that is no candidate has score -1, class -1 and an empty box.

static __device__ void store_candidate(u64 place, bool candidate, const float* box, float score, int kind, float* boxes,
                                       float* scores, int* kinds) {
    for (int side = 0; side < 4; ++side) candidate = candidate && is_finite(box[side]);
    candidate = candidate && is_finite(score);
    for (int side = 0; side < 4; ++side) boxes[4 * place + (u64)side] = candidate ? box[side] : 0.0f;
    scores[place] = candidate ? score : -1.0f;
    kinds[place] = candidate ? kind : -1;
}

// Column, row and stride of a cell: strides 8, 16, ... level by level, row by row. False beyond the last.
static __device__ bool find_cell(int cell, int width, int height, int levels, float* column, float* row, float* stride) {
    for (int level = 0; level < levels; ++level) {
        const int step = 8 << level;
        const int columns = (width + step - 1) / step, rows = (height + step - 1) / step;
        if (cell < columns * rows) {
            *column = (float)(cell % columns);
            *row = (float)(cell / columns);
            *stride = (float)step;
            return true;
        }
        cell -= columns * rows;
    }
    return false;
}

// The class with the best score among `count`, the first of equals; `only` >= 0 asks for that one alone.
static __device__ int best_class(const float* scores, u64 step, int count, int only) {
    if (only >= 0) return only < count ? only : -1;
    int best = -1;
    for (int kind = 0; kind < count; ++kind)
        if (is_finite(scores[(u64)kind * step]) && (best < 0 || scores[(u64)kind * step] > scores[(u64)best * step]))
            best = kind;
    return best;
}

static __device__ void corners_of(float x, float y, float width, float height, float* box) {
    box[0] = x - width * 0.5f;
    box[1] = y - height * 0.5f;
    box[2] = x + width * 0.5f;
    box[3] = y + height * 0.5f;
}

// Ours: predictions [images, cells, 5]: distances from the cell's centre to the four sides in pixels, score.
extern "C" __global__ void decode_ltrb(const float* predictions, int images, int cells, int width, int height,
                                       int levels, float least_score, float* boxes, float* scores, int* kinds) {
    const int cell = (int)(blockIdx.x * blockDim.x + threadIdx.x), image = (int)blockIdx.y;
    if (cell >= cells || image >= images) return;
    const u64 place = (u64)image * (u64)cells + (u64)cell;
    const float* row = predictions + 5 * place;
    float column_at = 0.0f, row_at = 0.0f, stride = 0.0f;
    const bool known = find_cell(cell, width, height, levels, &column_at, &row_at, &stride);
    const float x = (column_at + 0.5f) * stride, y = (row_at + 0.5f) * stride;
    const float box[4] = {x - row[0], y - row[1], x + row[2], y + row[3]};
    store_candidate(place, known && row[4] >= least_score, box, row[4], 0, boxes, scores, kinds);
}

// Not fminf: that would turn a NaN into the largest size there is.
static __device__ float size_of(float logarithm) { return expf(logarithm > 10.0f ? 10.0f : logarithm); }

// YOLOX without its own decoding: predictions [images, cells, 5 + classes]: offset, log size, objectness, classes.
extern "C" __global__ void decode_yolox(const float* predictions, int images, int cells, int classes, int only,
                                        int width, int height, int levels, float least_score, float* boxes,
                                        float* scores, int* kinds) {
    const int cell = (int)(blockIdx.x * blockDim.x + threadIdx.x), image = (int)blockIdx.y;
    if (cell >= cells || image >= images) return;
    const u64 place = (u64)image * (u64)cells + (u64)cell;
    const float* row = predictions + (u64)(5 + classes) * place;
    float column_at = 0.0f, row_at = 0.0f, stride = 0.0f;
    const bool known = find_cell(cell, width, height, levels, &column_at, &row_at, &stride);
    const int kind = best_class(row + 5, 1, classes, only);
    const float score = kind < 0 ? -1.0f : row[4] * row[5 + kind];
    float box[4];
    corners_of((row[0] + column_at) * stride, (row[1] + row_at) * stride, size_of(row[2]) * stride, size_of(row[3]) * stride, box);
    store_candidate(place, known && kind >= 0 && score >= least_score, box, score, kind, boxes, scores, kinds);
}

// YOLOv8-style: predictions [images, 4 + classes, cells]: centre and size in pixels, classes.
extern "C" __global__ void decode_yolov8(const float* predictions, int images, int cells, int classes, int only,
                                         float least_score, float* boxes, float* scores, int* kinds) {
    const int cell = (int)(blockIdx.x * blockDim.x + threadIdx.x), image = (int)blockIdx.y;
    if (cell >= cells || image >= images) return;
    const u64 step = (u64)cells;
    const float* column = predictions + (u64)image * (u64)(4 + classes) * step + (u64)cell;
    const int kind = best_class(column + 4 * step, step, classes, only);
    const float score = kind < 0 ? -1.0f : column[(u64)(4 + kind) * step];
    float box[4];
    corners_of(column[0], column[step], column[2 * step], column[3 * step], box);
    store_candidate((u64)image * step + (u64)cell, kind >= 0 && score >= least_score, box, score, kind, boxes, scores,
                    kinds);
}
