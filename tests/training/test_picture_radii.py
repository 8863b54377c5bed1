"""Radii of poses from pictures hold as often as they say, on the people that fitted them."""

import torch
from test_pictures import folder, recipe  # noqa: F401 (a fixture)
from torch.testing import assert_close

from unihpe.body.batch import Modality
from unihpe.body.prepare import root_relative
from unihpe.datasets.settings import Part, open_source
from unihpe.evaluation.lifting import prepared
from unihpe.model.error_head import SHARES
from unihpe.recipe import build_model
from unihpe.runs.calibrate import calibrate


def test_pictures_have_radii_of_their_own(folder, motion_file):  # noqa: F811
    whole = recipe(folder, motion_file)
    settings = whole.model.model_copy(update={"error_head": True})
    whole = whole.model_copy(update={"model": settings})
    model = build_model(whole).eval()
    assert calibrate(model, whole)
    factors = model.error_head.calibration
    assert (factors[Modality.IMAGE, 1:] > 0).all() and not factors[Modality.POSE_3D].any()
    source = open_source(whole.data, Part("val", two_d="exact"))
    generator, within = torch.Generator().manual_seed(whole.seed), []
    for known in (True, False):
        (batch,) = prepared(source, generator, "cpu", known)
        with torch.no_grad():
            embedding = model.encode(batch, Modality.IMAGE)
            pose = model.estimate(embedding, Modality.IMAGE, Modality.POSE_3D, batch)
            error = (root_relative(pose, source.skeleton) - batch.pose).norm(dim=-1)
            within.append(error[..., None] <= model.radii(embedding, Modality.IMAGE) * 1.0001)
    share = torch.cat(within)[:, 1:].float().mean((0, 1))  # without the root
    assert_close(share, torch.tensor(SHARES), atol=0.08, rtol=0)  # of 16 people
