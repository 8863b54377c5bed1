"""InfoNCE between two modalities (eq. 1)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unihpe.losses.temperature import Tau


def pair_loss(
    source: Tensor, target: Tensor, temperature: Tau, directions: Literal["both", "one"] = "both"
) -> Tensor:
    """InfoNCE: row n of `source` (B, D) belongs to row n of `target` (B, D), all others do not.

    Eq. 1 as printed looks from source to target only ("one"); "both" is the mean of the two
    directions, as in CLIP. Rows are brought to unit length. ValueError if their shapes differ.
    """
    logits = cosine_matrix(source, target) / temperature  # (B, B)
    own = torch.arange(logits.shape[0], device=logits.device)
    forward = F.cross_entropy(logits, own)
    return forward if directions == "one" else 0.5 * (forward + F.cross_entropy(logits.T, own))


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of all rows of a (B, D) and b (B, D): (B, B), float32 or better in any autocast."""
    require_rows_that_match(a, b)
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
        return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T


def require_rows_that_match(*embeddings: Tensor) -> None:
    """Raise where embeddings are not (B, D), all of one batch size and width."""
    shapes = [tuple(x.shape) for x in embeddings]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        found = ", ".join(str(shape) for shape in shapes)
        raise ValueError(f"embeddings must be (B, D), of one batch and width; they are {found}")
