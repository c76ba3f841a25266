// A stand-in for libcuda.so.1 that runs the kernels of the host double: what engines/cuda calls through pycuda,
// cuda-bindings and ctypes, and nothing else. GPU memory is this process's memory. $TAGSIGHT_STAND_IN names the
// device's abilities: integrated, register, read_only, graphs; and `late`: what is queued on a stream runs only
// when somebody has to wait for it, so that what is read too early, or written again too soon, shows; `unfair`: the
// same for streams with a priority only, which shows where an ordinary one should have waited for them.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace stand_in {

enum { OK = 0, INVALID_VALUE = 1, INVALID_IMAGE = 200, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, REGISTERED = 712, NOT_REGISTERED = 713, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901 };
enum { PRIORITY_LEAST = 0, PRIORITY_GREATEST = -5 };

static std::map<std::uintptr_t, std::size_t> device_memory, pinned_memory, registered_memory;
static int module_mark, context_mark;
static void* current_context = nullptr;

static bool has(const char* ability) {
    const char* abilities = std::getenv("TAGSIGHT_STAND_IN");
    return abilities && std::strstr(abilities, ability);
}

// Whether [address, address + size) lies in one piece of that memory.
static bool inside(const std::map<std::uintptr_t, std::size_t>& memory, std::uintptr_t address, std::size_t size) {
    auto next = memory.upper_bound(address);
    if (next == memory.begin()) return false;
    --next;
    return address + size <= next->first + next->second;
}

// Whether a GPU could reach `size` bytes there: its own memory, pinned or registered memory.
static bool reachable(const void* address, std::size_t size) {
    const auto place = (std::uintptr_t)address;
    return inside(device_memory, place, size) || inside(pinned_memory, place, size) || inside(registered_memory, place, size);
}

// Whether all that the kernel is given lies where a GPU could reach it, the pictures of its frames too.
static bool arguments_reachable(const host::Entry& entry, void** arguments) {
    void* found[32];
    const std::size_t count = entry.pointers(arguments, found);
    for (std::size_t number = 0; number < count; ++number)
        if (found[number] && !reachable(found[number], 1)) return false;
    const int counted_by = !std::strcmp(entry.name, "letterbox") ? 1 : !std::strcmp(entry.name, "crop_boxes") ? 3 : 0;
    if (!counted_by) return true;
    const Frame* frames = (const Frame*)found[0];
    for (int number = 0; number < *(int*)arguments[counted_by]; ++number)
        if (frames[number].pixels && !reachable(frames[number].pixels, frames[number].bytes)) return false;
    return true;
}

typedef std::function<int()> Work;

// What a stream has been told to do and has not done; while it is captured, what a graph will do.
struct Stream {
    std::deque<Work> waiting;
    int priority = 0;
    bool captured = false, spoilt = false;
    std::vector<Work> graph;
};
typedef std::vector<Work> Graph;
struct Event {
    Stream* stream = nullptr;
    int outstanding = 0;
    std::chrono::steady_clock::time_point time;
};

static std::set<Stream*> streams;
static int fault_so_far = OK;

static void run_one(Stream* stream) {
    Work work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    const int fault = work();
    if (!fault_so_far) fault_so_far = fault;
}
static void run_all(Stream* stream) {
    while (!stream->waiting.empty()) run_one(stream);
}
static void run_until(Event* event) {
    while (event->outstanding && !event->stream->waiting.empty()) run_one(event->stream);
}
static void run_everything() {
    for (Stream* stream : streams) run_all(stream);
}
// The first fault that nobody has been told of. (A real driver repeats it for ever.)
static int told() { return std::exchange(fault_so_far, OK); }

static int queue(Stream* stream, Work work) {
    if (!streams.count(stream)) return INVALID_HANDLE;
    if (stream->captured) {
        stream->graph.push_back(std::move(work));
        return OK;
    }
    stream->waiting.push_back(std::move(work));
    if (has("late") || (has("unfair") && stream->priority)) return OK;
    return run_all(stream), told();
}

// Memory that a GPU can copy from and to while this thread goes on.
static bool pinned(const void* host, std::size_t size) {
    const auto place = (std::uintptr_t)host;
    return inside(pinned_memory, place, size) || inside(registered_memory, place, size);
}
static int spoil(Stream* stream) { return stream->spoilt = true, CAPTURE_UNSUPPORTED; }

}  // namespace stand_in

using namespace stand_in;
typedef unsigned long long DevicePointer;

extern "C" {

// Not CUDA's: for the double of TensorRT, which computes here what an engine computes on a GPU.
int stand_in_reachable(const void* address, std::size_t size) { return reachable(address, size); }

int cuInit(unsigned) { return OK; }
int cuDriverGetVersion(int* version) { return *version = 13000, OK; }
int cuDeviceGetCount(int* count) { return *count = 1, OK; }
int cuDeviceGet(int* device, int number) { return *device = 0, number == 0 ? OK : 101; }
int cuDeviceGetName(char* name, int size, int) { return std::snprintf(name, size, "stand-in"), OK; }
int cuDeviceTotalMem_v2(std::size_t* bytes, int) { return *bytes = std::size_t(1) << 30, OK; }
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    *free = *total = std::size_t(1) << 30;
    for (const auto& [start, size] : device_memory) *free -= size;
    return OK;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
    const std::map<int, int> known = {{16, 8}, {18, has("integrated")}, {75, 8}, {76, 7}, {99, has("register")}, {113, has("read_only")}};
    const auto found = known.find(attribute);
    *value = found == known.end() ? 0 : found->second;
    return OK;
}

int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &context_mark, OK; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void* context) { return current_context = context, OK; }
int cuCtxGetCurrent(void** context) { return *context = current_context, OK; }
int cuCtxPushCurrent_v2(void* context) { return current_context = context, OK; }
int cuCtxPopCurrent_v2(void** context) {
    if (context) *context = current_context;
    return current_context = nullptr, OK;
}
int cuCtxGetDevice(int* device) { return *device = 0, OK; }
int cuCtxDetach(void*) { return OK; }
int cuCtxSynchronize() { return run_everything(), told(); }

int cuMemAlloc_v2(DevicePointer* address, std::size_t size) {
    *address = (DevicePointer)std::malloc(size);
    device_memory[(std::uintptr_t)*address] = size;
    return OK;
}
int cuMemFree_v2(DevicePointer address) {
    run_everything();
    if (!device_memory.erase((std::uintptr_t)address)) return INVALID_VALUE;
    std::free((void*)address);
    return OK;
}
int cuMemHostAlloc(void** address, std::size_t size, unsigned) {
    *address = std::malloc(size);
    pinned_memory[(std::uintptr_t)*address] = size;
    return OK;
}
int cuMemFreeHost(void* address) {
    run_everything();
    if (!pinned_memory.erase((std::uintptr_t)address)) return INVALID_VALUE;
    std::free(address);
    return OK;
}
int cuMemHostRegister_v2(void* address, std::size_t size, unsigned flags) {
    if (!has("register") || (flags & 8 && !has("read_only"))) return 801;
    for (const auto& [start, length] : registered_memory)
        if ((std::uintptr_t)address < start + length && start < (std::uintptr_t)address + size) return REGISTERED;
    registered_memory[(std::uintptr_t)address] = size;
    return OK;
}
int cuMemHostUnregister(void* address) { return registered_memory.erase((std::uintptr_t)address) ? OK : NOT_REGISTERED; }
int cuMemHostGetDevicePointer_v2(DevicePointer* device, void* host, unsigned) {
    const bool known = inside(pinned_memory, (std::uintptr_t)host, 1) || inside(registered_memory, (std::uintptr_t)host, 1);
    *device = (DevicePointer)host;
    return known ? OK : INVALID_VALUE;
}
int cuMemcpyHtoDAsync_v2(DevicePointer device, const void* host, std::size_t size, void* handle) {
    Stream* stream = (Stream*)handle;
    if (!inside(device_memory, (std::uintptr_t)device, size)) return INVALID_VALUE;
    if (pinned(host, size))
        return queue(stream, [=] { return pinned(host, size) ? (std::memcpy((void*)device, host, size), OK) : ILLEGAL_ADDRESS; });
    if (stream && stream->captured) return spoil(stream);
    const std::string staged((const char*)host, size);
    return queue(stream, [=] { return std::memcpy((void*)device, staged.data(), size), OK; });
}
int cuMemcpyDtoHAsync_v2(void* host, DevicePointer device, std::size_t size, void* handle) {
    Stream* stream = (Stream*)handle;
    if (!inside(device_memory, (std::uintptr_t)device, size)) return INVALID_VALUE;
    const bool asynchronous = pinned(host, size);
    if (!asynchronous && stream && stream->captured) return spoil(stream);
    const int fault = queue(stream, [=] { return std::memcpy(host, (void*)device, size), OK; });
    if (fault || asynchronous) return fault;
    return run_all(stream), told();
}

static void* new_stream(int priority) {
    Stream* stream = new Stream;
    stream->priority = priority;
    return streams.insert(stream), stream;
}
int cuStreamCreate(void** stream, unsigned) { return *stream = new_stream(0), OK; }
int cuCtxGetStreamPriorityRange(int* least, int* greatest) { return *least = PRIORITY_LEAST, *greatest = PRIORITY_GREATEST, OK; }
int cuStreamCreateWithPriority(void** stream, unsigned, int priority) { return *stream = new_stream(priority), OK; }
int cuStreamGetPriority(void* stream, int* priority) { return *priority = ((Stream*)stream)->priority, OK; }
int cuStreamDestroy_v2(void* handle) {
    Stream* stream = (Stream*)handle;
    if (!streams.count(stream)) return INVALID_HANDLE;
    return run_all(stream), streams.erase(stream), delete stream, told();
}
int cuStreamSynchronize(void* handle) {
    Stream* stream = (Stream*)handle;
    if (!streams.count(stream)) return INVALID_HANDLE;
    if (stream->captured) return spoil(stream);
    return run_all(stream), told();
}
int cuStreamWaitEvent(void* stream, void* handle, unsigned) {
    Event* event = (Event*)handle;
    return queue((Stream*)stream, [=] { return run_until(event), OK; });
}
int cuLaunchHostFunc(void* stream, void (*function)(void*), void* with) {
    return queue((Stream*)stream, [=] { return function(with), OK; });
}
int cuEventCreate(void** event, unsigned) { return *event = new Event, OK; }
int cuEventDestroy_v2(void* event) { return run_until((Event*)event), delete (Event*)event, OK; }
int cuEventRecord(void* handle, void* stream) {
    Event* event = (Event*)handle;
    if (stream && ((Stream*)stream)->captured) return spoil((Stream*)stream);
    event->stream = (Stream*)stream;
    ++event->outstanding;
    return queue((Stream*)stream, [=] { return --event->outstanding, event->time = std::chrono::steady_clock::now(), OK; });
}
int cuEventSynchronize(void* event) { return run_until((Event*)event), told(); }
int cuEventQuery(void* event) { return ((Event*)event)->outstanding ? NOT_READY : OK; }
int cuEventElapsedTime(float* ms, void* start, void* end) {
    if (((Event*)start)->outstanding || ((Event*)end)->outstanding) return NOT_READY;
    return *ms = std::chrono::duration<float, std::milli>(((Event*)end)->time - ((Event*)start)->time).count(), OK;
}
int cuEventElapsedTime_v2(float* ms, void* start, void* end) { return cuEventElapsedTime(ms, start, end); }

int cuStreamBeginCapture_v2(void* handle, int) {
    Stream* stream = (Stream*)handle;
    if (!has("graphs")) return NOT_SUPPORTED;
    if (!streams.count(stream) || stream->captured) return INVALID_VALUE;
    return stream->captured = true, stream->spoilt = false, stream->graph.clear(), OK;
}
int cuStreamIsCapturing(void* stream, int* status) { return *status = ((Stream*)stream)->captured, OK; }
int cuStreamEndCapture(void* handle, void** graph) {
    Stream* stream = (Stream*)handle;
    if (!stream->captured) return INVALID_VALUE;
    stream->captured = false;
    *graph = stream->spoilt ? nullptr : new Graph(std::move(stream->graph));
    return stream->spoilt ? CAPTURE_INVALIDATED : OK;
}
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) { return *executable = new Graph(*(Graph*)graph), OK; }
int cuGraphDestroy(void* graph) { return delete (Graph*)graph, OK; }
int cuGraphExecDestroy(void* graph) { return run_everything(), delete (Graph*)graph, OK; }
int cuGraphLaunch(void* graph, void* stream) {
    for (const Work& work : *(Graph*)graph)
        if (const int fault = queue((Stream*)stream, work)) return fault;
    return OK;
}

int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
    *module = &module_mark;
    return std::memcmp(image, "\x7f" "ELF", 4) ? INVALID_IMAGE : OK;
}
int cuModuleLoadData(void** module, const void* image) { return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr); }
int cuModuleUnload(void*) { return OK; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    for (const host::Entry& entry : entries)
        if (!std::strcmp(entry.name, name)) return *function = (void*)&entry, OK;
    return NOT_FOUND;
}
int cuFuncSetBlockShape(void*, int, int, int) { return OK; }
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                   void* stream, void** arguments, void** extra) {
    const host::Entry& entry = *(const host::Entry*)function;
    std::array<char, 256> block;
    void* places[32];
    if (arguments)
        entry.pack(arguments, block.data());
    else if (!extra || extra[0] != (void*)1 || extra[2] != (void*)2)
        return INVALID_VALUE;
    else if (entry.unpack((char*)extra[1], places) != *(std::size_t*)extra[3])
        return INVALID_VALUE;
    else
        std::memcpy(block.data(), extra[1], *(std::size_t*)extra[3]);
    return queue((Stream*)stream, [=, &entry]() mutable {
        void* given[32];
        entry.unpack(block.data(), given);
        if (!arguments_reachable(entry, given)) return (int)ILLEGAL_ADDRESS;
        return host::launch(entry, {gx, gy, gz}, {bx, by, bz}, given, 0) ? (int)LAUNCH_FAILED : (int)OK;
    });
}

int cuGetErrorName(int fault, const char** name) {
    static const std::map<int, const char*> names = {{1, "CUDA_ERROR_INVALID_VALUE"}, {101, "CUDA_ERROR_INVALID_DEVICE"}, {200, "CUDA_ERROR_INVALID_IMAGE"},
        {400, "CUDA_ERROR_INVALID_HANDLE"}, {500, "CUDA_ERROR_NOT_FOUND"}, {600, "CUDA_ERROR_NOT_READY"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED"}, {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}, {801, "CUDA_ERROR_NOT_SUPPORTED"}, {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}, {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}};
    const auto found = names.find(fault);
    return *name = found == names.end() ? "CUDA_ERROR_UNKNOWN" : found->second, OK;
}
int cuGetErrorString(int fault, const char** text) { return cuGetErrorName(fault, text); }

int cuGetProcAddress_v2(const char* name, void** place, int, std::uint64_t, int* status) {
    static void* const self = [] {
        Dl_info info;
        dladdr((void*)&cuInit, &info);
        return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    }();
    *place = dlsym(self, (std::string(name) + "_v2").c_str());
    if (!*place) *place = dlsym(self, name);
    if (status) *status = *place ? 0 : 1;
    return *place ? OK : NOT_FOUND;
}

}
