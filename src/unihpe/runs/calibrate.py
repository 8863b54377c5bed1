"""How far a trained model's answers are off on people whom it was not trained on."""

from itertools import product

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.settings import DataSettings, Part, TwoD, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.evaluation.lifting import prepared
from unihpe.inference.answer import answer
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe

PEOPLE = 16_384  # at most, of each kind of 2D


@torch.no_grad()
def calibrate(model: UniHPE, recipe: Recipe) -> bool:
    """Fit the error head's calibration on the data's split "val", or what is held out.

    2D: motion seen by free cameras ([poses], where pictures are trained with), with each kind of 2D
    that was trained on, focal lengths known and assumed. Pictures: those of [data]. Says whether
    there was anybody; where not, nothing is stated any more.

    A factor is the quantile of error over radius, so that on those people as many joints lie within
    the radii as the radii say (split conformal prediction).
    """
    if model.error_head is None:
        return False
    model.error_head.calibration.zero_()
    found = [_fit(model, recipe.poses or recipe.data, Modality.POSE_2D, recipe.seed)]
    if model.image_encoder is not None:
        found.append(_fit(model, recipe.data, Modality.IMAGE, recipe.seed))
    return any(found)


def _fit(model: UniHPE, data: DataSettings, source: Modality, seed: int) -> bool:
    """Calibrate one kind of evidence; False where nobody is held out."""
    assert model.error_head is not None
    try:
        sources = _not_trained_on(data)
    except InputError:  # no such split
        return False
    if source is Modality.IMAGE:
        sources = [people for people in sources if people.has_pictures]
    generator, device = torch.Generator().manual_seed(seed), str(model.pose_scale.device)
    skeleton = get_skeleton(data.skeleton)
    ratios = [
        _ratios(model, skeleton, batch, source)
        for people, known in product(sources, (True, False))
        for batch in prepared(people, generator, device, known, PEOPLE)
    ]  # (N, J, 2) each
    if not ratios:
        return False
    odds, whole = torch.tensor(SHARES, device=device), torch.cat(ratios)
    factors = [own.nanquantile(q, dim=0) for q, own in zip(odds, whole.unbind(2), strict=True)]
    model.error_head.calibration[source] = torch.stack(factors, dim=1)
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
    made = answer(model, skeleton, batch, [source], targets=[Modality.POSE_3D])
    embedding, pose = made.embeddings[source], made.poses[source.label]
    error = (pose - batch.pose).norm(dim=-1)
    return torch.div(error[..., None], model.error_head(embedding, source) * model.pose_scale)
