// Frames in their rings to network inputs, and boxes on the device to crops.

// Whether every pixel of the frame lies in the bytes that may be read.
static __device__ bool is_readable(const Frame& frame) {
    if (!frame.pixels || frame.width < 1 || frame.height < 1 || frame.row_bytes < 1) return false;
    const u64 row = (u64)frame.row_bytes, width = (u64)frame.width, height = (u64)frame.height;
    if (frame.format == 0) return row >= 3 * width && (height - 1) * row + 3 * width <= frame.bytes;
    if (frame.format != 1) return false;
    const u64 chroma_width = 2 * ((width + 1) / 2), chroma_height = (height + 1) / 2;
    return row >= chroma_width && (height - 1) * row + width <= frame.bytes && frame.chroma_offset <= frame.bytes &&
           (chroma_height - 1) * row + chroma_width <= frame.bytes - frame.chroma_offset;
}

// Blue, green, red, 0 to 255, of a pixel that must lie in a readable frame. The coefficients are OpenCV's.
static __device__ void read_pixel(const Frame& frame, int x, int y, float* bgr) {
    const u64 row = (u64)y * (u64)frame.row_bytes;
    if (frame.format == 0) {
        const u8* pixel = frame.pixels + row + 3 * (u64)x;
        bgr[0] = pixel[0];
        bgr[1] = pixel[1];
        bgr[2] = pixel[2];
        return;
    }
    const u8* chroma = frame.pixels + frame.chroma_offset + (u64)(y / 2) * (u64)frame.row_bytes + 2 * (u64)(x / 2);
    const float luma = 1.16400146f * fmaxf((float)frame.pixels[row + (u64)x] - 16.0f, 0.0f);
    const float u = (float)chroma[0] - 128.0f, v = (float)chroma[1] - 128.0f;
    bgr[0] = bounded(luma + 2.01799965f * u, 0.0f, 255.0f);
    bgr[1] = bounded(luma - 0.39099979f * u - 0.81299973f * v, 0.0f, 255.0f);
    bgr[2] = bounded(luma + 1.59599972f * v, 0.0f, 255.0f);
}

// A place along one side: between pixel `first` and the next, `share` of the way.
struct Between {
    int first;
    float share;
};

// Where the centre of output pixel `index` of `count` lies along a picture side of `size` pixels, which is laid over
// all of them; pixel centres are at half integers. Whole numbers as long as can be: nothing is lost on a wide side.
static __device__ Between between(int index, int count, int size) {
    const int numerator = (2 * index + 1) * size - count, denominator = 2 * count;
    if (numerator <= 0) return {0, 0.0f};
    const int first = numerator / denominator;
    if (first >= size - 1) return {size - 1, 0.0f};
    return {first, (float)(numerator - first * denominator) / (float)denominator};
}

static __device__ Between between(float place, int size) {
    place = bounded(place, 0.0f, (float)(size - 1));
    const int first = bounded_index((int)place, size);
    return {first, place - (float)first};
}

// Between four pixels, above a and b and below c and d, by the shares of the right and the lower ones.
static __device__ void mix(const float* a, const float* b, const float* c, const float* d, float right, float lower,
                           float* bgr) {
    for (int channel = 0; channel < 3; ++channel) {
        const float above = a[channel] + (b[channel] - a[channel]) * right;
        const float below = c[channel] + (d[channel] - c[channel]) * right;
        bgr[channel] = above + (below - above) * lower;
    }
}

// Bilinear, edges repeated: cv2.resize(INTER_LINEAR) without its rounding.
static __device__ void sample(const Frame& frame, Between x, Between y, float* bgr) {
    const int next_x = bounded_index(x.first + 1, frame.width), next_y = bounded_index(y.first + 1, frame.height);
    float a[3], b[3], c[3], d[3];
    read_pixel(frame, x.first, y.first, a);
    read_pixel(frame, next_x, y.first, b);
    read_pixel(frame, x.first, next_y, c);
    read_pixel(frame, next_x, next_y, d);
    mix(a, b, c, d, x.share, y.share, bgr);
}

static __device__ void store_pixel(void* out, int half, u64 image, int x, int y, int width, int height,
                                   const float* bgr, const PixelRule& rule) {
    const u64 plane = (u64)width * (u64)height;
    const u64 place = image * 3 * plane + (u64)y * (u64)width + (u64)x;
    for (int channel = 0; channel < 3; ++channel) {
        const float value = bgr[rule.rgb ? 2 - channel : channel];
        store(out, half, place + (u64)channel * plane, (value - rule.mean[channel]) / rule.std[channel]);
    }
}

// out [batch, 3, height, width]: each frame scaled into its place, `pad` beside it and where there is no frame.
extern "C" __global__ void letterbox(const Frame* frames, int frame_count, void* out, int half, int batch, int width,
                                     int height, PixelRule rule) {
    const int x = (int)(blockIdx.x * blockDim.x + threadIdx.x), y = (int)(blockIdx.y * blockDim.y + threadIdx.y);
    const int image = (int)blockIdx.z;
    if (x >= width || y >= height || image >= batch) return;
    float bgr[3] = {rule.pad, rule.pad, rule.pad};
    if (image < frame_count) {
        const Frame frame = frames[image];
        const int column = x - frame.left, row = y - frame.top;
        const bool placed = column >= 0 && row >= 0 && column < frame.placed_width && row < frame.placed_height;
        if (placed && is_readable(frame))
            sample(frame, between(column, frame.placed_width, frame.width),
                   between(row, frame.placed_height, frame.height), bgr);
    }
    store_pixel(out, half, (u64)image, x, y, width, height, bgr, rule);
}

// Which box the `crop`-th one is, counting image by image: image * most + rank, or -1 beyond the last.
static __device__ int owner_of(int crop, const int* counts, int images, int most) {
    for (int image = 0; image < images; ++image) {
        const int count = counts[image] < 0 ? 0 : counts[image] < most ? counts[image] : most;
        if (crop < count) return image * most + crop;
        crop -= count;
    }
    return -1;
}

// One side of a box in picture pixels: cut at the picture's edge as the detections are, then grown by `grown` of its
// size beyond each end. `shown` is what of it the picture shows.
struct Span {
    float from, to, shown;
};

static __device__ Span span_of(float from, float to, int offset, float step, int size, float grown) {
    const float low = bounded((from - (float)offset) * step, 0.0f, (float)size);
    const float high = bounded((to - (float)offset) * step, 0.0f, (float)size);
    const float more = (high - low) * grown;
    return {low - more, high + more, high - low};
}

// Pixels of a picture's side that interpolation in a span may read, `count` of them from `first` on, averaged to
// `seen`: as many, or halved as often as the crop wants.
struct Window {
    int first, count, seen;
};

enum { AROUND_PX = 2 };

static __device__ Window window_of(const Span& span, int size) {
    const int first = (int)span.from - AROUND_PX < 0 ? 0 : (int)span.from - AROUND_PX;
    const int last = (int)span.to + AROUND_PX > size ? size : (int)span.to + AROUND_PX;
    return {first, last - first, last - first};
}

// Halves both sides until less than a factor of two is left to shrink, so that no pixel is skipped.
static __device__ void shrink(Window* across, Window* down, float scale) {
    while (scale < 0.5f && across->seen > 1 && down->seen > 1) {
        across->seen /= 2;
        down->seen /= 2;
        scale *= 2.0f;
    }
}

// Where the centre of output pixel `index` of `count` over a span lies among what the window shows.
static __device__ Between between(int index, int count, const Span& span, const Window& window) {
    const float place = ((float)index + 0.5f) * ((span.to - span.from) / (float)count) + span.from - (float)window.first;
    return between(place * ((float)window.seen / (float)window.count) - 0.5f, window.seen);
}

// How much of picture pixel `pixel` (counted from the window's first) belongs to pixel `index` of what it shows.
static __device__ float share_of(int pixel, int index, const Window& window) {
    const int from = index * window.count, to = from + window.count;
    const int low = pixel * window.seen, high = low + window.seen;
    return (float)((high < to ? high : to) - (low > from ? low : from)) / (float)window.count;
}

// Pixel (x, y) of what the windows show: the mean of the picture's pixels that it covers.
static __device__ void read_shrunk(const Frame& frame, const Window& across, const Window& down, int x, int y,
                                   float* bgr) {
    bgr[0] = bgr[1] = bgr[2] = 0.0f;
    for (int row = y * down.count / down.seen; row * down.seen < (y + 1) * down.count; ++row) {
        const float high = share_of(row, y, down);
        for (int column = x * across.count / across.seen; column * across.seen < (x + 1) * across.count; ++column) {
            const float share = high * share_of(column, x, across);
            float pixel[3];
            read_pixel(frame, across.first + column, down.first + row, pixel);
            for (int channel = 0; channel < 3; ++channel) bgr[channel] += share * pixel[channel];
        }
    }
}

// A pixel of a crop: cv2.warpAffine(INTER_LINEAR, BORDER_REPLICATE) of the shrunk window, without its rounding.
static __device__ void sample_crop(const Frame& frame, const Window& across, const Window& down, Between x, Between y,
                                   float* bgr) {
    const int next_x = bounded_index(x.first + 1, across.seen), next_y = bounded_index(y.first + 1, down.seen);
    float a[3], b[3], c[3], d[3];
    read_shrunk(frame, across, down, x.first, y.first, a);
    read_shrunk(frame, across, down, next_x, y.first, b);
    read_shrunk(frame, across, down, x.first, next_y, c);
    read_shrunk(frame, across, down, next_x, next_y, d);
    mix(a, b, c, d, x.share, y.share, bgr);
}

// out [crops, 3, height, width]: the boxes of all images (input pixels, [images, most, 4], counts [images]) cut out
// of their frames, grown by shares of their size, and stretched, as engines/inference/crops.py does it: beyond the picture its
// edge is repeated. owners [crops] says whose each is. Without a box, or where the picture shows less than a pixel
// of it, the crop is `pad`.
extern "C" __global__ void crop_boxes(const Frame* frames, const float* boxes, const int* counts, int images, int most,
                                      void* out, int half, int* owners, int crops, int width, int height,
                                      float grown_x, float grown_y, PixelRule rule) {
    const int x = (int)(blockIdx.x * blockDim.x + threadIdx.x), y = (int)(blockIdx.y * blockDim.y + threadIdx.y);
    const int crop = (int)blockIdx.z;
    if (x >= width || y >= height || crop >= crops) return;
    const int owner = owner_of(crop, counts, images, most);
    if (x == 0 && y == 0) owners[crop] = owner;
    float bgr[3] = {rule.pad, rule.pad, rule.pad};
    if (owner >= 0) {
        const Frame frame = frames[owner / most];
        const float* box = boxes + 4 * (u64)owner;
        const Span wide = span_of(box[0], box[2], frame.left, frame.step_x, frame.width, grown_x);
        const Span high = span_of(box[1], box[3], frame.top, frame.step_y, frame.height, grown_y);
        const bool known = is_finite(box[0]) && is_finite(box[1]) && is_finite(box[2]) && is_finite(box[3]);
        if (known && wide.shown >= 1.0f && high.shown >= 1.0f && is_readable(frame)) {
            Window across = window_of(wide, frame.width), down = window_of(high, frame.height);
            shrink(&across, &down,
                   fminf((float)width / (wide.to - wide.from), (float)height / (high.to - high.from)));
            sample_crop(frame, across, down, between(x, width, wide, across), between(y, height, high, down), bgr);
        }
    }
    store_pixel(out, half, (u64)crop, x, y, width, height, bgr, rule);
}
