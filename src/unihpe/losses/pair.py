"""InfoNCE between two modalities (eq. 1)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unihpe.errors import InputError
from unihpe.losses.score import require_tensors
from unihpe.losses.temperature import Tau, checked


def pair_loss(
    source: Tensor, target: Tensor, temperature: Tau, directions: Literal["both", "one"] = "both"
) -> Tensor:
    """InfoNCE: row n of `source` (B, D) belongs to row n of `target` (B, D), all others do not.

    Eq. 1 as printed looks from source to target only ("one"); "both" is the mean of the two
    directions, as in CLIP. Rows are brought to unit length. InputError if their shapes differ, or
    for a temperature that is not above 0.
    """
    if directions not in ("both", "one"):
        raise InputError(f"directions are both or one, not {directions}")
    logits = cosine_matrix(source, target) / checked(temperature)  # (B, B)
    own = torch.arange(logits.shape[0], device=logits.device)
    forward = F.cross_entropy(logits, own)
    return forward if directions == "one" else 0.5 * (forward + F.cross_entropy(logits.T, own))


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of all rows of a (B, D) and b (B, D): (B, B), float32 or better in any autocast."""
    require_rows_that_match(a, b)
    kind = torch.float64 if torch.float64 in (a.dtype, b.dtype) else torch.float32
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x.to(kind) for x in (a, b))
        return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T


def require_rows_that_match(*embeddings: Tensor) -> None:
    """Raise where embeddings are not (B, D), all of one batch size and width, on one device."""
    require_tensors(*embeddings)
    shapes = [tuple(x.shape) for x in embeddings]
    if not shapes or len(shapes[0]) != 2 or len(set(shapes)) > 1 or not shapes[0][0]:
        found = ", ".join(str(shape) for shape in shapes) or "none"
        raise InputError(f"embeddings must be (B, D), of one batch and width; they are {found}")
    if len(devices := {str(x.device) for x in embeddings}) > 1:
        raise InputError(
            f"embeddings must be on one device, not on {' and '.join(sorted(devices))}"
        )
