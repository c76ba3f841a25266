// What all kernels share. The files of this folder are compiled as one unit, in the order that
// engines/cuda/kernels/sources.py gives, and use no header: NVRTC and nvcc build them for a GPU, g++ for the host double.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// A frame of the batch where it lies. Its twin in Python is engines.cuda.kernels.launches.FRAME.
struct Frame {
    const u8* pixels;     // null where the batch has no frame
    u64 bytes;            // that may be read from `pixels` on
    u64 chroma_offset;    // NV12: where the plane of chroma begins
    int width, height;    // pixels
    int row_bytes;        // from one row to the next, in both planes
    int format;           // 0 BGR, 1 NV12 (BT.601, limited range), as in runtime.frames.ring
    float step_x, step_y; // picture pixels per input pixel
    int left, top;        // where the picture lies in the input
    int placed_width, placed_height;
};

// What the network wants: (value - mean) / std in its own order of channels.
struct PixelRule {
    float mean[3];
    float std[3];
    float pad;
    int rgb;
};

static __device__ bool is_finite(float value) { return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u; }

static __device__ float bounded(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

static __device__ int bounded_index(int value, int count) { return value < 0 ? 0 : value < count ? value : count - 1; }

// IEEE 754 binary16, rounded to nearest, ties to even. Plain arithmetic instead of the cvt instruction so that
// the code that runs on the GPU is the code that was compared with the oracle.
static __device__ u16 half_bits(float value) {
    const u32 bits = __float_as_uint(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (u16)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (u16)(sign | 0x7c00u);
    if (magnitude <= 0x33000000u) return (u16)sign;
    if (magnitude < 0x38800000u) {
        const u32 shift = 126u - (magnitude >> 23), mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        const u32 rest = mantissa & ((1u << shift) - 1u), tie = 1u << (shift - 1u);
        u32 quotient = mantissa >> shift;
        if (rest > tie || (rest == tie && (quotient & 1u))) ++quotient;
        return (u16)(sign | quotient);
    }
    return (u16)(sign | (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13);
}

static __device__ void store(void* out, int half, u64 index, float value) {
    if (half)
        ((u16*)out)[index] = half_bits(value);
    else
        ((float*)out)[index] = value;
}
