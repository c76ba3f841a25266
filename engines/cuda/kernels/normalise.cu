// Rows to length 1: embeddings before they are compared.

enum { NORMALISE_THREADS = 128 };

// The sum (or, with `largest`, the maximum) of one value a thread; the same for every thread of the block.
static __device__ float reduced(float value, bool largest, float* shared) {
    const int thread = (int)threadIdx.x;
    shared[thread] = value;
    __syncthreads();
    for (int half = NORMALISE_THREADS / 2; half > 0; half /= 2) {
        if (thread < half)
            shared[thread] = largest ? fmaxf(shared[thread], shared[thread + half]) : shared[thread] + shared[thread + half];
        __syncthreads();
    }
    const float result = shared[0];
    __syncthreads();
    return result;
}

// in, out [rows, columns]; a block a row. A row of zeros stays zeros; one with a value that is not finite has no
// direction and becomes zeros too, which is like nobody. Scaled by its largest value first, so no square overflows.
extern "C" __global__ void l2_normalise(const float* in, float* out, int rows, int columns) {
    __shared__ float shared[NORMALISE_THREADS];
    const int row = (int)blockIdx.x, thread = (int)threadIdx.x;
    if (row >= rows) return;
    in += (u64)row * (u64)columns;
    out += (u64)row * (u64)columns;
    float largest = 0.0f, broken = 0.0f;
    for (int column = thread; column < columns; column += NORMALISE_THREADS) {
        largest = fmaxf(largest, fabsf(in[column]));
        if (!is_finite(in[column])) broken = 1.0f;
    }
    largest = reduced(largest, true, shared);
    broken = reduced(broken, true, shared);
    const bool empty = broken > 0.0f || !(largest > 0.0f);
    float sum = 0.0f;
    for (int column = thread; column < columns && !empty; column += NORMALISE_THREADS) {
        const float share = in[column] / largest;
        sum += share * share;
    }
    const float length = sqrtf(reduced(sum, false, shared));
    for (int column = thread; column < columns; column += NORMALISE_THREADS)
        out[column] = empty ? 0.0f : in[column] / largest / length;
}
