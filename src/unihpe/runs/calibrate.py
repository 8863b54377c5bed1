"""How far a trained model's answers are off on people whom it was not trained on."""

from itertools import product

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.settings import DataSettings, Part, TwoD, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.evaluation.lifting import prepared
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe

PEOPLE = 16_384  # at most, of each kind of 2D


@torch.no_grad()
def calibrate(model: UniHPE, recipe: Recipe) -> bool:
    """Fit the error head's calibration of 2D on the data's split "val", or what is held out: motion
    seen by free cameras, with each kind of 2D that was trained on, focal lengths known and assumed.
    Says whether there was anybody; if not, nothing is stated any more.

    A factor is the quantile of error over radius, so that on those people as many joints lie within
    the radii as the radii say (split conformal prediction).
    """
    head, source = model.error_head, Modality.POSE_2D
    if head is None:
        return False
    head.calibration.zero_()
    try:
        sources = _not_trained_on(recipe.data)
    except InputError:  # no such split
        return False
    generator, device = torch.Generator().manual_seed(recipe.seed), str(model.pose_scale.device)
    skeleton = get_skeleton(recipe.data.skeleton)
    ratios = torch.cat(
        [
            _ratios(model, skeleton, batch, source)
            for people, known in product(sources, (True, False))
            for batch in prepared(people, generator, device, known, PEOPLE)
        ]
    )  # (N, J, 2)
    odds = torch.tensor(SHARES, device=device)
    factors = [own.nanquantile(q, dim=0) for q, own in zip(odds, ratios.unbind(2), strict=True)]
    head.calibration[source] = torch.stack(factors, dim=1)
    return True


def _not_trained_on(data: DataSettings) -> list[Source]:
    held = data.held_out > 0
    split = data.split if held else "val"
    kinds: tuple[TwoD | None, ...] = (None, "coco") if data.variety.coco else (None,)
    parts = [Part(split, held_out=held, two_d=two_d, cameras="free") for two_d in kinds]
    whole = data.model_copy(update={"with_pose": True})  # 3D may be withheld in training
    return [open_source(whole, part) for part in parts]


def _ratios(model: UniHPE, skeleton: Skeleton, batch: Batch, source: Modality) -> Tensor:
    """Errors of point estimates over the head's radii as learned, (B, J, 2); NaN without 3D."""
    assert model.error_head is not None and batch.pose is not None
    embedding = model.encode(batch, source)
    pose = model.estimate(embedding, source, Modality.POSE_3D, batch.box_token)
    error = (root_relative(pose, skeleton) - batch.pose).norm(dim=-1)
    return torch.div(error[..., None], model.error_head(embedding, source) * model.pose_scale)
