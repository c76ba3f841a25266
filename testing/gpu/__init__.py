"""A GPU where there is none: TensorRT over onnxruntime, CUDA kernels and libcuda on the CPU."""
