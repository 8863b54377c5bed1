"""Prediction: the model with people's own units and joint sets round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import Batch, Frames, Modality
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_token, crop, from_box
from unihpe.body.camera import Camera, default_focal, place
from unihpe.body.conversions import Converted, convert
from unihpe.body.mirror import mirrored_batch
from unihpe.body.prepare import prepare, root_of
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.diffusion.sampling import Sampler, build_sampler
from unihpe.errors import InputError
from unihpe.inference.answer import Estimator, fuse_beside_mirrored
from unihpe.inference.checks import (
    checked,
    checked_boxes,
    checked_picture,
    checked_size,
    corners_of,
    floats,
    reasons_against,
    require_focal,
)
from unihpe.inference.hypotheses import spread
from unihpe.inference.keypoints.read import KeypointFile
from unihpe.inference.results import Results
from unihpe.model.checkpoint import Card
from unihpe.model.unihpe import UniHPE

CHUNK = 4096  # people at a time
LIKELY_FOCAL = 1.2  # of the larger side: a common lens; only for the prior's virtual camera

SHORT = {Modality.IMAGE: "image", Modality.POSE_2D: "2d"}  # names of paths in results


@dataclass(frozen=True)
class Draws:
    """How hypotheses are drawn, and how many; and whether estimates are means with the mirrored one."""

    sampler: Sampler
    samples: int
    generator: torch.Generator
    flip: bool = False


class Predictor:
    """A trained model ready for use: `unihpe.load()` makes one.

    Args:
        model: in evaluation mode.
        skeleton: the joints of its poses.
        card: its checkpoint's.
    """

    def __init__(self, model: UniHPE, skeleton: Skeleton, card: Card) -> None:
        self.model, self.skeleton, self.card = model.eval(), skeleton, card

    @property
    def device(self) -> torch.device:
        return self.model.pose_scale.device

    @torch.no_grad()
    def lift(
        self,
        keypoints: Any,
        image_size: Any,
        skeleton: str = "coco17",
        *,
        confidence: Any = None,
        focal: float | None = None,
        samples: int = 0,
        sampler: str = "auto",
        steps: int = 0,
        flip: bool = False,
        seed: int = 0,
    ) -> Results:
        """2D keypoints to 3D poses, a point estimate each, and hypotheses if asked.

        Args:
            keypoints: (N, J, 2) or (J, 2), pixels, array or tensor; NaN where missing.
            image_size: (width, height), or (N, 2); pixels.
            skeleton: which joints they are, by name (`unihpe.body.skeleton.SKELETONS`).
            confidence: (N, J) or (J,) in [0, 1], 0 is missing; without it every joint that is not
                NaN counts fully.
            focal: in pixels; without it √(W² + H²) is assumed.
            samples: hypotheses for each person; adds `samples` and `spread` to the result, if the
                decoder can be sampled.
            sampler, steps: how hypotheses are drawn, see `unihpe.diffusion.sampling`.
            flip: the estimate is the mean with that of the mirrored keypoints, mirrored back:
                better, for twice the time. Hypotheses stay as they are.

        Returns:
            Poses in mm, camera axes, relative to the root; in the model's own joints.

        Raises:
            InputError: for shapes that do not fit the skeleton, infinite coordinates, an empty
                picture, or a person with fewer than four joints seen.
        """
        frames, converted = self.frames(
            keypoints, image_size, get_skeleton(skeleton), confidence, focal
        )
        batches = [prepare(part, self.skeleton).to(self.device) for part in split(frames)]
        draws = drawn_by(sampler, steps, samples, seed, flip)
        poses, drawn = [], []
        for batch in batches:
            embedding = self.model.encode(batch, Modality.POSE_2D)
            if samples and self.model.can_be_sampled(Modality.POSE_3D):
                drawn.append(self.draw(embedding, Modality.POSE_2D, batch, draws))
            again = self.embed_mirrored(batch, Modality.POSE_2D) if flip else None
            poses.append(self.point(embedding, batch, draws, again=again))
        pose = torch.cat(poses).cpu()
        hypotheses = torch.cat(drawn, dim=1).cpu() if drawn else None
        return self.results(
            pose, converted, frames.keypoints, frames.camera, focal is not None, hypotheses, flip
        )

    @torch.no_grad()
    def predict(
        self,
        picture: Any,
        boxes: Any = None,
        keypoints: Any = None,
        *,
        skeleton: str = "coco17",
        confidence: Any = None,
        focal: float | None = None,
        samples: int = 0,
        sampler: str = "auto",
        steps: int = 0,
        flip: bool = False,
        seed: int = 0,
        name: str = "picture",
        person: Sequence[str] | None = None,
    ) -> Results:
        """A picture's people to 2D and 3D poses.

        Args:
            picture: RGB (H, W, 3) uint8, or the path of a file.
            boxes: (N, 4), left, top, right, bottom, pixels; without it, and without keypoints, the
                whole picture is one box.
            keypoints, skeleton, confidence: 2D keypoints of the same people, as in `lift`.
            focal: in pixels; without it √(W² + H²) is assumed.
            samples, sampler, steps, flip: as in `lift`.
            name: of the picture in the results.
            person: names of the people in the results; 0, 1, … without them.

        Returns:
            As `lift`; `keypoints` are the estimated 2D in pixels of the picture. With keypoints
            given, they are those, `pose` is lifted from them, and `paths` holds the poses from the
            picture ("image"), from the keypoints ("2d") and from both ("fused") side by side.

        Raises:
            InputError: for a model without an image encoder, a picture that cannot be read, a box
                that is empty, not finite, below a pixel, wholly outside the picture or far beyond
                it, a focal length that no lens has, keypoints that `lift` would refuse, or another
                number of them, or of names, than of boxes.
        """
        pixels = checked_picture(picture)
        people = None
        if keypoints is not None:
            size = (pixels.shape[1], pixels.shape[0])
            people = self.frames(keypoints, size, get_skeleton(skeleton), confidence, focal)
            boxes = corners_of(people[0]) if boxes is None else boxes
        batch, box, camera = self.people_in(pixels, boxes, focal)
        names = tuple(str(n) for n in range(len(box))) if person is None else tuple(person)
        if len(names) != len(box):
            raise InputError(
                f"{len(names)} names of people for {len(box)} people: give one for each"
            )
        draws = drawn_by(sampler, steps, samples, seed, flip)
        if people is None:
            results = self.answer(batch, box, camera, focal is not None, draws)
        else:
            results = self.answer_beside(batch, box, *people, focal is not None, draws)
        return replace(results, image=(name,) * len(box), person=names)

    def answer(
        self, batch: Batch, box: Tensor, camera: Camera, focal_given: bool, draws: Draws
    ) -> Results:
        """2D and 3D from pictures alone: a batch of crops, their boxes (N, 4) and cameras."""
        embedding = self.model.encode(batch, Modality.IMAGE)
        again = self.embed_mirrored(batch, Modality.IMAGE) if draws.flip else None
        flat = self.point(embedding, batch, draws, Modality.IMAGE, Modality.POSE_2D, again)
        pose = self.point(embedding, batch, draws, Modality.IMAGE, again=again).cpu()
        keypoints = from_box(flat.cpu(), box)
        found = Converted(keypoints, torch.ones(keypoints.shape[:2]), (False,) * len(self.skeleton))
        drawn = self.hypotheses(embedding, Modality.IMAGE, batch, draws)
        return self.results(pose, found, keypoints, camera, focal_given, drawn, draws.flip)

    def answer_beside(
        self,
        batch: Batch,
        box: Tensor,
        frames: Frames,
        converted: Converted,
        focal_given: bool,
        draws: Draws,
    ) -> Results:
        """3D from the pictures, from keypoints of the same people, and from both."""
        if len(box) != len(frames):
            raise InputError(
                f"{len(box)} boxes and keypoints of {len(frames)} people: give one box for each"
            )
        flat = prepare(replace(frames, box=box), self.skeleton).to(self.device)
        evidence = {Modality.IMAGE: batch, Modality.POSE_2D: flat}
        embeddings = {kind: self.model.encode(seen, kind) for kind, seen in evidence.items()}
        again = {
            kind: self.embed_mirrored(seen, kind) for kind, seen in evidence.items() if draws.flip
        }
        paths = {
            SHORT[kind]: self.point(embedding, flat, draws, kind, again=again.get(kind)).cpu()
            for kind, embedding in embeddings.items()
        }
        if self.model.has_point_estimate(Modality.POSE_3D):
            fused = self.model.fuse(embeddings, Modality.POSE_3D, flat.box_token)
            if again:
                fused = fuse_beside_mirrored(
                    self.model, self.skeleton, Modality.POSE_3D, flat.box_token, fused, again
                )
            paths["fused"] = (fused - root_of(fused, self.skeleton)).cpu()
        drawn = self.hypotheses(embeddings[Modality.POSE_2D], Modality.POSE_2D, flat, draws)
        pose = paths[SHORT[Modality.POSE_2D]]
        results = self.results(
            pose, converted, frames.keypoints, frames.camera, focal_given, drawn, draws.flip
        )
        return replace(results, paths=paths)

    def hypotheses(
        self, embedding: Tensor, source: Modality, batch: Batch, draws: Draws
    ) -> Tensor | None:
        """(S, B, J, 3), mm, root-relative; None where none are wanted, or the decoder cannot be sampled."""
        if not draws.samples or not self.model.can_be_sampled(Modality.POSE_3D):
            return None
        return self.draw(embedding, source, batch, draws).cpu()

    def people_in(
        self, picture: Any, boxes: Any, focal: float | None
    ) -> tuple[Batch, Tensor, Camera]:
        """The crops of a picture as a batch, with their boxes (N, 4) and cameras."""
        if self.model.image_encoder is None:
            raise InputError(
                "this model has no image encoder: it lifts keypoints; name a checkpoint trained on pictures"
            )
        pixels = checked_picture(picture)  # not read again where they are pixels already
        box = checked_boxes(boxes, pixels)
        size = torch.tensor([float(pixels.shape[1]), float(pixels.shape[0])]).expand(len(box), 2)
        require_focal(focal, size)
        assumed = default_focal(size) if focal is None else torch.full((len(box),), float(focal))
        camera = Camera.simple(size, assumed)
        batch = picture_batch(pixels, box, size, camera.focal[:, 0], len(self.skeleton))
        return batch.to(self.device), box, camera

    def results(
        self,
        pose: Tensor,
        flat: Converted,
        keypoints: Tensor,
        camera: Camera,
        focal_given: bool,
        samples: Tensor | None,
        flip: bool,
    ) -> Results:
        """Everything together: poses (N, J, 3) and their 2D, placed before the camera."""
        return Results(
            self.skeleton,
            pose,
            flat.points,
            flat.confidence,
            flat.synthesised,
            place(pose, keypoints, camera, flat.confidence),
            camera.size,
            camera.focal[:, 0],
            "given" if focal_given else "assumed √(W² + H²)",
            tuple(str(n) for n in range(len(pose))),
            ("0",) * len(pose),
            samples,
            None if samples is None else spread(samples),
            self.estimate_in_words(flip),
        )

    def liftable(self, file: KeypointFile) -> tuple[KeypointFile, list[str]]:
        """The people of a file with enough joints seen, and who was left out, in words.

        Raises:
            InputError: if nobody is left.
        """
        kept, skipped = self.liftable_rows(file)
        return file.select(kept), skipped

    def liftable_rows(self, file: KeypointFile) -> tuple[list[int], list[str]]:
        """`liftable`, by the people's rows in the file."""
        converted = convert(file.keypoints, file.confidence, file.skeleton, self.skeleton)
        reasons = reasons_against(converted, file.image_size)
        kept = [n for n, reason in enumerate(reasons) if not reason]
        skipped = [
            f"{file.image[n]}, person {file.person[n]}: {reason}"
            for n, reason in enumerate(reasons)
            if reason
        ]
        if not kept:
            raise InputError(f"nobody to lift: {skipped[0]}")
        return kept, skipped

    def lift_file(self, file: KeypointFile, **options: Any) -> Results:
        """`lift` for the people of a keypoint file; the file's names of pictures and people are kept."""
        results = self.lift(
            file.keypoints,
            file.image_size,
            file.skeleton.name,
            confidence=file.confidence,
            **options,
        )
        return replace(results, image=file.image, person=file.person)

    @torch.no_grad()
    def embed(
        self,
        *,
        keypoints: Any = None,
        image_size: Any = None,
        skeleton: str = "coco17",
        confidence: Any = None,
        focal: float | None = None,
        pose: Any = None,
        picture: Any = None,
        boxes: Any = None,
    ) -> Tensor:
        """Unit embeddings (N, D) of one kind of evidence.

        Args:
            keypoints, image_size, skeleton, confidence, focal: 2D keypoints, as in `lift`.
            pose: 3D poses (N, J, 3), mm, the model's joints, camera axes.
            picture, boxes: the people in a picture, as in `predict`.
        """
        if sum(evidence is not None for evidence in (keypoints, pose, picture)) != 1:
            raise InputError("embed takes keypoints, a pose or a picture, one of the three")
        if picture is not None:
            return self.model.encode(self.people_in(picture, boxes, focal)[0], Modality.IMAGE).cpu()
        if pose is not None:
            batch = self.pose_batch(pose)
            return self.model.encode(batch.to(self.device), Modality.POSE_3D).cpu()
        if image_size is None:
            raise InputError("keypoints need their picture's size: image_size=(width, height)")
        frames, _ = self.frames(keypoints, image_size, get_skeleton(skeleton), confidence, focal)
        batch = prepare(frames, self.skeleton).to(self.device)
        return self.model.encode(batch, Modality.POSE_2D).cpu()

    @torch.no_grad()
    def sample(
        self, samples: int, *, seed: int = 0, sampler: str = "auto", steps: int = 0
    ) -> Tensor:
        """Poses from the model's own prior, with no evidence at all: (samples, J, 3), mm,
        root-relative, camera axes.

        The decoder has learned to do without its embedding; recipes without embedding dropout have
        no such prior.
        """
        dropped = any(stage.get("embedding_dropout") for stage in self.card.recipe.get("stage", []))
        if not dropped or not self.model.can_be_sampled(Modality.POSE_3D):
            raise InputError(
                "this model has no pose prior: it was trained without embedding_dropout, or its decoder is an MLP"
            )
        generator = torch.Generator().manual_seed(seed)
        width = self.model.log_scale.new_zeros(samples, self.embedding_width)
        box = self.model.log_scale.new_tensor([0.0, 0.0, 1 / LIKELY_FOCAL]).expand(samples, 3)
        drop = torch.ones(samples, dtype=torch.bool, device=self.device)
        chosen = build_sampler(sampler, steps, generator)
        poses = self.model.sample(
            width, Modality.POSE_2D, Modality.POSE_3D, box, chosen, 1, generator, drop
        )[0]
        return (poses - root_of(poses, self.skeleton)).cpu()

    @property
    def embedding_width(self) -> int:
        """D."""
        return int(self.card.recipe["model"]["embedding"])

    def point(
        self,
        embedding: Tensor,
        batch: Batch,
        draws: Draws,
        source: Modality = Modality.POSE_2D,
        target: Modality = Modality.POSE_3D,
        again: Tensor | None = None,
    ) -> Tensor:
        """The point estimate, (B, J, 3) in mm relative to the root or (B, J, 2) in box units; one
        sample where there is none.

        Args:
            again: the embedding of the mirrored people, for the flip test.
        """
        estimator, path = (
            Estimator(self.model, self.skeleton, draws.sampler, draws.generator),
            (source, target),
        )
        if again is None:
            pose = estimator(embedding, path, batch.box_token)
        else:
            _, pose = estimator.beside_mirrored(embedding, path, batch.box_token, again)
        return pose - root_of(pose, self.skeleton) if target is Modality.POSE_3D else pose

    def embed_mirrored(self, batch: Batch, source: Modality) -> Tensor:
        """The embedding (B, D) of the mirrored people."""
        return self.model.encode(mirrored_batch(batch, self.skeleton), source)

    def draw(self, embedding: Tensor, source: Modality, batch: Batch, draws: Draws) -> Tensor:
        """Hypotheses (S, B, J, 3), mm, root-relative."""
        drawn = self.model.sample(
            embedding,
            source,
            Modality.POSE_3D,
            batch.box_token,
            draws.sampler,
            draws.samples,
            draws.generator,
        )
        root: Tensor = root_of(drawn.flatten(0, 1), self.skeleton).unflatten(0, drawn.shape[:2])
        return drawn - root

    def estimate_in_words(self, flip: bool) -> str:
        """What `pose` of a result is."""
        beside = ", mean with the mirrored one" if flip else ""
        if not self.model.can_be_sampled(Modality.POSE_3D):
            return f"the MLP decoder's answer{beside}"
        if not self.model.has_point_estimate(Modality.POSE_3D):
            return f"one sample of the decoder{beside}"
        return f"point estimate, one network evaluation at t = 1{beside}"

    def pose_batch(self, pose: Any) -> Batch:
        """3D poses (N, J, 3) or (J, 3) as a batch."""
        poses = floats(pose, "poses")
        poses = poses[None] if poses.ndim == 2 else poses
        if poses.ndim != 3 or poses.shape[1:] != (len(self.skeleton), 3):
            raise InputError(
                f"poses must be (N, {len(self.skeleton)}, 3), the joints of {self.skeleton.name}; not {tuple(poses.shape)}"
            )
        if bool(torch.isinf(poses).any()):
            raise InputError("a pose holds an infinite coordinate; a missing joint is NaN")
        n = len(poses)
        relative = poses - root_of(poses, self.skeleton)
        return Batch(
            torch.zeros(n, len(self.skeleton), 2),
            torch.zeros(n, len(self.skeleton)),
            torch.zeros(n, 3),
            pose=relative,
        )

    def frames(
        self,
        keypoints: Any,
        image_size: Any,
        skeleton: Skeleton,
        confidence: Any,
        focal: float | None,
    ) -> tuple[Frames, Converted]:
        """Checked keypoints in the model's joints, with cameras."""
        points, seen = checked(keypoints, skeleton, confidence)
        size = checked_size(image_size, len(points))
        require_focal(focal, size)
        converted = convert(points, seen, skeleton, self.skeleton)
        reasons = reasons_against(converted, size)
        if any(reasons):
            person = next(n for n, reason in enumerate(reasons) if reason)
            raise InputError(f"person {person}: {reasons[person]}; leave them out")
        camera = Camera.simple(
            size, default_focal(size) if focal is None else torch.full((len(points),), float(focal))
        )
        n = torch.arange(len(points))
        return Frames(
            converted.points, converted.confidence, None, camera, ("",) * len(points), n
        ), converted


def drawn_by(sampler: str, steps: int, samples: int, seed: int, flip: bool = False) -> Draws:
    """How hypotheses are drawn, with a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    return Draws(build_sampler(sampler, steps, generator), samples, generator, flip)


def picture_batch(
    picture: NDArray[np.uint8], box: Tensor, size: Tensor, focal: Tensor, joints: int
) -> Batch:
    """The crops of boxes (N, 4) as a batch without keypoints."""
    cut = [crop(picture, one.double().numpy(), CROP_WIDTH, CROP_HEIGHT) for one in box]
    image = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous()
    empty = torch.zeros(len(box), joints, 2)
    return Batch(empty, empty[..., 0], box_token(box, size, focal), box=box, image=image)


def split(frames: Frames) -> Sequence[Frames]:
    """Frames in parts of `CHUNK` people."""
    if len(frames) <= CHUNK:
        return [frames]
    return [take(frames, rows) for rows in torch.arange(len(frames)).split(CHUNK)]


def take(frames: Frames, rows: Tensor) -> Frames:
    """Some of the people."""
    return Frames(
        frames.keypoints[rows],
        frames.confidence[rows],
        None if frames.pose is None else frames.pose[rows],
        frames.camera.select(rows),
        tuple(frames.group[n] for n in rows.tolist()),
        frames.index[rows],
    )
