"""The CUDA kernels against an oracle: on a GPU, or built for this machine's CPU.

oracle     the same arithmetic in float64, written without looking at the kernels' loops
cases      what checks are made of: rubbish to begin with, random images and rules
checks     random cases of every kernel against the oracle: image_checks, box_checks
lane       the checks on the CPU (`testing.gpu.host_kernels`), in a process of their own
on_gpu     the checks on a GPU
mutants    deliberate faults of the kernels that the checks must find
"""
