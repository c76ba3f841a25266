// What the kernels need of CUDA, on a CPU. Blocks run one after the other; the threads of a block run one after
// the other, or as fibres that change over at every barrier. Rounds alternate their order, so a result that
// depends on it shows. Shared memory is filled with rubbish before every block.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static __attribute__((section("block_shared")))

struct Index3 { unsigned x, y, z; };
static Index3 threadIdx, blockIdx, blockDim, gridDim;

extern "C" char __start_block_shared[] __attribute__((weak));
extern "C" char __stop_block_shared[] __attribute__((weak));

static unsigned __float_as_uint(float value) { unsigned bits; std::memcpy(&bits, &value, 4); return bits; }
static float __uint_as_float(unsigned bits) { float value; std::memcpy(&value, &bits, 4); return value; }
static int atomicAdd(int* place, int value) { const int old = *place; *place += value; return old; }

namespace host {

constexpr std::size_t STACK_BYTES = 256 * 1024;

struct Fibre {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
    Index3 index;
    bool done;
};

static std::vector<Fibre> fibres;
static ucontext_t scheduler;
static Fibre* running = nullptr;
static void (*thread_body)(void**);
static void** thread_arguments;

static void fibre_main() {
    thread_body(thread_arguments);
    running->done = true;
    swapcontext(&running->context, &scheduler);
}

__attribute__((no_sanitize("address", "undefined"))) static void spoil_shared() {
    for (volatile char* byte = __start_block_shared; byte < __stop_block_shared; ++byte) *byte = (char)0xcb;
}

static Index3 thread_of(unsigned number) {
    return {number % blockDim.x, number / blockDim.x % blockDim.y, number / (blockDim.x * blockDim.y)};
}

// 0, or 2 where some threads of the block ended while others wait at a barrier.
static int run_with_barriers(unsigned threads, unsigned order) {
    if (fibres.size() < threads) fibres = std::vector<Fibre>(threads);
    for (unsigned number = 0; number < threads; ++number) {
        Fibre& fibre = fibres[number];
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.get();
        fibre.context.uc_stack.ss_size = STACK_BYTES;
        fibre.context.uc_link = nullptr;
        fibre.index = thread_of(number);
        fibre.done = false;
        makecontext(&fibre.context, fibre_main, 0);
    }
    for (unsigned ended = 0; ended < threads; ++order) {
        for (unsigned turn = 0; turn < threads; ++turn) {
            running = &fibres[order % 2 ? threads - 1 - turn : turn];
            threadIdx = running->index;
            swapcontext(&scheduler, &running->context);
            ended += running->done;
        }
        running = nullptr;
        if (ended && ended != threads) return 2;
    }
    return 0;
}

template <class... A, std::size_t... I>
static void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

template <class... A> static void call(void (*kernel)(A...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<A...>{});
}

// Where the arguments lie in one block, each at its natural alignment, and how long the block is.
template <class... A> static std::size_t unpack(void (*)(A...), char* block, void** places) {
    std::size_t offset = 0, number = 0;
    const auto place = [&](std::size_t size, std::size_t alignment) {
        offset = (offset + alignment - 1) / alignment * alignment;
        places[number++] = block + offset;
        offset += size;
    };
    (place(sizeof(A), alignof(A)), ...);
    return offset;
}

// The arguments as one block, to be unpacked when the kernel runs; how long the block is.
template <class... A> static std::size_t pack(void (*kernel)(A...), void** arguments, char* block) {
    void* places[sizeof...(A)];
    std::size_t number = 0;
    const std::size_t size = unpack(kernel, block, places);
    ((std::memcpy(places[number], arguments[number], sizeof(A)), ++number), ...);
    return size;
}

// The kernel's pointers, null for every argument that is none; how many arguments there are.
template <class... A> static std::size_t pointers(void (*)(A...), void** arguments, void** found) {
    std::size_t number = 0;
    const auto look = [&](bool pointer) {
        found[number] = pointer ? *static_cast<void**>(arguments[number]) : nullptr;
        ++number;
    };
    (look(std::is_pointer<A>::value), ...);
    return number;
}

struct Entry {
    const char* name;
    bool barriers;
    void (*body)(void**);
    std::size_t (*unpack)(char*, void**);
    std::size_t (*pack)(void**, char*);
    std::size_t (*pointers)(void**, void**);
};

static int launch(const Entry& entry, Index3 grid, Index3 block, void** arguments, unsigned order) {
    gridDim = grid, blockDim = block;
    thread_body = entry.body, thread_arguments = arguments;
    const unsigned threads = block.x * block.y * block.z;
    for (unsigned number = 0; number < grid.x * grid.y * grid.z; ++number) {
        blockIdx = {number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y)};
        spoil_shared();
        if (entry.barriers) {
            if (const int fault = run_with_barriers(threads, order)) return fault;
            continue;
        }
        for (unsigned thread = 0; thread < threads; ++thread) {
            threadIdx = thread_of(thread);
            entry.body(arguments);
        }
    }
    return 0;
}

}  // namespace host

static void __syncthreads() {
    if (!host::running) {
        std::fputs("a kernel without barriers in the table has one\n", stderr);
        std::abort();
    }
    swapcontext(&host::running->context, &host::scheduler);
}

#define KERNEL(name, barriers) \
    {#name, barriers, [](void** arguments) { host::call(name, arguments); }, \
     [](char* block, void** places) { return host::unpack(name, block, places); }, \
     [](void** arguments, char* block) { return host::pack(name, arguments, block); }, \
     [](void** arguments, void** found) { return host::pointers(name, arguments, found); }}
