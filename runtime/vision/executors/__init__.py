"""Where inference runs: on the CPU, or on a GPU that reads them where they lie.

executor    what every executor does: start a batch, finish it
cpu         the detector's CPU back end
gpu         rings opened to the GPU, batches of one input size, the CPU for the rest
gpu_heads   which heads run on the GPU behind the detector
choice      which executor this machine gets, and why
"""
