"""Prediction: the public face of a model, in people's own units and joint sets."""

from __future__ import annotations  # help() shows `Numbers`, not the union it stands for

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Frames, Modality
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError, require_count
from unihpe.export.results import Results
from unihpe.inference.answer import IMAGE, POSE_2D, POSE_3D, Answer, Draw, answer
from unihpe.inference.results import results_of
from unihpe.inference.shown import with_a_body
from unihpe.inputs.boxes import checked_corners, require_a_box_each
from unihpe.inputs.calibration import Lens
from unihpe.inputs.checks import Focal, Numbers, PictureLike, checked_picture
from unihpe.inputs.detections import MIN_CONFIDENCE
from unihpe.inputs.evidence import Evidence, from_crops, from_keypoints, from_picture, from_poses
from unihpe.inputs.keypoints import Keypoints, checked_people, keypoints_in_pixels, liftable_rows
from unihpe.inputs.media import Clip, open_clip
from unihpe.io import large
from unihpe.io.picture import Picture
from unihpe.io.video import VideoFile
from unihpe.model.checkpoint import Card
from unihpe.model.unihpe import UniHPE
from unihpe.people.find import Found, find
from unihpe.people.keypoints import people_in

MOST_DRAWN = 1 << 18  # poses at a time, which bounds memory
LIKELY_FOCAL = 1.2  # of the larger side: a common lens; only for the prior's virtual camera


@dataclass(frozen=True)
class Options:
    """How `lift` and `predict` answer."""

    focal: Focal = None  # pixels, or a calibrated `Lens`; None: √(W² + H²) is assumed
    samples: int = 0  # hypotheses for each person, if the decoder can be sampled
    sampler: str = "auto"  # how they are drawn, see `unihpe.diffusion.sampling`
    steps: int = 0  # of the sampler; 0 is its own default
    flip: bool = False  # estimates are means with the mirrored one: better, for twice the time
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "steps", "seed"):
            require_count(name, getattr(self, name))
        if not isinstance(self.focal, Real | Lens | None):
            kinds = "one number, of pixels, or a Lens (unihpe.inputs)"
            raise InputError(f"the focal length is {kinds}, not {self.focal!r}")


PLAIN = Options()
NOBODY = 'nobody found in the picture: give boxes, or boxes="whole"'


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model ready for use: `unihpe.load()` makes one."""

    model: UniHPE = field(repr=False)
    skeleton: Skeleton  # the joints of its poses
    card: Card = field(repr=False)  # its checkpoint's

    def __post_init__(self) -> None:
        self.model.eval()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.pose_scale.device

    def lift(
        self,
        keypoints: Numbers,
        image_size: Numbers,
        skeleton: str = "coco17",
        *,
        confidence: Numbers | None = None,
        focal: Focal = None,
        samples: int = 0,
        sampler: str = "auto",
        steps: int = 0,
        flip: bool = False,
        seed: int = 0,
    ) -> Results:
        """2D keypoints to 3D poses, a point estimate each, and hypotheses if asked.

        Args:
            keypoints: (N, J, 2) or (J, 2), pixels, NaN where missing; or (…, 3) with confidence.
            image_size: (width, height), or (N, 2); pixels.
            skeleton: which joints they are, by name (`unihpe.body.skeleton.SKELETONS`).
            confidence: (N, J) or (J,) in [0, 1], 0 is missing; without it all but NaN count fully.
            focal, samples, sampler, steps, flip, seed: as `Options` says.

        Returns:
            Poses in mm, camera axes, relative to the root; in the model's own joints.

        Raises:
            InputError: for shapes that do not fit the skeleton, infinite coordinates or such as
                look like other units, an empty picture, or a person with fewer than four joints.
        """
        people = keypoints_in_pixels(keypoints, image_size, skeleton, confidence)
        return self.lift_file(people, Options(focal, samples, sampler, steps, flip, seed))

    def lift_file(self, file: Keypoints, options: Options = PLAIN, **changes: Any) -> Results:
        """`lift` for a file's people, with their names; `changes` are options by keyword."""
        people, options = checked_people(file), replace(options, **changes)
        return self.answer(from_keypoints(people, self.skeleton, options.focal), options)

    def liftable(self, file: Keypoints) -> tuple[Keypoints, list[str]]:
        """The people of a file who can be lifted (else InputError), and who cannot, in words."""
        rows, skipped = liftable_rows(checked_people(file), self.skeleton)
        return file.select(rows), skipped

    def predict(
        self,
        picture: PictureLike,
        boxes: Numbers | None = None,
        keypoints: Numbers | None = None,
        *,
        skeleton: str = "coco17",
        confidence: Numbers | None = None,
        name: str = "picture",
        person: Sequence[str] | None = None,
        focal: Focal = None,
        samples: int = 0,
        sampler: str = "auto",
        steps: int = 0,
        flip: bool = False,
        seed: int = 0,
    ) -> Results:
        """A picture's people to 2D and 3D poses.

        A model without an image encoder lifts the keypoints that MoveNet Thunder sees, or those
        that are given; whom it cannot lift it leaves out, as `person` then tells.

        Args:
            picture: RGB (H, W, 3) uint8, or a picture file: its path, bytes or file object.
            boxes: (N, 4), left, top, right, bottom, pixels; or "whole", the picture as it is; else
                they are drawn round the keypoints, or the people are found (`unihpe.people.find`)
                and those stay of whom the model sees a shoulder or a hip, as `person` tells.
            keypoints, skeleton, confidence: 2D keypoints of the same people, as in `lift`.
            name, person: of the picture and its people in the results; 0, 1, … without them.
            focal, samples, sampler, steps, flip, seed: as `Options` says.

        Returns:
            As `lift`; `keypoints` are the estimated 2D in pixels of the picture. With keypoints
            given, they are those, `pose` is lifted from them, and `paths` holds the poses from the
            picture ("image"), from the keypoints ("2d") and from both ("fused") side by side.

        Raises:
            InputError: for a picture that cannot be read or in which nobody is found, or nobody
                can be lifted, a box not finite, below a pixel, outside the picture or far beyond
                it, a focal length that no lens has, keypoints that `lift` would refuse, or not as
                many, or names, as boxes.
        """
        pixels, people = checked_picture(picture), None
        where: Numbers | Found | None = boxes
        if keypoints is not None:
            people = keypoints_in_pixels(keypoints, pixels.shape[1::-1], skeleton, confidence)
        elif where is None:
            where = self._found(pixels)
        given, _ = self.evidence(pixels, where, people, focal, name=name, person=person)
        made = self.answer(given, Options(focal, samples, sampler, steps, flip, seed))
        shown = with_a_body(made, self.model)[0] if isinstance(where, Found) else made
        if shown is None:
            raise InputError(NOBODY)
        return shown

    def predict_clip(
        self,
        clip: Clip | VideoFile | Sequence[Picture],
        *,
        start: float | None = None,
        end: float | None = None,
        every: int = 1,
        frame_rate: float | None = None,
        people: str = "all",
        smooth: str = "savgol",
        bones: bool = True,
        **changes: Any,
    ) -> Results:
        """The people of a video, followed from frame to frame, as a motion.

        Args:
            clip: a video file's path or bytes, its frames as RGB (H, W, 3) uint8, or what
                `unihpe.inputs.open_clip` opened, whose `faults` say what could not be decoded.
            start, end: seconds; every: 2 for each second frame, and so on.
            frame_rate: frames a second, of frames that are handed in.
            people: "all", "largest", "first", or somebody's number.
            smooth: "savgol", "one-euro" or "off".
            bones: whether each person's bones are as long in all frames.
            changes: options by keyword, as `Options` says.

        Returns:
            Rows in the order of frames, with `frame`, `time`, `filled` and `boxes`.

        Raises:
            InputError: for a clip that cannot be read, or in which nobody is found, and for a part
                of a clip that is open already.
        """
        from unihpe.inference.clips import Motion, made_steady, poses_in

        part = (start, end, every, frame_rate)
        if isinstance(clip, Clip) and part != (None, None, 1, None):
            given = "start, end, every and frame_rate"
            raise InputError(f"{clip.name} is open already: give {given} to open_clip")
        opened = clip if isinstance(clip, Clip) else open_clip(clip, *part)
        motion, options = Motion(people, smooth, bones), replace(PLAIN, **changes)
        parts = [part for _, part in poses_in(self, opened, options) if part is not None]
        if not parts:
            raise InputError(f"{opened.name}: nobody found in it")
        return made_steady(Results.join(parts), opened, motion)

    def evidence(
        self,
        picture: PictureLike,
        boxes: Numbers | Found | None,
        people: Keypoints | None = None,
        focal: Focal = None,
        *,
        name: str = "picture",
        person: Sequence[str] | None = None,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> tuple[Evidence, list[str]]:
        """A picture's people as this model takes them, and who cannot be lifted, in words.

        A model that knows keypoints alone takes `people`, or those whom MoveNet Thunder sees in
        the boxes, joints below `min_confidence` missing. InputError as `predict`.
        """
        if self.model.image_encoder is not None:
            corners = torch.from_numpy(boxes.boxes) if isinstance(boxes, Found) else boxes
            given = from_picture(picture, corners, people, self.skeleton, focal, name, person)
            return given, []
        if people is not None:
            if boxes is not None and not isinstance(boxes, Found):
                corners = checked_corners(boxes, checked_picture(picture))
                require_a_box_each(len(corners), len(people))
            return from_keypoints(people.of_picture(name, person), self.skeleton, focal), []
        seen = people_in(picture, boxes, name, person, min_confidence, self.device)
        people, left_out = self.liftable(seen)
        return from_keypoints(people, self.skeleton, focal), left_out

    def predict_crops(self, frames: Frames, options: Options = PLAIN, **changes: Any) -> Results:
        """`predict` for people with crops, boxes and cameras; `changes` as in `lift_file`."""
        return self.answer(from_crops(frames, self.skeleton), replace(options, **changes))

    def answer(self, given: Evidence, options: Options = PLAIN) -> Results:
        """`lift` and `predict` for evidence that is checked already."""
        how = "point estimate, one network evaluation at t = 1"
        if not self.model.has_point_estimate(POSE_3D):
            how = "one sample of the decoder"
        elif not self.model.can_be_sampled(POSE_3D):
            how = "the MLP decoder's answer"
        made = self._ask(given, [POSE_3D] if given.keypoints else [POSE_3D, POSE_2D], options)
        return results_of(given, made, self.skeleton, options.flip, how)

    def embed(
        self,
        *,
        keypoints: Numbers | None = None,
        image_size: Numbers | None = None,
        skeleton: str = "coco17",
        confidence: Numbers | None = None,
        focal: Focal = None,
        pose: Numbers | None = None,
        picture: PictureLike | None = None,
        boxes: Numbers | None = None,
    ) -> Tensor:
        """Unit embeddings (N, D) of one kind of evidence.

        Args:
            keypoints, image_size, skeleton, confidence, focal: 2D keypoints, as in `lift`.
            pose: 3D poses (N, J, 3), mm, the model's joints, camera axes.
            picture, boxes: the people in a picture; without boxes one who fills it.
        """
        if sum(one is not None for one in (keypoints, pose, picture)) != 1:
            raise InputError("embed takes keypoints, a pose or a picture, one of the three")
        focal = Options(focal).focal
        if picture is not None:
            given = from_picture(picture, boxes, None, self.skeleton, focal)
        elif pose is not None:
            given = from_poses(pose, self.skeleton)
        elif keypoints is None or image_size is None:
            raise InputError("keypoints need their picture's size: image_size=(width, height)")
        else:
            people = keypoints_in_pixels(keypoints, image_size, skeleton, confidence)
            given = from_keypoints(people, self.skeleton, focal)
        return self._ask(given, [], PLAIN).embeddings[given.kinds[0]].cpu()

    def sample(
        self, samples: int, *, seed: int = 0, sampler: str = "auto", steps: int = 0
    ) -> Tensor:
        """Poses from the model's own prior, without evidence: (samples, J, 3), mm, root-relative.

        Recipes without embedding dropout have no such prior: their decoders need an embedding.
        """
        dropped = any(stage.get("embedding_dropout") for stage in self.card.recipe.get("stage", []))
        if not dropped or not self.model.can_be_sampled(POSE_3D):
            reason = "it was trained without embedding_dropout, or its decoder is an MLP"
            raise InputError(f"this model has no pose prior: {reason}")
        require_count("samples", samples, least=1)
        require_count("seed", seed)
        generator, scale = torch.Generator().manual_seed(seed), self.model.pose_scale
        embedding = scale.new_zeros(1, int(self.card.recipe["model"]["embedding"]))
        flat = scale.new_zeros(1, len(self.skeleton), 2)
        nobody = Batch(flat, flat[..., 0], scale.new_tensor([[0.0, 0.0, 1 / LIKELY_FOCAL]]))
        drop = torch.ones(1, dtype=torch.bool, device=self.device)
        chosen = build_sampler(sampler, steps, generator)
        path = POSE_2D, POSE_3D
        drawn = self.model.sample(embedding, *path, nobody, chosen, samples, generator, drop)
        return root_relative(drawn[:, 0], self.skeleton).cpu()

    def find(self, picture: PictureLike) -> Found:
        """The people in a picture, as `unihpe.people.find`."""
        return find(picture, self.device)

    def _found(self, pixels: Picture) -> Found:
        found = self.find(pixels)
        if not len(found):
            raise InputError(NOBODY)
        return found

    def _ask(self, given: Evidence, targets: Sequence[Modality], options: Options) -> Answer:
        """The answer, some people at a time; hypotheses are root-relative, and may lie on disk."""
        if IMAGE in given.kinds and self.model.image_encoder is None:
            remedy = "name a checkpoint trained on pictures"
            raise InputError(f"this model has no image encoder: it lifts keypoints; {remedy}")
        ask = partial(answer, self.model, self.skeleton, targets=targets, flip=options.flip)
        parts, drawn, at = [], None, 0
        # each part of the same noise: who is in which does not matter
        for part in given.parts(MOST_DRAWN // max(1, options.samples)):
            generator = torch.Generator().manual_seed(options.seed)
            sampler = build_sampler(options.sampler, options.steps, generator)
            draw = Draw(sampler, generator, options.samples)
            made = ask(part.to(self.device), given.kinds, draw)
            if (own := made.hypotheses) is not None:
                if drawn is None:
                    drawn = large.empty((options.samples, len(given.batch), *own.shape[2:]))
                rooted = root_relative(own.flatten(0, 1), self.skeleton).view_as(own)
                drawn[:, at : at + len(part)] = rooted
            parts.append(replace(made, hypotheses=None))
            at += len(part)
        return replace(Answer.join(parts), hypotheses=drawn)
