"""The shared temperature τ of the contrastive losses, and its clamp (§4.2)."""

import math

import torch
from torch import Tensor

from unihpe.errors import InputError, require_positive

Tau = Tensor | float  # learned or fixed
SMALLEST = 1e-30  # below it, cosines over τ leave float32


def checked(temperature: Tau) -> Tau:
    """The temperature; InputError for what is no number above 0. One on a GPU is not waited for."""
    value = temperature.detach() if isinstance(temperature, Tensor) else temperature
    if not (isinstance(value, Tensor) and value.device.type != "cpu"):
        require_positive("the temperature", value)
        if value < SMALLEST:
            raise InputError(f"the temperature must be at least {SMALLEST}, not {temperature}")
    return temperature


@torch.no_grad()
def clamp_log_scale_(log_scale: Tensor, smallest: float, largest: float) -> Tensor:
    """Keep the learned log(1/τ) inside τ ∈ [smallest, largest], in place, after each step.

    A clamp in the forward pass would cut the gradient outside, and never let the parameter return.
    InputError unless 0 < smallest ≤ largest < ∞.
    """
    require_positive("the smallest temperature", smallest)
    require_positive("the largest temperature", largest)
    if smallest > largest:
        raise InputError(f"the smallest temperature, {smallest}, is above the largest, {largest}")
    return log_scale.clamp_(-math.log(largest), -math.log(smallest))
