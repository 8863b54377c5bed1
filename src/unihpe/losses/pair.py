"""InfoNCE between two modalities (eq. 1), and the shared temperature's clamp (§4.2)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def pair_loss(
    source: Tensor,
    target: Tensor,
    temperature: Tensor | float,
    directions: Literal["both", "one"] = "both",
) -> Tensor:
    """InfoNCE: row n of `source` (B, D) belongs to row n of `target` (B, D), all other rows are
    negatives.

    Eq. 1 as printed looks from source to target only ("one"); "both" is the mean of the two
    directions, as in CLIP. Rows are brought to unit length. Computed in float32 or better, whatever
    the autocast.
    """
    logits = cosine_matrix(source, target) / temperature  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    forward = F.cross_entropy(logits, own)
    return forward if directions == "one" else 0.5 * (forward + F.cross_entropy(logits.T, own))


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of all rows of a (B, D) with all of b (B, D): (B, B), never below float32."""
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
        return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
