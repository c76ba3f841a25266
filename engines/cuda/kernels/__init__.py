"""The CUDA kernels: their source (.cu), how they are compiled on the device, how they are launched."""
