"""Encoders and estimates export with a batch size of any length."""

import pytest
import torch
from torch import nn

from unihpe.body.batch import Batch, Modality
from unihpe.model.build import build_model
from unihpe.recipe import load_recipe


class Lift(nn.Module):
    """Keypoints to their embedding, and to the 3D estimate."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, keypoints, confidence, box):
        embedding = self.model.encoder_2d(keypoints, confidence, box)
        path = Modality.POSE_2D, Modality.POSE_3D
        seen = Batch(keypoints, confidence, box)
        return embedding, self.model.estimate(embedding, *path, seen)


def inputs(people):
    generator = torch.Generator().manual_seed(people)
    keypoints = torch.rand(people, 17, 2, generator=generator) - 0.5
    return keypoints, torch.ones(people, 17), torch.rand(people, 3, generator=generator)


@pytest.mark.parametrize("encoder", ["transformer", "mlp"])
@pytest.mark.parametrize("decoder", ["diffusion", "mlp"])
def test_a_batch_of_any_size_is_exported(encoder, decoder):
    small = ("embedding=16", "encoder_2d.width=32", "decoder_3d.width=64")
    kinds = f"encoder_2d.kind={encoder}", f"decoder_3d.kind={decoder}"
    recipe = load_recipe("quick", tuple(f"model.{change}" for change in (*small, *kinds)))
    module = Lift(build_model(recipe.model, "human36m17")).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    sizes = {name: {0: batch} for name in ("keypoints", "confidence", "box")}
    program = torch.export.export(module, inputs(3), dynamic_shapes=sizes)
    for people in (1, 3, 7):
        wanted = module(*inputs(people))
        torch.testing.assert_close(program.module()(*inputs(people)), wanted)
        assert wanted[1].shape == (people, 17, 3)
