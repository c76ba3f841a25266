"""The CUDA kernels' own source built for this machine's CPU.

    shim.hpp      threads, blocks, shared memory and barriers in plain C++; barriers by fibres
    libcuda.hpp   a libcuda.so.1 that runs these kernels
    build         g++ (or another C++ compiler) and ctypes around it

Its speed says nothing about a GPU's.
"""
