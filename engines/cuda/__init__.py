"""Frames to persons on an NVIDIA GPU, without copying a frame on the CPU.

    launches   the kernels' arguments and launch shapes; the frame descriptor
    sources    the kernels' source as one unit
    compile    that unit to a cubin, by NVRTC or nvcc, cached
    driver     the GPU: what it can, a frame ring opened to it, launches
    framepath  the kernels around a network, from frames to persons
    probe      what is here, in words
    libraries  pycuda (`by_pycuda`) or cuda-bindings (`by_bindings`) below it; `libcuda` for what both lack

`kernels/*.cu` is plain CUDA C++ without a header. The same text is built for the CPU by `tagsight bench
kernels` and compared with an oracle there. docs/frame-path.md follows one frame through it and says what has
never run on a GPU.
"""
