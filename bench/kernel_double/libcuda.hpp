// A stand-in for libcuda.so.1 that runs the kernels of the host double: what engines/cuda calls through pycuda,
// cuda-bindings and ctypes, and nothing else. GPU memory is this process's memory, every call is done when it
// returns. $TAGSIGHT_STAND_IN names the device's abilities: integrated, register, read_only.
#include <cstdint>
#include <dlfcn.h>
#include <map>
#include <string>

namespace stand_in {

enum { OK = 0, INVALID_VALUE = 1, INVALID_IMAGE = 200, REGISTERED = 712, NOT_REGISTERED = 713, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719 };

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

}  // namespace stand_in

using namespace stand_in;
typedef unsigned long long DevicePointer;

extern "C" {

int cuInit(unsigned) { return OK; }
int cuDriverGetVersion(int* version) { return *version = 13000, OK; }
int cuDeviceGetCount(int* count) { return *count = 1, OK; }
int cuDeviceGet(int* device, int number) { return *device = 0, number == 0 ? OK : 101; }
int cuDeviceGetName(char* name, int size, int) { return std::snprintf(name, size, "stand-in"), OK; }
int cuDeviceTotalMem_v2(std::size_t* bytes, int) { return *bytes = std::size_t(1) << 30, OK; }

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
int cuCtxSynchronize() { return OK; }

int cuMemAlloc_v2(DevicePointer* address, std::size_t size) {
    *address = (DevicePointer)std::malloc(size);
    device_memory[(std::uintptr_t)*address] = size;
    return OK;
}
int cuMemFree_v2(DevicePointer address) {
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
int cuMemcpyHtoDAsync_v2(DevicePointer device, const void* host, std::size_t size, void*) {
    if (!inside(device_memory, (std::uintptr_t)device, size)) return INVALID_VALUE;
    std::memcpy((void*)device, host, size);
    return OK;
}
int cuMemcpyDtoHAsync_v2(void* host, DevicePointer device, std::size_t size, void*) {
    if (!inside(device_memory, (std::uintptr_t)device, size)) return INVALID_VALUE;
    std::memcpy(host, (void*)device, size);
    return OK;
}

int cuStreamCreate(void** stream, unsigned) { return *stream = std::malloc(1), OK; }
int cuStreamDestroy_v2(void* stream) { return std::free(stream), OK; }
int cuStreamSynchronize(void*) { return OK; }
int cuEventCreate(void** event, unsigned) { return *event = std::malloc(1), OK; }
int cuEventDestroy_v2(void* event) { return std::free(event), OK; }
int cuEventRecord(void*, void*) { return OK; }
int cuEventSynchronize(void*) { return OK; }
int cuEventElapsedTime(float* ms, void*, void*) { return *ms = 0.0f, OK; }
int cuEventElapsedTime_v2(float* ms, void*, void*) { return *ms = 0.0f, OK; }

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
                   void*, void** arguments, void** extra) {
    const host::Entry& entry = *(const host::Entry*)function;
    void* places[32];
    if (!arguments) {
        if (!extra || extra[0] != (void*)1 || extra[2] != (void*)2) return INVALID_VALUE;
        if (entry.unpack((char*)extra[1], places) != *(std::size_t*)extra[3]) return INVALID_VALUE;
        arguments = places;
    }
    if (!arguments_reachable(entry, arguments)) return ILLEGAL_ADDRESS;
    return host::launch(entry, {gx, gy, gz}, {bx, by, bz}, arguments, 0) ? LAUNCH_FAILED : OK;
}

int cuGetErrorName(int fault, const char** name) {
    static const std::map<int, const char*> names = {{1, "CUDA_ERROR_INVALID_VALUE"}, {101, "CUDA_ERROR_INVALID_DEVICE"}, {200, "CUDA_ERROR_INVALID_IMAGE"},
        {500, "CUDA_ERROR_NOT_FOUND"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED"}, {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}, {801, "CUDA_ERROR_NOT_SUPPORTED"}};
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
