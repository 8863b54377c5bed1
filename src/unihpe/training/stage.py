"""A training stage: what learns, from which losses, for how long (§3.2, §3.3, §4.2, fig. 2)."""

from collections.abc import Callable, Iterator
from typing import Literal, Self, get_args

from pydantic import Field, model_validator
from torch import Generator

from unihpe.body.batch import Batch, Modality
from unihpe.settings import Settings

Part = Literal[
    "image_encoder",
    "heatmap_head",
    "encoder_2d",
    "encoder_3d",
    "decoder_2d",
    "decoder_3d",
    "error_head",
]
PARTS: tuple[Part, ...] = get_args(Part)
Source = Literal["image", "pose_2d", "pose_3d"]
Target = Literal["pose_2d", "pose_3d"]


class Decoding(Settings):
    """One decoding path: from whose embedding to which pose, on how much of each batch."""

    source: Source
    target: Target
    share: float = Field(1.0, gt=0, le=1)  # of each batch that it learns from: the first people
    weight: float = Field(1.0, gt=0)  # of its loss
    draws: int = Field(1, ge=0)  # noise draws for each embedding, which make the most of it
    point: float = Field(0.0, ge=0)  # weight of the answer at t = 1, at the noise's centre
    # "square" makes the point estimate the posterior mean; "distance" the geometric median of each
    # joint, which is what MPJPE rewards.
    point_loss: Literal["square", "distance"] = "square"

    # Whom it learns from: everybody, or those of [poses] alone, whom a few people with pictures,
    # seen again and again, would outweigh.
    among: Literal["all", "poses"] = "all"

    # Weight of what the error head learns of the answers at t = 1; nothing else learns from it.
    errors: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def learns_something(self) -> Self:
        if self.draws == 0 and self.point == 0:
            raise ValueError("a decoding path needs draws above 0 or point above 0")
        if self.errors and not (self.point and self.target == "pose_3d"):
            raise ValueError("errors are those of 3D answers: set target to pose_3d and point")
        return self

    @property
    def path(self) -> tuple[Modality, Modality]:
        """Source and target as modalities."""
        return Modality[self.source.upper()], Modality[self.target.upper()]


class Stage(Settings):
    """One training stage; weights of 0 leave a loss out."""

    name: str
    trains: tuple[Part, ...] = PARTS  # what learns; the rest is frozen

    contrastive: float = Field(1.0, ge=0)  # weight of L_cl (eq. 4)
    align: tuple[Source, ...] = ("pose_2d", "pose_3d")  # what L_cl brings together: two, or three
    triplet: float = Field(0.0, ge=0)  # α of eq. 4: L_triplet beside L_pair, for three modalities
    negatives: Literal["sampled", "all"] = "sampled"  # of L_triplet: algorithm 1, or 3B(B − 1)
    directions: Literal["both", "one"] = "both"  # of L_pair; "one" is eq. 1 as printed
    heatmap: float = Field(0.0, ge=0)  # weight of the heat-map loss, which trains the backbone
    # Weight of the distance, in half sides of the box, from where heat maps point to the joints
    # within the crop, seen or not (Sun et al., Integral Human Pose Regression, ECCV 2018). Of heat
    # maps of one person (`PersonHead`): the cross entropy of the joint's cell, and the distances
    # from where the person's centre expects it and where the offset puts it.
    integral: float = Field(0.0, ge=0)
    # The joints whose heat maps learn; the others' stay as they are, and with them all but the last
    # layers of the heads (`PersonHead`). Empty: all.
    joints: tuple[str, ...] = ()
    decode: tuple[Decoding, ...] = ()  # the decoding paths (eq. 5)

    # Factor on what the image read-out adds to the embedding of the keypoints seen, once the stage
    # is over and before anything is `kept`: free to grow, it says too much of people unlike those
    # of training.
    reach: float = Field(1.0, gt=0, le=1)
    kept: float = Field(0.0, ge=0, lt=1)  # share of the weights that it began with, in its result
    still: int = Field(0, ge=0)  # layers of the image backbone, from the picture on, that stay
    # So many batches are looked at once, before the first step, by a backbone and heat maps that
    # stay as they are; steps learn from what was seen there, at a hundredth of the cost. Stages in
    # a row that look at as many share what was seen. 0: never.
    looks: int = Field(0, ge=0)

    steps: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    pose_batch: int = Field(0, ge=0)  # people of [poses] in each step, as a batch of their own
    accumulate: int = Field(1, ge=1)  # batches whose gradients a step averages; processes share

    learning_rate: float = Field(1e-4, gt=0)  # at its highest, after `warm_up` steps
    weight_decay: float = Field(0.0, ge=0)
    warm_up: int = Field(0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"  # as in the paper, or down to 0
    temperature: float | None = Field(None, gt=0)  # τ₀; left out, the stage keeps the τ it gets
    temperature_min: float = Field(1 / 100, gt=0)  # the lower clamp of τ (§4.2)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)  # makes the decoders pose priors, too
    ema: float = Field(0.999, ge=0, lt=1)  # decay of the averaged weights, which are what is saved
    # Steps between validations, of which the best gives the stage's result; 0 keeps the last.
    check_every: int = Field(0, ge=0)
    patience: int = Field(0, ge=0)  # so many validations without a better score end it; 0 never
    clip: float = Field(1.0, gt=0)  # largest gradient norm
    bfloat16: bool = False  # autocast; ignored on CPUs that compute it slowly, see mixed_precision
    # The pose encoders' batch norms keep their running statistics, and weights settle on those. If
    # a step's batches differ in source, each is otherwise normed by its own: unlike in use.
    settled: bool = False

    @property
    def step_samples(self) -> int:
        """Training samples of one step."""
        return (self.batch_size + self.pose_batch) * self.accumulate

    @property
    def aligned(self) -> tuple[Modality, ...]:
        """The aligned modalities, in the paper's order."""
        return tuple(sorted(Modality[name.upper()] for name in self.align))

    @property
    def embedded(self) -> set[Modality]:
        """The modalities whose embeddings the stage needs."""
        needed = {decoding.path[0] for decoding in self.decode}
        return needed | set(self.aligned) if self.contrastive else needed

    @property
    def needs_pictures(self) -> bool:
        """Whether any of its losses does."""
        return self.needs_heatmaps or Modality.IMAGE in self.embedded

    @property
    def needs_heatmaps(self) -> bool:
        """Whether it has a loss of heat maps."""
        return bool(self.heatmap or self.integral)

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        for complaint in self.complaints():
            raise ValueError(f"stage {self.name}: {complaint}")
        return self

    def complaints(self) -> Iterator[str]:
        if not self.trains:
            yield f"trains names nothing; there are {', '.join(PARTS)}"
        if not (self.contrastive or self.decode or self.needs_heatmaps):
            yield "it has no loss: set contrastive, decode, heatmap or integral"
        if self.patience and not self.check_every:
            yield "patience counts validations: set check_every to the steps between them"
        if self.contrastive and not 2 <= len(set(self.align)) == len(self.align):
            yield "align names two or three different modalities"
        if self.joints and (self.trains != ("heatmap_head",) or not self.needs_heatmaps):
            yield 'joints are of a stage that trains heat maps alone: trains = ["heatmap_head"]'
        if self.looks and self.needs_heatmaps:
            yield "what was seen once has no heat maps: leave out looks, or heatmap and integral"
        if self.reach < 1 and "image_encoder" not in self.trains:
            yield "reach is of the image read-out, which it does not train: leave it out"
        if self.looks and Modality.IMAGE not in self.embedded:
            yield "looks are of pictures, which it does not embed: leave them out"
        if self.triplet and len(self.align) != 3:
            yield "the triplet loss aligns all three modalities"


Draw = Callable[[Stage, Generator], list[Batch]]  # the batches of a step; losses are added up
