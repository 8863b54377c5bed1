"""Radii that a trained model states hold as often as they say, on people of another split."""

import torch
from conftest import write_motion
from torch.testing import assert_close

from unihpe.body.batch import Modality
from unihpe.datasets.settings import Part, open_source
from unihpe.evaluation.lifting import evaluate_lifting, prepared
from unihpe.model.error_head import SHARES
from unihpe.recipe import build_model, load_recipe
from unihpe.runs.calibrate import calibrate

SMALL = (
    'model.encoder_2d={kind="bones",width=64,depth=1}',
    "model.error_head=true",
    "stage.1.decode.0.errors=0.2",
)


def test_radii_hold_as_often_as_they_say(motion, tmp_path):
    file = write_motion(tmp_path / "motion.npz", motion)
    changes = (f"data.root={file}", "pose_scale=300", "keypoint_scale=0.4", *SMALL)
    recipe = load_recipe("quick", changes)
    model = build_model(recipe).eval()
    assert calibrate(model, recipe)
    assert not model.error_head.calibration[Modality.IMAGE].any()
    source = open_source(recipe.data, Part("val", cameras="free"))
    generator = torch.Generator().manual_seed(0)
    batches = list(prepared(source, generator, "cpu"))
    report = evaluate_lifting(
        model, batches, {}, generator=generator, gallery=0, skeleton=motion.skeleton
    )
    stated = [report["within_stated"][f"{share:.0%}"]["mean over groups"] for share in SHARES]
    assert_close(torch.tensor(stated), torch.tensor(SHARES), atol=0.03, rtol=0)


def test_without_a_head_or_people_nothing_is_stated(motion, tmp_path):
    file = write_motion(tmp_path / "motion.npz", motion.select("train"))
    recipe = load_recipe("quick", (f"data.root={file}",))
    assert not calibrate(build_model(recipe), recipe)
    with_head = load_recipe("quick", (f"data.root={file}", *SMALL))
    model = build_model(with_head)
    assert not calibrate(model, with_head) and not model.error_head.calibration.any()
