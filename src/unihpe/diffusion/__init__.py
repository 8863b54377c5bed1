"""Diffusion on tensors: paths, parametrisations, samplers. Knows nothing of poses."""

from unihpe.diffusion.parametrisation import Diffusion
from unihpe.diffusion.sampling import (
    build_sampler,
    dpm_solver_pp_2m,
    euler_maruyama,
    flow_euler,
    probability_flow,
    zero_temperature,
)
from unihpe.diffusion.sde import VP, SubVP, build_path

__all__ = [
    "VP",
    "Diffusion",
    "SubVP",
    "build_path",
    "build_sampler",
    "dpm_solver_pp_2m",
    "euler_maruyama",
    "flow_euler",
    "probability_flow",
    "zero_temperature",
]
