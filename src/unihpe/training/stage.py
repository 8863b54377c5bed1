"""What a training stage is, and its losses (§3.2, §3.3, §4.2, fig. 2)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unihpe.body.batch import Modality

Part = Literal[
    "image_encoder", "heatmap_head", "encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d"
]
PARTS: tuple[Part, ...] = (
    "image_encoder",
    "heatmap_head",
    "encoder_2d",
    "encoder_3d",
    "decoder_2d",
    "decoder_3d",
)
Kind = Literal["image", "pose_2d", "pose_3d"]


class Decoding(BaseModel):
    """One decoding path: whose embedding, to which pose, on how much of each batch.

    Attributes:
        share: the share of each batch this path trains on, (0, 1]: its first people, who are of all
            sources where it is mixed.
        weight: of its loss.
        draws: noise draws for each embedding (amortises the encoder).
        point: weight of the point estimate's own term: the network at t = 1 and the centre of the
            noise; 0 leaves it out.
        point_loss: "square" makes the point estimate the posterior mean; "distance" the geometric
            median of each joint, which is what MPJPE rewards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Kind
    target: Literal["pose_2d", "pose_3d"]
    share: float = Field(1.0, gt=0, le=1)
    weight: float = Field(1.0, gt=0)
    draws: int = Field(1, ge=0)
    point: float = Field(0.0, ge=0)
    point_loss: Literal["square", "distance"] = "square"

    @model_validator(mode="after")
    def trains_something(self) -> Decoding:
        if self.draws == 0 and self.point == 0:
            raise ValueError("a decoding path needs draws above 0 or point above 0")
        return self

    @property
    def path(self) -> tuple[Modality, Modality]:
        """Source and target as modalities."""
        return Modality[self.source.upper()], Modality[self.target.upper()]


class Stage(BaseModel):
    """One training stage. What is not in `trains` is frozen.

    Attributes:
        trains: the parts that learn.
        contrastive: weight of L_cl (eq. 4); 0 leaves it out.
        align: the modalities it brings together: two, and it is their pair loss (fig. 2, step 1);
            or all three.
        triplet: α of eq. 4, the weight of L_triplet beside L_pair; needs all three modalities.
        negatives: of L_triplet: "sampled" (algorithm 1), or "all" 3B(B − 1) of each anchor.
        heatmap: weight of the heat-map loss, which trains the image backbone through its head.
        integral: weight of the distance, in half sides of the box, from where the heat maps point
            to the joints within the crop, seen or not (Sun et al., Integral Human Pose Regression,
            ECCV 2018).
        decode: the decoding paths (eq. 5).
        steps, batch_size: its length.
        pose_batch: people without pictures that each step adds, as a batch of their own, from the
            recipe's `poses`.
        accumulate: batches whose gradients are averaged in each step; each batch is contrasted on
            its own. Several processes share them.
        learning_rate: at its highest, after `warm_up` steps.
        schedule: "constant" as in the paper, or "cosine" down to 0.
        temperature: τ₀; `temperature_min` is the lower clamp (§4.2).
        embedding_dropout: share of the embeddings a decoder does not see, which makes it a pose
            prior too.
        ema: decay of the averaged weights that are evaluated and saved; 0 switches it off.
        check_every: steps between validations that choose: the averaged weights with the best score
            are the stage's result, and the next stage begins from them; 0 keeps the last ones.
        patience: the stage ends early after so many of these validations in a row without a better
            score; 0 never.
        clip: largest gradient norm.
        bfloat16: autocast to it; not on CPUs without AVX-512, which compute it many times slower
            than float32: training is in float32 there.
        settled: the pose encoders' batch norms keep the statistics they have, and the weights
            settle on those. Where the batches of a step come from sources that differ, training
            norms each by its own statistics, and use by what lies between.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    trains: tuple[Part, ...] = PARTS
    contrastive: float = Field(1.0, ge=0)
    align: tuple[Kind, ...] = ("pose_2d", "pose_3d")
    triplet: float = Field(0.0, ge=0)
    negatives: Literal["sampled", "all"] = "sampled"
    directions: Literal["both", "one"] = "both"
    heatmap: float = Field(0.0, ge=0)
    integral: float = Field(0.0, ge=0)
    decode: tuple[Decoding, ...] = ()
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    pose_batch: int = Field(0, ge=0)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    warm_up: int = Field(0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    temperature: float | None = Field(None, gt=0)
    temperature_min: float = Field(1 / 100, gt=0)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    ema: float = Field(0.999, ge=0, lt=1)
    check_every: int = Field(0, ge=0)
    patience: int = Field(0, ge=0)
    clip: float = Field(1.0, gt=0)
    bfloat16: bool = False
    settled: bool = False

    @property
    def samples(self) -> int:
        """Training samples this stage draws."""
        return self.steps * self.step_samples

    @property
    def step_samples(self) -> int:
        """Training samples of one step."""
        return (self.batch_size + self.pose_batch) * self.accumulate

    @property
    def aligned(self) -> tuple[Modality, ...]:
        """The aligned modalities, in the paper's order."""
        return tuple(sorted(Modality[name.upper()] for name in self.align))

    @property
    def looks(self) -> bool:
        """Whether the stage needs pictures."""
        return self.draws_heatmaps or Modality.IMAGE in self.embedded

    @property
    def draws_heatmaps(self) -> bool:
        """Whether the stage needs heat maps."""
        return bool(self.heatmap or self.integral)

    @property
    def embedded(self) -> set[Modality]:
        """The modalities whose embeddings the stage needs."""
        needed = {decoding.path[0] for decoding in self.decode}
        return needed | set(self.aligned) if self.contrastive else needed

    @model_validator(mode="after")
    def learns_something(self) -> Stage:
        if not self.trains:
            raise ValueError(
                f"stage {self.name}: trains names nothing; there are {', '.join(PARTS)}"
            )
        if not (self.contrastive or self.decode or self.draws_heatmaps):
            raise ValueError(
                f"stage {self.name} has no loss: set contrastive, decode, heatmap or integral"
            )
        return self

    @model_validator(mode="after")
    def checks_what_it_is_patient_about(self) -> Stage:
        if self.patience and not self.check_every:
            raise ValueError(
                f"stage {self.name}: patience counts validations: set check_every to the steps between them"
            )
        return self

    @model_validator(mode="after")
    def aligns_enough(self) -> Stage:
        if self.contrastive and (
            len(set(self.align)) < 2 or len(set(self.align)) != len(self.align)
        ):
            raise ValueError(f"stage {self.name}: align names two or three different modalities")
        if self.triplet and len(self.align) != 3:
            raise ValueError(f"stage {self.name}: the triplet loss aligns all three modalities")
        return self
