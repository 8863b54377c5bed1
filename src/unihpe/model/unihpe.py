"""The model: encoders onto one unit sphere, decoders out of it (fig. 2)."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.body.batch import Batch, Modality
from unihpe.body.rays import PersonFrame, Trunk, person_frame
from unihpe.diffusion.parametrisation import Denoiser
from unihpe.diffusion.sampling import Sampler, prior_noise
from unihpe.model.bone_encoder import BonePoseEncoder
from unihpe.model.error_head import ErrorHead
from unihpe.model.heatmap_embedding import ShownJoints
from unihpe.model.heatmaps import BranchesHead, HeatmapHead, JointMaps, joint_maps
from unihpe.model.image_encoder import ImageEncoder
from unihpe.model.person_head import OnePersonMaps, PersonHead
from unihpe.model.pose_decoder import DiffusionDecoder, MLPDecoder
from unihpe.model.pose_encoder import MLPPoseEncoder, TransformerPoseEncoder
from unihpe.model.turned import Sight, limbs_of, look_again, turned, turned_back

PoseEncoder = TransformerPoseEncoder | MLPPoseEncoder | BonePoseEncoder
Decoder = DiffusionDecoder | MLPDecoder
JointHead = HeatmapHead | BranchesHead | PersonHead
ROWS = 32_768  # poses that are drawn at once, which bounds the memory that drawing takes
# The weight of each kind of evidence where several are fused: keypoints say where joints are far
# better than a small network sees it; the picture adds which way limbs point (docs/results.md).
TRUST = {Modality.IMAGE: 0.05, Modality.POSE_2D: 0.95, Modality.POSE_3D: 1.0}


class UniHPE(nn.Module):
    """Pictures, 2D keypoints and 3D poses in one embedding space, and poses out of it.

    Args:
        encoder_2d: keypoints (B, J, 2), box units, confidence (B, J), box (B, 3) → unit (B, D).
        encoder_3d: pose (B, J, 3) over `pose_scale`, confidence (B, J) → unit (B, D).
        decoder_2d: makes keypoints (B, J, 2) over `keypoint_scale`.
        decoder_3d: makes poses (B, J, 3) over `pose_scale`.
        image_encoder: None for a model without pictures.
        heatmap_head: the backbone's maps → heat maps (B, J, 64, 48); for pre-training, for table
            3's HRNet rows, and for an image encoder that reads at the joints.
        scales: one standard deviation of the training poses, mm, and keypoints, box units.
        temperature: τ₀; log(1/τ) is learned, and shared by the contrastive losses (appendix A).
        trunk: of the skeleton, where poses inside the model are in the person's frame
            (`body.rays`); what comes in and goes out is in camera axes either way.
        error_head: how far 3D answers may be off; None for a model that does not say.
    """

    pose_scale: Tensor
    keypoint_scale: Tensor

    def __init__(
        self,
        encoder_2d: PoseEncoder,
        encoder_3d: PoseEncoder,
        decoder_2d: Decoder,
        decoder_3d: Decoder,
        image_encoder: ImageEncoder | None = None,
        heatmap_head: JointHead | None = None,
        scales: tuple[float, float] = (1.0, 1.0),
        temperature: float = 1 / 14,
        trunk: Trunk | None = None,
        error_head: ErrorHead | None = None,
    ) -> None:
        super().__init__()
        self.encoder_2d, self.encoder_3d = encoder_2d, encoder_3d
        self.decoder_2d, self.decoder_3d = decoder_2d, decoder_3d
        self.image_encoder, self.heatmap_head = image_encoder, heatmap_head
        self.error_head, self.trunk = error_head, trunk
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.register_buffer("pose_scale", torch.tensor(float(scales[0])))
        self.register_buffer("keypoint_scale", torch.tensor(float(scales[1])))

    @property
    def temperature(self) -> Tensor:
        """τ, a scalar with gradient."""
        return torch.exp(-self.log_scale)

    def encode(self, batch: Batch, modality: Modality) -> Tensor:
        """The batch's evidence of one kind as unit embeddings (B, D)."""
        match modality:
            case Modality.POSE_2D:
                x = self.encoder_2d(batch.keypoints, batch.confidence, batch.box_token)
            case Modality.POSE_3D:
                pose, seen = self.target(batch, modality)
                x = self.encoder_3d(pose, seen.to(pose.dtype))
            case Modality.IMAGE:
                x = self.encode_image(batch)[0]
        return cast(Tensor, x)

    def encode_image(self, batch: Batch) -> tuple[Tensor, JointMaps | None]:
        """The batch's pictures as unit embeddings (B, D), and heat maps where there is a head.

        Where the batch has what was seen of its pictures (`look`), that stands for them.
        """
        if batch.seen is not None:
            return self.encode_seen(batch.seen, batch.box_token), None
        seen, shown = self._look(batch)
        return self.encode_seen(seen, batch.box_token), shown

    def look(self, batch: Batch) -> Tensor:
        """What backbone and heat-map head see of the batch's pictures, and all that the embedding
        rests on: (B, J + 1, ΣC + 3), see `seen`."""
        return self._look(batch)[0]

    def _look(self, batch: Batch) -> tuple[Tensor, JointMaps | None]:
        """`look`, and heat maps; outside training people who are hardly seen are looked at again,
        turned (`model.turned`)."""
        if not self.training and isinstance(self.heatmap_head, PersonHead):
            return self._look_turned(batch)
        maps = self.image_maps(batch)
        shown = None if self.heatmap_head is None else self.heatmaps(maps)
        return self.seen(maps, shown), shown

    def _look_turned(self, batch: Batch) -> tuple[Tensor, JointMaps]:
        """`look` and heat maps, each person in the look that shows them best."""
        assert isinstance(self.heatmap_head, PersonHead)

        def look(rows: Tensor, turn: int) -> Sight:
            some = None if batch.image is None else turned(batch.image[rows], turn)
            maps = self.image_maps(replace(batch, image=some))
            shown = self.heatmaps(maps)
            seen = self.seen(maps, shown)
            places = turned_back(seen[..., -3:-1], turn)
            seen = torch.cat([seen[..., :-3], places, seen[..., -1:]], dim=-1)
            heatmaps, keypoints = turned(shown.heatmaps, -turn), turned_back(shown.keypoints, turn)
            return shown.confidence, keypoints, heatmaps, seen

        people, limbs = len(batch), limbs_of(self.heatmap_head.skeleton)
        confidence, keypoints, heatmaps, seen = look_again(look, people, limbs)
        return seen, OnePersonMaps(heatmaps, keypoints, confidence)

    def image_maps(self, batch: Batch) -> list[Tensor]:
        """The image backbone's maps of the batch's pictures, finest first."""
        if self.image_encoder is None:
            raise ValueError("this model has no image encoder")
        if batch.image is None:
            raise ValueError("this batch has no pictures to encode")
        return self.image_encoder.maps(batch.image)

    def heatmaps(self, maps: list[Tensor]) -> JointMaps:
        """Heat maps, of the finest map's size, of the backbone's maps, and what they show."""
        if self.heatmap_head is None:
            raise ValueError("this model has no heat-map head")
        made = self.heatmap_head(maps)
        return made if isinstance(made, JointMaps) else joint_maps(made)

    def seen(self, maps: list[Tensor], shown: JointMaps | None) -> Tensor:
        """What an embedding rests on, (B, 1, ΣC + 3) or (B, J + 1, ΣC + 3): `features` of the maps,
        and beside those at a joint its place, box units, and confidence."""
        assert self.image_encoder is not None
        features = self.image_encoder.features(maps, shown)
        if shown is None or self.image_encoder.joints is None:
            return F.pad(features, (0, 3))
        beside = torch.cat([shown.keypoints, shown.confidence[..., None]], dim=-1)
        return torch.cat([features, F.pad(beside, (0, 0, 0, 1))], dim=-1)

    def encode_seen(self, seen: Tensor, box: Tensor) -> Tensor:
        """What was seen of pictures (see `seen`), and box tokens (B, 3) → embeddings (B, D)."""
        assert self.image_encoder is not None
        features, keypoints, confidence = seen.float().split((seen.shape[-1] - 3, 2, 1), dim=-1)
        if self.image_encoder.joints is None:
            return self.image_encoder.read_out(features)
        keypoints, confidence = keypoints[:, :-1], confidence[:, :-1, 0]
        # heat maps are not distributed as keypoints are: their statistics would spoil lifting
        norms = use_running_statistics(self.encoder_2d)
        embedding = self.encoder_2d(keypoints, confidence, box)
        for norm in norms:
            norm.train()
        shown = ShownJoints(keypoints, confidence, box, embedding)
        return self.image_encoder.read_out(features, shown)

    def decoder(self, target: Modality) -> Decoder:
        """The decoder that makes poses of this kind."""
        return self.decoder_2d if target is Modality.POSE_2D else self.decoder_3d

    def scale(self, target: Modality) -> Tensor:
        """What the decoder's unit is worth: box units (2D) or mm (3D)."""
        return self.keypoint_scale if target is Modality.POSE_2D else self.pose_scale

    def target(
        self, batch: Batch, target: Modality, source: Modality = Modality.POSE_2D
    ) -> tuple[Tensor, Tensor]:
        """What a decoder should make of the batch, in its own unit (B, J, C), and which joints of
        it are known, (B, J) bool; of a picture's source, where the picture says that people are."""
        by_picture = source is Modality.IMAGE and batch.seen is not None
        frame = self._frame(as_seen(batch) if by_picture else batch)
        if target is Modality.POSE_2D:
            flat = batch.keypoints / self.keypoint_scale
            return (flat if frame is None else frame.upright(flat)), batch.confidence > 0
        if batch.pose is None:
            raise ValueError("this batch has no 3D poses")
        seen = torch.isfinite(batch.pose).all(-1)
        pose = torch.where(seen[..., None], batch.pose / self.pose_scale, 0.0)
        return (pose if frame is None else frame.into(pose)), seen

    def _frame(self, batch: Batch) -> PersonFrame | None:
        """The people's own frames; None for a model that knows the camera's axes alone."""
        if self.trunk is None:
            return None
        seen = batch.keypoints, batch.confidence, batch.box_token
        return person_frame(*seen, self.trunk, batch.pose)

    def _outside(self, pose: Tensor, target: Modality, batch: Batch) -> Tensor:
        """A decoder's answer (..., B, J, C) in box units, or mm in camera axes."""
        pose, frame = pose.float() * self.scale(target), self._frame(batch)
        if frame is None:
            return pose
        return frame.as_seen(pose) if target is Modality.POSE_2D else frame.out_of(pose)

    def radii(self, embedding: Tensor, source: Modality) -> Tensor | None:
        """Radii (B, J, 2) in mm within which the true joints lie about the 3D point estimate with
        the odds of `error_head.SHARES`; None for a model that does not say."""
        radii = None if self.error_head is None else self.error_head.radii(embedding, source)
        return None if radii is None else radii * self.pose_scale

    def has_point_estimate(self, target: Modality) -> bool:
        """Whether `estimate` works: for MLP decoders, and predictions with an answer at t = 1."""
        decoder = self.decoder(target)
        return isinstance(decoder, MLPDecoder) or decoder.diffusion.allows_posterior_mean

    def can_be_sampled(self, target: Modality) -> bool:
        """Whether `sample` works: an MLP decoder has one answer only."""
        return isinstance(self.decoder(target), DiffusionDecoder)

    def estimate(
        self, embedding: Tensor, source: Modality, target: Modality, batch: Batch
    ) -> Tensor:
        """The point estimate, one network evaluation: (B, D) → (B, J, C), box units or mm; of the
        batch, boxes and where people are seen count.

        A diffusion decoder is asked at t = 1, at the centre of its noise, where the answer can rest
        on the embedding alone; InputError with ε-prediction, which has none there: use `sample`.
        """
        return self.fuse({source: embedding}, target, batch)

    @torch.no_grad()
    def fuse(
        self,
        embeddings: Mapping[Modality, Tensor],
        target: Modality,
        batch: Batch,
        trust: Mapping[Modality, float] = TRUST,
    ) -> Tensor:
        """The point estimate from embeddings (B, D) of several kinds, weighted by `trust` up to a
        common factor: a diffusion decoder is conditioned on the weighted mean of what each kind
        would tell it; of an MLP's answers the weighted mean is taken."""
        decoder = self.decoder(target)
        ask = decoder if isinstance(decoder, MLPDecoder) else decoder.network.condition
        total = sum(trust[source] for source in embeddings)
        answers = (trust[s] / total * ask(x, s, batch.box_token) for s, x in embeddings.items())
        answer = reduce(torch.add, answers)
        if isinstance(decoder, DiffusionDecoder):
            answer = decoder.estimate(answer)
        return self._outside(answer, target, batch)

    @torch.no_grad()
    def sample(
        self,
        embedding: Tensor,
        source: Modality,
        target: Modality,
        batch: Batch,
        sampler: Sampler,
        samples: int,
        generator: torch.Generator,
        drop: Tensor | None = None,
        alike: bool = True,
    ) -> Tensor:
        """Poses drawn from the decoder: (B, D) → (samples, B, J, C), box units (2D) or mm (3D);
        `drop` (B,) says whose embedding is ignored: those come from the decoder's prior. With
        `alike` all people get the same noise: nobody's poses depend on who else is in the batch."""
        decoder, people = self.decoder(target), embedding.shape[0]
        if isinstance(decoder, MLPDecoder):
            raise ValueError("an MLP decoder has one answer, and cannot be sampled")
        first, device = 1 if alike else people, embedding.device
        noise = prior_noise(decoder.diffusion.path, (samples, first, *decoder.shape), generator)
        noise = noise.to(device).expand(samples, people, *decoder.shape)
        condition = decoder.network.condition(embedding, source, batch.box_token, drop)
        prepared = decoder.network.project(condition)
        if not alike:  # flat, so that a sampler's own noise is everybody's own, too
            denoise = decoder.denoiser(prepared.repeat(samples, 1))
            flat = sampler(denoise, decoder.diffusion, noise.flatten(0, 1))
            drawn = flat.unflatten(0, (samples, people))
            return self._outside(_about_estimate(decoder, drawn, condition, drop), target, batch)
        parts, state = [], generator.get_state()
        for rows in torch.arange(people, device=device).split(max(1, ROWS // samples)):
            generator.set_state(state)  # a sampler's own noise is the same for all, too
            denoise = _of_samples(decoder, prepared[rows].repeat(samples, 1))
            parts.append(sampler(denoise, decoder.diffusion, noise[:, rows]))
        drawn = _about_estimate(decoder, torch.cat(parts, dim=1), condition, drop)
        return self._outside(drawn, target, batch)


def _about_estimate(
    decoder: DiffusionDecoder, samples: Tensor, condition: Tensor, drop: Tensor | None
) -> Tensor:
    """Samples (S, B, J, C) as the decoder places them, unless they are the prior's."""
    return samples if drop is not None else decoder.moved(samples, condition)


def as_seen(batch: Batch) -> Batch:
    """The batch with the keypoints that were seen in its pictures (`UniHPE.seen`), and no truth."""
    assert batch.seen is not None
    keypoints, confidence = batch.seen[:, :-1, -3:-1].float(), batch.seen[:, :-1, -1].float()
    return replace(batch, keypoints=keypoints, confidence=confidence, pose=None)


def _of_samples(decoder: DiffusionDecoder, prepared: Tensor) -> Denoiser:
    """x̂₀ of poses (samples, people, J, C), of conditions (samples · people, ·)."""
    denoise = decoder.denoiser(prepared)
    return lambda x, t: denoise(x.flatten(0, 1), t).unflatten(0, x.shape[:2])


def use_running_statistics(module: nn.Module) -> list[nn.Module]:
    """Make a pose encoder's batch norms use their running statistics; gives those that did not."""
    norms = [norm for norm in module.modules() if isinstance(norm, nn.BatchNorm1d)]
    return [norm.eval() for norm in norms if norm.training]
