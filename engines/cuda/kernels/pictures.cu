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

// Bilinear, edges repeated: cv2.resize(INTER_LINEAR) without its rounding.
static __device__ void sample(const Frame& frame, Between x, Between y, float* bgr) {
    const int next_x = bounded_index(x.first + 1, frame.width), next_y = bounded_index(y.first + 1, frame.height);
    float a[3], b[3], c[3], d[3];
    read_pixel(frame, x.first, y.first, a);
    read_pixel(frame, next_x, y.first, b);
    read_pixel(frame, x.first, next_y, c);
    read_pixel(frame, next_x, next_y, d);
    for (int channel = 0; channel < 3; ++channel) {
        const float above = a[channel] + (b[channel] - a[channel]) * x.share;
        const float below = c[channel] + (d[channel] - c[channel]) * x.share;
        bgr[channel] = above + (below - above) * y.share;
    }
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

// out [crops, 3, height, width]: the boxes of all images (input pixels, [images, most, 4], counts [images]) cut out
// of their frames and stretched; owners [crops] says whose each is. A box is cut at the picture's edge; without
// a box, or with nothing of it in the picture, the crop is `pad`.
extern "C" __global__ void crop_boxes(const Frame* frames, const float* boxes, const int* counts, int images, int most,
                                      void* out, int half, int* owners, int crops, int width, int height,
                                      PixelRule rule) {
    const int x = (int)(blockIdx.x * blockDim.x + threadIdx.x), y = (int)(blockIdx.y * blockDim.y + threadIdx.y);
    const int crop = (int)blockIdx.z;
    if (x >= width || y >= height || crop >= crops) return;
    const int owner = owner_of(crop, counts, images, most);
    if (x == 0 && y == 0) owners[crop] = owner;
    float bgr[3] = {rule.pad, rule.pad, rule.pad};
    if (owner >= 0) {
        const Frame frame = frames[owner / most];
        const float* box = boxes + 4 * (u64)owner;
        const float wide = (float)frame.width, high = (float)frame.height;
        const float left = bounded((box[0] - (float)frame.left) * frame.step_x, 0.0f, wide);
        const float top = bounded((box[1] - (float)frame.top) * frame.step_y, 0.0f, high);
        const float right = bounded((box[2] - (float)frame.left) * frame.step_x, 0.0f, wide);
        const float bottom = bounded((box[3] - (float)frame.top) * frame.step_y, 0.0f, high);
        const bool known = is_finite(box[0]) && is_finite(box[1]) && is_finite(box[2]) && is_finite(box[3]);
        if (known && right > left && bottom > top && is_readable(frame))
            sample(frame, between(left + ((float)x + 0.5f) * ((right - left) / (float)width) - 0.5f, frame.width),
                   between(top + ((float)y + 0.5f) * ((bottom - top) / (float)height) - 0.5f, frame.height), bgr);
    }
    store_pixel(out, half, (u64)crop, x, y, width, height, bgr, rule);
}
