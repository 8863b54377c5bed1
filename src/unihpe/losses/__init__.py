"""Contrastive losses over two, three or more modalities, and the losses of decoders and heat maps.

All take tensors, and need torch alone:

    import torch
    from unihpe.losses import pair_loss, sample_triplets, triplet_loss

    image, text, audio = (torch.randn(180, 1024, requires_grad=True) for _ in range(3))
    triplets = sample_triplets(180, torch.Generator().manual_seed(0))
    loss = triplet_loss(image, text, audio, 0.1, triplets=triplets)
    for a, b in ((image, text), (image, audio), (text, audio)):
        loss = loss + pair_loss(a, b, 0.1)
    loss.backward()
"""

from unihpe.losses.eigenvalue import largest_eigenvalue
from unihpe.losses.heatmaps import heatmap_loss, integral_loss, place_loss
from unihpe.losses.pair import pair_loss
from unihpe.losses.score import (
    masked_distance,
    masked_mean_square,
    point_loss,
    quantile_loss,
    score_loss,
)
from unihpe.losses.temperature import clamp_log_scale_
from unihpe.losses.triplet import multimodal_loss, sample_triplets, triplet_loss

__all__ = [
    "clamp_log_scale_",
    "heatmap_loss",
    "integral_loss",
    "largest_eigenvalue",
    "masked_distance",
    "masked_mean_square",
    "multimodal_loss",
    "pair_loss",
    "place_loss",
    "point_loss",
    "quantile_loss",
    "sample_triplets",
    "score_loss",
    "triplet_loss",
]
