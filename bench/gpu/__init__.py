"""The GPU path: kernels, parity with the CPU path, latencies, cameras a box carries."""
