"""The shared temperature τ of the contrastive losses, and its clamp (§4.2)."""

import math

import torch
from torch import Tensor

Tau = Tensor | float  # learned or fixed


@torch.no_grad()
def clamp_log_scale_(log_scale: Tensor, smallest: float, largest: float) -> Tensor:
    """Keep the learned log(1/τ) inside τ ∈ [smallest, largest], in place, after each step.

    A clamp in the forward pass would cut the gradient outside, and never let the parameter return.
    """
    return log_scale.clamp_(-math.log(largest), -math.log(smallest))
