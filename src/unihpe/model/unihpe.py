"""The model: encoders onto one unit sphere, decoders out of it (fig. 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from unihpe.body.batch import Batch, Modality
from unihpe.diffusion.parametrisation import Diffusion
from unihpe.model.backbones.vitpose import ViTEncoder
from unihpe.model.heatmap_embedding import ShownJoints, keypoints_of
from unihpe.model.heatmaps import BranchesHead, HeatmapHead
from unihpe.model.image_encoder import ImageEncoder
from unihpe.model.pose_decoder import MLPDecoder, ScoreDecoder

Denoiser = Callable[[Tensor, Tensor], Tensor]


class DiffusionDecoder(nn.Module):
    """A score network and the meaning of its output (path and prediction)."""

    def __init__(self, network: ScoreDecoder, diffusion: Diffusion) -> None:
        super().__init__()
        self.network, self.diffusion = network, diffusion

    def denoiser(
        self,
        embedding: Tensor,
        source: Modality,
        box: Tensor | None,
        drop: Tensor | None = None,
        samples: int = 1,
    ) -> Denoiser:
        """x̂₀(x_t, t) for x_t (samples · B, J, C) with the embedding (B, D) held fixed; sample-major order."""
        prepared = self.network.prepare(embedding, source, box, drop).repeat(samples, 1)
        return self.diffusion.denoiser(lambda x, t: self.network(x, t, prepared).float())

    @property
    def shape(self) -> tuple[int, int]:
        """Joints and coordinates of the poses it makes."""
        return self.network.shape


IMAGE_MEAN, IMAGE_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, RGB in [0, 1]
# Of each kind of evidence where several are fused. Keypoints say where joints are far better than a
# small network sees it; what the picture adds is which way limbs point. Measured on validation
# people: docs/results.md.
TRUST = {Modality.IMAGE: 0.05, Modality.POSE_2D: 0.95, Modality.POSE_3D: 1.0}
Decoder = DiffusionDecoder | MLPDecoder
Sampler = Callable[[Denoiser, Diffusion, Tensor], Tensor]


class UniHPE(nn.Module):
    """Pictures, 2D keypoints and 3D poses in one embedding space, and poses out of it.

    Args:
        encoder_2d: keypoints (B, J, 2) in box units, confidence (B, J), box token (B, 3) → unit
            embedding (B, D).
        encoder_3d: pose (B, J, 3) over `pose_scale`, confidence (B, J) → unit embedding (B, D).
        decoder_2d: makes keypoints (B, J, 2) over `keypoint_scale`.
        decoder_3d: makes poses (B, J, 3) over `pose_scale`.
        pose_scale: one standard deviation of the training poses, mm.
        keypoint_scale: one standard deviation of the training keypoints, box units.
        temperature: τ₀ of the contrastive losses; the log-scale log(1/τ) is learned and shared by
            them (appendix A).
        image_encoder: normalised RGB (B, 3, 256, 192) → unit embedding (B, D); None for a model
            without pictures.
        heatmap_head: an HRNet's maps → heat maps (B, J, 64, 48); for pre-training, for table 3's
            HRNet rows, and for an image encoder that reads at the joints.
    """

    pose_scale: Tensor
    keypoint_scale: Tensor

    def __init__(
        self,
        encoder_2d: nn.Module,
        encoder_3d: nn.Module,
        decoder_2d: Decoder,
        decoder_3d: Decoder,
        *,
        pose_scale: float,
        keypoint_scale: float,
        temperature: float = 1 / 14,
        image_encoder: ImageEncoder | ViTEncoder | None = None,
        heatmap_head: HeatmapHead | BranchesHead | None = None,
    ) -> None:
        super().__init__()
        self.encoder_2d, self.encoder_3d = encoder_2d, encoder_3d
        self.decoder_2d, self.decoder_3d = decoder_2d, decoder_3d
        self.image_encoder, self.heatmap_head = image_encoder, heatmap_head
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.register_buffer("pose_scale", torch.tensor(float(pose_scale)))
        self.register_buffer("keypoint_scale", torch.tensor(float(keypoint_scale)))

    @property
    def temperature(self) -> Tensor:
        """τ, a scalar with gradient."""
        return torch.exp(-self.log_scale)

    def embed(self, batch: Batch, modality: Modality) -> Tensor:
        """The batch's evidence of one kind as unit embeddings (B, D)."""
        match modality:
            case Modality.POSE_2D:
                return cast(
                    Tensor, self.encoder_2d(batch.keypoints, batch.confidence, batch.box_token)
                )
            case Modality.POSE_3D:
                if batch.pose is None:
                    raise ValueError("this batch has no 3D poses to embed")
                seen = torch.isfinite(batch.pose).all(-1).to(batch.pose.dtype)
                pose = torch.where(seen[..., None] > 0, batch.pose / self.pose_scale, 0.0)
                return cast(Tensor, self.encoder_3d(pose, seen))
            case Modality.IMAGE:
                return self.look(batch)[0]

    def look(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The batch's pictures as unit embeddings (B, D) and, where the model has a head for them, heat maps: one pass."""
        if self.image_encoder is None:
            raise ValueError("this model has no image encoder")
        if not isinstance(self.image_encoder, ImageEncoder):
            return cast(Tensor, self.image_encoder(normalised(batch))), None
        maps = self.image_maps(batch)
        heatmaps = None if self.heatmap_head is None else self.heatmaps(maps)
        return self.read_out(maps, batch, heatmaps), heatmaps

    def image_maps(self, batch: Batch) -> list[Tensor]:
        """The image backbone's feature maps, finest first; HRNet only. `read_out` makes them an embedding."""
        if not isinstance(self.image_encoder, ImageEncoder):
            raise ValueError("feature maps come from an HRNet image encoder; this model has none")
        return self.image_encoder.maps(normalised(batch))

    def read_out(self, maps: list[Tensor], batch: Batch, heatmaps: Tensor | None = None) -> Tensor:
        """The maps of the batch's pictures → unit embedding (B, D); for a caller who has the maps, or heat maps, already."""
        assert isinstance(self.image_encoder, ImageEncoder)
        if self.image_encoder.joints is None:
            return self.image_encoder.read_out(maps)
        heat, box = self.heatmaps(maps) if heatmaps is None else heatmaps, batch.box_token
        keypoints, confidence = keypoints_of(heat)
        with running_statistics(self.encoder_2d):
            embedding = self.encoder_2d(keypoints, confidence, box)
        return self.image_encoder.read_out(
            maps, ShownJoints(heat, keypoints, confidence, box, embedding)
        )

    def heatmaps(self, maps: list[Tensor]) -> Tensor:
        """Heat maps (B, J, 64, 48), less where the encoder shrinks pictures, of the backbone's maps."""
        if self.heatmap_head is None:
            raise ValueError("this model has no heat-map head")
        return cast(Tensor, self.heatmap_head(maps))

    def decoder(self, target: Modality) -> Decoder:
        """The decoder that makes poses of this kind."""
        return self.decoder_2d if target is Modality.POSE_2D else self.decoder_3d

    def scale(self, target: Modality) -> Tensor:
        """What the decoder's unit is worth: box units (2D) or mm (3D)."""
        return self.keypoint_scale if target is Modality.POSE_2D else self.pose_scale

    def target(self, batch: Batch, target: Modality) -> tuple[Tensor, Tensor]:
        """What a decoder should make of the batch, in its own unit (B, J, C), and which joints count (B, J)."""
        if target is Modality.POSE_2D:
            return batch.keypoints / self.keypoint_scale, batch.confidence > 0
        if batch.pose is None:
            raise ValueError("this batch has no 3D poses to learn from")
        seen = torch.isfinite(batch.pose).all(-1)
        return torch.where(seen[..., None], batch.pose / self.pose_scale, 0.0), seen

    def has_point_estimate(self, target: Modality) -> bool:
        """Whether `estimate` works: an MLP decoder, or a parametrisation with an answer at t = 1."""
        decoder = self.decoder(target)
        return isinstance(decoder, MLPDecoder) or decoder.diffusion.allows_posterior_mean

    def can_be_sampled(self, target: Modality) -> bool:
        """Whether `sample` works: an MLP decoder has one answer only."""
        return isinstance(self.decoder(target), DiffusionDecoder)

    @torch.no_grad()
    def estimate(
        self, embedding: Tensor, source: Modality, target: Modality, box: Tensor
    ) -> Tensor:
        """The point estimate, one network evaluation: (B, D) → (B, J, C), box units (2D) or mm
        (3D).

        A diffusion decoder is asked at t = 1, at the centre of its noise, where the answer can rest
        on the embedding alone.

        Raises:
            InputError: where the decoder's parametrisation has no answer there (ε-prediction): use
                `sample`.
        """
        decoder = self.decoder(target)
        if isinstance(decoder, MLPDecoder):
            return cast(Tensor, decoder(embedding, source, box).float() * self.scale(target))
        decoder.diffusion.require_posterior_mean()
        x = embedding.new_zeros(len(embedding), *decoder.shape)
        return decoder.denoiser(embedding, source, box)(x, x.new_ones(1)) * self.scale(target)

    @torch.no_grad()
    def fuse(
        self,
        embeddings: Mapping[Modality, Tensor],
        target: Modality,
        box: Tensor,
        trust: Mapping[Modality, float] = TRUST,
    ) -> Tensor:
        """The point estimate from several kinds of evidence of the same people: (B, D) each → (B,
        J, C), as `estimate`.

        A diffusion decoder is conditioned on the weighted mean of what each kind would tell it; of
        an MLP's answers the weighted mean is taken.

        Args:
            trust: weight of each kind, up to a common factor.
        """
        weight = box.new_tensor([trust[source] for source in embeddings])[:, None, None]
        weight = weight / weight.sum()
        decoder = self.decoder(target)
        if isinstance(decoder, MLPDecoder):
            answers = [
                self.estimate(embedding, source, target, box)
                for source, embedding in embeddings.items()
            ]
            return (torch.stack(answers) * weight[..., None]).sum(0)
        decoder.diffusion.require_posterior_mean()
        told = [
            decoder.network.prepare(embedding, source, box)
            for source, embedding in embeddings.items()
        ]
        prepared = (torch.stack(told) * weight).sum(0)
        denoise = decoder.diffusion.denoiser(lambda x, t: decoder.network(x, t, prepared).float())
        x = prepared.new_zeros(len(prepared), *decoder.shape)
        return denoise(x, x.new_ones(1)) * self.scale(target)

    @torch.no_grad()
    def sample(
        self,
        embedding: Tensor,
        source: Modality,
        target: Modality,
        box: Tensor,
        sampler: Sampler,
        samples: int,
        generator: torch.Generator,
        drop: Tensor | None = None,
    ) -> Tensor:
        """Poses drawn from the decoder: (B, D) → (samples, B, J, C), box units (2D) or mm (3D).

        Args:
            sampler: turns noise into poses: (denoiser, diffusion, noise (samples·B, J, C)) → poses
                of the same shape.
            drop: whose embedding is ignored, (B,) bool: those poses come from the decoder's prior.
        """
        decoder = self.decoder(target)
        if isinstance(decoder, MLPDecoder):
            raise ValueError(
                "an MLP decoder has one answer; only diffusion decoders can be sampled"
            )
        shape = (samples * len(embedding), *decoder.shape)
        noise = (
            torch.randn(shape, generator=generator).to(embedding.device)
            * decoder.diffusion.path.prior_std
        )
        poses = sampler(
            decoder.denoiser(embedding, source, box, drop, samples), decoder.diffusion, noise
        )
        return cast(Tensor, poses.unflatten(0, (samples, len(embedding)))) * self.scale(target)


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """Batch norms use their running statistics and leave them as they are.

    What heat maps show is not distributed as keypoints are: their statistics would spoil lifting.
    """
    layers = hold_statistics(module)
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


def hold_statistics(module: nn.Module) -> list[nn.Module]:
    """Make a pose encoder's batch norms use their running statistics; which of them did not."""
    layers = [
        layer for layer in module.modules() if isinstance(layer, nn.BatchNorm1d) and layer.training
    ]
    for layer in layers:
        layer.eval()
    return list(layers)


def normalised(batch: Batch) -> Tensor:
    """The batch's pictures, uint8 RGB (B, 3, H, W), as the backbones want them: ImageNet's mean and deviation, float32."""
    if batch.image is None:
        raise ValueError("this batch has no pictures to embed")
    mean, std = (
        batch.image.new_tensor(values, dtype=torch.float32)[:, None, None]
        for values in (IMAGE_MEAN, IMAGE_STD)
    )
    scaled = (batch.image.float() / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)
