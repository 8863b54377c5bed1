"""Prediction: the public face of a model, in people's own units and joint sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from unihpe.body.batch import Frames, Modality
from unihpe.body.boxes import from_box
from unihpe.body.camera import place
from unihpe.body.conversions import Converted
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.inference import evidence
from unihpe.inference.answer import FLIP_TEST, Answer, Draw, answer
from unihpe.inference.evidence import Evidence, Numbers, PictureLike
from unihpe.inference.keypoints.read import Keypoints
from unihpe.inference.results import Results, spread
from unihpe.model.checkpoint import Card
from unihpe.model.unihpe import UniHPE

LIKELY_FOCAL = 1.2  # of the larger side: a common lens; only for the prior's virtual camera
IMAGE, POSE_2D, POSE_3D = Modality


class Options(TypedDict, total=False):
    """What `lift` and `predict` take alike."""

    focal: float | None  # pixels; without it √(W² + H²) is assumed
    samples: int  # hypotheses for each person, if the decoder can be sampled
    sampler: str  # how they are drawn, see `unihpe.diffusion.sampling`
    steps: int  # of the sampler; 0 is its own default
    flip: bool  # estimates are means with the mirrored one: better, for twice the time
    seed: int


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model ready for use: `unihpe.load()` makes one."""

    model: UniHPE
    skeleton: Skeleton  # the joints of its poses
    card: Card  # its checkpoint's

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
        **options: Unpack[Options],
    ) -> Results:
        """2D keypoints to 3D poses, a point estimate each, and hypotheses if asked.

        Args:
            keypoints: (N, J, 2) or (J, 2), pixels, NaN where missing; or (…, 3) with confidence.
            image_size: (width, height), or (N, 2); pixels.
            skeleton: which joints they are, by name (`unihpe.body.skeleton.SKELETONS`).
            confidence: (N, J) or (J,) in [0, 1], 0 is missing; without it every joint that is not
                NaN counts fully.
            options: focal, samples, sampler, steps, flip, seed, as `Options` says.

        Returns:
            Poses in mm, camera axes, relative to the root; in the model's own joints.

        Raises:
            InputError: for shapes that do not fit the skeleton, infinite coordinates, an empty
                picture, or a person with fewer than four joints seen.
        """
        people = evidence.checked_keypoints(
            keypoints, image_size, get_skeleton(skeleton), confidence
        )
        return self.lift_file(people, **options)

    def lift_file(self, file: Keypoints, **options: Unpack[Options]) -> Results:
        """`lift` for the people of a keypoint file; its names of pictures and people are kept."""
        given = evidence.from_keypoints(file, self.skeleton, options.get("focal"))
        return self._results(given, file.image, file.person, **options)

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
        **options: Unpack[Options],
    ) -> Results:
        """A picture's people to 2D and 3D poses.

        Args:
            picture: RGB (H, W, 3) uint8, or a picture file: its path, bytes or file object.
            boxes: (N, 4), left, top, right, bottom, pixels; without it, and without keypoints, the
                whole picture is one box.
            keypoints, skeleton, confidence: 2D keypoints of the same people, as in `lift`.
            name, person: of the picture and its people in the results; 0, 1, … without them.
            options: as in `lift`.

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
        self._require_pictures()
        pixels, people = evidence.checked_picture(picture), None
        if keypoints is not None:
            size, joints = pixels.shape[1::-1], get_skeleton(skeleton)
            people = evidence.checked_keypoints(keypoints, size, joints, confidence)
        focal = options.get("focal")
        given = evidence.from_picture(pixels, boxes, people, self.skeleton, focal)
        count = len(given.batch)
        names = tuple(str(n) for n in range(count)) if person is None else tuple(person)
        if len(names) != count:
            raise InputError(f"{len(names)} names of people for {count} people: give one for each")
        return self._results(given, (name,) * count, names, **options)

    def predict_crops(self, frames: Frames, **options: Unpack[Options]) -> Results:
        """People whose crops, boxes and cameras are known, such as rendered ones, as `predict`."""
        given = Evidence(prepare(frames, self.skeleton), (IMAGE,), frames.camera)
        names = tuple(str(n) for n in range(len(frames)))
        return self._results(given, ("picture",) * len(frames), names, **options)

    def liftable(self, file: Keypoints) -> tuple[Keypoints, list[str]]:
        """The people of a file with enough joints seen, and who was left out, in words.

        Raises:
            InputError: if nobody is left.
        """
        rows, skipped = self.liftable_rows(file)
        return file.select(rows), skipped

    def liftable_rows(self, file: Keypoints) -> tuple[list[int], list[str]]:
        """`liftable`, by the people's rows in the file."""
        _, reasons = evidence.lifting_reasons(file, self.skeleton)
        rows = [n for n, reason in enumerate(reasons) if not reason]
        skipped = [
            f"{file.image[n]}, person {file.person[n]}: {reason}"
            for n, reason in enumerate(reasons)
            if reason
        ]
        if not rows:
            raise InputError(f"nobody to lift: {skipped[0]}")
        return rows, skipped

    def embed(
        self,
        *,
        keypoints: Numbers | None = None,
        image_size: Numbers | None = None,
        skeleton: str = "coco17",
        confidence: Numbers | None = None,
        focal: float | None = None,
        pose: Numbers | None = None,
        picture: PictureLike | None = None,
        boxes: Numbers | None = None,
    ) -> Tensor:
        """Unit embeddings (N, D) of one kind of evidence.

        Args:
            keypoints, image_size, skeleton, confidence, focal: 2D keypoints, as in `lift`.
            pose: 3D poses (N, J, 3), mm, the model's joints, camera axes.
            picture, boxes: the people in a picture, as in `predict`.
        """
        if sum(one is not None for one in (keypoints, pose, picture)) != 1:
            raise InputError("embed takes keypoints, a pose or a picture, one of the three")
        if picture is not None:
            self._require_pictures()
            pixels = evidence.checked_picture(picture)
            given = evidence.from_picture(pixels, boxes, None, self.skeleton, focal)
        elif pose is not None:
            given = evidence.from_poses(pose, self.skeleton)
        elif keypoints is None or image_size is None:
            raise InputError("keypoints need their picture's size: image_size=(width, height)")
        else:
            joints = get_skeleton(skeleton)
            people = evidence.checked_keypoints(keypoints, image_size, joints, confidence)
            given = evidence.from_keypoints(people, self.skeleton, focal)
        return self._answer(given, []).embeddings[given.kinds[0]].cpu()

    def sample(
        self, samples: int, *, seed: int = 0, sampler: str = "auto", steps: int = 0
    ) -> Tensor:
        """Poses from the model's own prior, without evidence: (samples, J, 3), mm, root-relative.

        The decoder has learned to do without its embedding; recipes without embedding dropout have
        no such prior.
        """
        dropped = any(stage.get("embedding_dropout") for stage in self.card.recipe.get("stage", []))
        if not dropped or not self.model.can_be_sampled(POSE_3D):
            reason = "it was trained without embedding_dropout, or its decoder is an MLP"
            raise InputError(f"this model has no pose prior: {reason}")
        generator, scale = torch.Generator().manual_seed(seed), self.model.pose_scale
        embedding = scale.new_zeros(samples, int(self.card.recipe["model"]["embedding"]))
        box = scale.new_tensor([0.0, 0.0, 1 / LIKELY_FOCAL]).expand(samples, 3)
        drop = torch.ones(samples, dtype=torch.bool, device=self.device)
        chosen = build_sampler(sampler, steps, generator)
        drawn = self.model.sample(embedding, POSE_2D, POSE_3D, box, chosen, 1, generator, drop)
        return root_relative(drawn[0], self.skeleton).cpu()

    def _require_pictures(self) -> None:
        if self.model.image_encoder is None:
            remedy = "it lifts keypoints; name a checkpoint trained on pictures"
            raise InputError(f"this model has no image encoder: {remedy}")

    def _answer(
        self,
        given: Evidence,
        targets: Sequence[Modality],
        *,
        focal: float | None = None,
        samples: int = 0,
        sampler: str = "auto",
        steps: int = 0,
        flip: bool = False,
        seed: int = 0,
    ) -> Answer:
        generator = torch.Generator().manual_seed(seed)
        draw = Draw(build_sampler(sampler, steps, generator), generator, samples)
        ask = partial(answer, self.model, self.skeleton, draw=draw, targets=targets, flip=flip)
        return Answer.join([ask(part.to(self.device), given.kinds) for part in given.parts()])

    def _results(
        self,
        given: Evidence,
        image: Sequence[str],
        person: Sequence[str],
        **options: Unpack[Options],
    ) -> Results:
        """The answer in people's units, placed before the camera."""
        flip, camera, joints = options.get("flip", False), given.camera, given.keypoints
        made = self._answer(given, [POSE_3D] if joints else [POSE_3D, POSE_2D], **options)
        paths = {
            name.removesuffix(FLIP_TEST): pose.cpu()
            for name, pose in made.poses.items()
            if name.endswith(FLIP_TEST) == flip
        }
        pose, samples = paths[given.kinds[-1].label], made.hypotheses
        if joints is None:
            assert given.batch.box is not None
            points = made.keypoints[IMAGE.label + (FLIP_TEST if flip else "")]
            points = from_box(points.cpu(), given.batch.box)
            joints = Converted(points, torch.ones(points.shape[:2]), (False,) * len(self.skeleton))
        if samples is not None:
            rooted = root_relative(samples.flatten(0, 1), self.skeleton)
            samples = rooted.unflatten(0, samples.shape[:2]).cpu()
        return Results(
            skeleton=self.skeleton,
            pose=pose,
            keypoints=joints.points,
            confidence=joints.confidence,
            synthesised=joints.synthesised,
            translation=place(pose, joints.points, camera, joints.confidence),
            image_size=camera.size,
            focal=camera.focal[:, 0],
            focal_source="given" if given.focal_given else "assumed √(W² + H²)",
            image=tuple(image),
            person=tuple(person),
            samples=samples,
            spread=None if samples is None else spread(samples),
            estimate=self._estimate_in_words(flip),
            paths=paths if len(given.kinds) > 1 else {},
        )

    def _estimate_in_words(self, flip: bool) -> str:
        """What `pose` of a result is."""
        beside = ", mean with the mirrored one" if flip else ""
        if not self.model.can_be_sampled(POSE_3D):
            return f"the MLP decoder's answer{beside}"
        if not self.model.has_point_estimate(POSE_3D):
            return f"one sample of the decoder{beside}"
        return f"point estimate, one network evaluation at t = 1{beside}"
