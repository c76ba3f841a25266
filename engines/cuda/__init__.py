"""Frames to persons on an NVIDIA GPU, without copying a frame on the CPU.

    driver       the GPU: what it can, a frame ring opened to it, launches
    libraries    pycuda (`by_pycuda`) or cuda-bindings (`by_bindings`) below it; `libcuda` for what both lack
    kernels      their source, its compilation to a cubin by NVRTC or nvcc, arguments and launch shapes
    frames       where frames lie in memory and where they go in the network's input
    inference    a TensorRT engine run on a stream at fixed addresses
    framepath    the kernels around the detector, from frames to persons
    crops        what other networks say of these persons
    stream_slot  one batch in flight: streams, buffers, contexts, graphs
    execution    two of them in turn, which is what the vision process uses
    stored       engines from the store of verified plans
    buffers      memory made once and given back together
    probe        what is here, in words

`kernels/*.cu` is plain CUDA C++ without a header. The same text is built for the CPU by `tagsight bench
kernels` and compared with an oracle there. docs/frame-path.md follows one frame through it and says what has
never run on a GPU.
"""
