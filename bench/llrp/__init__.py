"""LLRP measured: faults over real TCP, hostile bytes, decoding speed, and other people's programs."""
