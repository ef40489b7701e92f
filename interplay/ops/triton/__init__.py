"""The operations again, as Triton kernels for GPUs: the same names and shapes."""
