"""How far a trained model's answers are off on people whom it was not trained on."""

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe
from unihpe.training.streams import training_stream

PEOPLE, AT_ONCE = 32_768, 2048


@torch.no_grad()
def calibrate(model: UniHPE, recipe: Recipe) -> bool:
    """Fit the error head's calibration of 2D on the data's split "val", or what is held out, seen
    as in training, with its cameras, bodies and detectors; says whether there was anybody.

    A factor is the quantile of error over radius, so that on those people as many joints lie within
    the radii as the radii say (split conformal prediction).
    """
    head, data, source = model.error_head, recipe.data, Modality.POSE_2D
    if head is None:
        return False
    split = data.split if data.held_out else "val"
    try:
        part = Part(split, training=True, held_out=data.held_out > 0)
        draw = training_stream(open_source(data, part), data)
    except InputError:  # no such split
        return False
    generator, skeleton = torch.Generator().manual_seed(recipe.seed), get_skeleton(data.skeleton)
    device = model.pose_scale.device
    batches = (draw(AT_ONCE, generator, False).to(device) for _ in range(PEOPLE // AT_ONCE))
    ratios = torch.cat([_ratios(model, skeleton, batch, source) for batch in batches])
    odds = torch.tensor(SHARES, device=device)
    head.calibration[source] = torch.stack(
        [own.nanquantile(share, dim=0) for share, own in zip(odds, ratios.unbind(2), strict=True)],
        dim=1,
    )
    return True


def _ratios(model: UniHPE, skeleton: Skeleton, batch: Batch, source: Modality) -> Tensor:
    """Errors of point estimates over the head's radii as learned, (B, J, 2); NaN without 3D."""
    assert model.error_head is not None and batch.pose is not None
    embedding = model.encode(batch, source)
    pose = model.estimate(embedding, source, Modality.POSE_3D, batch.box_token)
    error = (root_relative(pose, skeleton) - batch.pose).norm(dim=-1)
    return torch.div(error[..., None], model.error_head(embedding, source) * model.pose_scale)
