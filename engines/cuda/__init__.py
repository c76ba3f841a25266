"""Frames to persons on an NVIDIA GPU, without copying a frame on the CPU.

    frames     where frames lie in memory and where they go in the network's input
    launches   the kernels' arguments and launch shapes
    sources    the kernels' source as one unit
    compile    that unit to a cubin, by NVRTC or nvcc, cached
    driver     the GPU: what it can, a frame ring opened to it, launches
    inference  a TensorRT engine run on a stream at fixed addresses
    framepath  the kernels around the detector, from frames to persons
    crops      what other networks say of these persons
    lane       one batch in flight: streams, buffers, contexts, graphs
    execution  two of them in turn, which is what the vision process uses
    stored     engines from the store of verified plans
    buffers    memory made once and given back together
    probe      what is here, in words
    libraries  pycuda (`by_pycuda`) or cuda-bindings (`by_bindings`) below it; `libcuda` for what both lack

`kernels/*.cu` is plain CUDA C++ without a header. The same text is built for the CPU by `tagsight bench
kernels` and compared with an oracle there. docs/frame-path.md follows one frame through it and says what has
never run on a GPU.
"""
