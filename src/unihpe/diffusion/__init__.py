"""Diffusion on tensors: paths, parametrisations, samplers. Knows nothing of poses."""
