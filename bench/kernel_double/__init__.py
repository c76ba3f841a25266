"""The CUDA kernels' own source built for this machine's processor, and what it is compared with.

    shim.hpp   threads, blocks, shared memory and barriers in plain C++; barriers by fibres
    build      g++ (or another C++ compiler) and ctypes around it
    oracle     the same arithmetic in float64, written without looking at the kernels' loops
    cases      what checks are made of: rubbish to begin with, random pictures and rules
    checks     random cases of every kernel against the oracle: picture_checks, box_checks
    mutants    deliberate faults of the kernels that the checks must find

Its speed says nothing about a GPU's.
"""
