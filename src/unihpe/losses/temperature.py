"""The clamp of the shared temperature τ (§4.2)."""

import math

import torch
from torch import Tensor


@torch.no_grad()
def clamp_log_scale_(log_scale: Tensor, smallest: float, largest: float) -> Tensor:
    """Keep the learned log-scale log(1/τ) inside τ ∈ [smallest, largest]: call it after each step.

    It works in place. A clamp inside the forward pass would cut the gradient outside the range and
    never let the parameter return.
    """
    return log_scale.clamp_(-math.log(largest), -math.log(smallest))
