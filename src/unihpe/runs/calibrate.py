"""How far a trained model's answers are off on people whom it was not trained on."""

import torch

from unihpe.body.batch import Batch, Modality
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe
from unihpe.training.streams import training_stream

PEOPLE, AT_ONCE = 32_768, 2048
FEWEST = 100  # of a joint's errors that make a quantile
SOURCES = (Modality.POSE_2D,)  # TODO pictures


@torch.no_grad()
def calibrate(model: UniHPE, recipe: Recipe) -> bool:
    """Fit the error head's calibration on the data's split "val" (or what is held out), seen as in
    training, with its cameras, bodies and detectors; says whether there was anybody to fit it on.

    Each factor is the quantile of error over radius, so that on those people as many joints lie
    within the radii as the radii say (split conformal prediction).
    """
    head, data = model.error_head, recipe.data
    if head is None:
        return False
    split = data.split if data.held_out else "val"
    try:
        part = Part(split, training=True, held_out=data.held_out > 0)
        draw = training_stream(open_source(data, part), data)
    except InputError:  # no such split
        return False
    generator = torch.Generator().manual_seed(recipe.seed)
    ratios = {source: list[torch.Tensor]() for source in SOURCES}
    for _ in range(PEOPLE // AT_ONCE):
        batch = draw(AT_ONCE, generator, False).to(model.pose_scale.device)
        for source, found in ratios.items():
            found.append(_ratios(model, batch, source))
    for source, found in ratios.items():
        odds = torch.tensor(SHARES, device=model.pose_scale.device)
        whole = torch.cat(found)  # (N, J, 2)
        for joint in range(whole.shape[1]):
            for share, q in enumerate(odds):
                own = whole[:, joint, share]
                own = own[own.isfinite()]
                if len(own) >= FEWEST:
                    head.calibration[source, joint, share] = own.quantile(q)
    return True


def _ratios(model: UniHPE, batch: Batch, source: Modality) -> torch.Tensor:
    """Errors of point estimates over the radii of the head as it is, (B, J, 2); NaN where 3D is."""
    assert model.error_head is not None and batch.pose is not None
    embedding = model.encode(batch, source)
    pose = model.estimate(embedding, source, Modality.POSE_3D, batch.box_token)
    skeleton = get_skeleton("human36m17")
    error = (root_relative(pose, skeleton) - batch.pose).norm(dim=-1)
    return error[..., None] / (model.error_head(embedding, source) * model.pose_scale)
