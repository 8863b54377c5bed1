"""What a clip costs and how well its people are followed, on rendered people with the truth.

    python benchmarks/video.py --json video.json

Two people of held-out motion capture cross before a camera that stands still: 1280 × 720, 30 frames
a second. The share is the time inside the networks (finder, keypoints, lifter) over that of the
whole run; CPU time, as other work on the machine does not count then. `before` are poses as they
are lifted, `after` as they are written (filled, smoothed, bones of one length), over the same rows;
errors are relative to the pelvis, accelerations those of joints, by second differences.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import torch
from lifting import DATA, where
from stopwatch import networks

import unihpe
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.skeleton import get_skeleton
from unihpe.export import Results
from unihpe.inference.clips import Motion, made_steady
from unihpe.inference.predictor import Options, Predictor
from unihpe.inputs.files import Files
from unihpe.inputs.media import Clip, open_clip
from unihpe.io.files import write_text
from unihpe.people import find
from unihpe.rendering.clip import FilmedPeople
from unihpe.rendering.settings import Settings
from unihpe.runs.clip import predict_clip
from unihpe.runs.parts import Parts
from unihpe.runs.predict import predict_files
from unihpe.show.film import write_film
from unihpe.show.page import write_page

MOTIONS = (("walkcycles/136_20.bvh", 300.0, 1.0), ("walkcycles/133_23.bvh", -700.0, -1.0))
RATE, SIZE = 30, (1280, 720)
SKELETON = get_skeleton("human36m17")
ROOT, COCO = SKELETON.index("pelvis"), get_skeleton("coco17")
SHARED = [joint for joint in COCO.joints if joint in SKELETON.joints and joint != "nose"]
NEAR, STEP = 30.0, 10  # pixels; frames, where the finder is asked beside


def crossing(data: Path, frames: int) -> torch.Tensor:
    """Two people who walk along x, one each way, there and back, (T, 2, 17, 3), mm."""
    held = np.load(data)
    names = held["seq_names"].tolist()
    walks = []
    for name, z, sign in MOTIONS:
        pose = held["poses"][held["seq_index"] == names.index(name)].astype(float) * 1000
        way = pose[-1, ROOT] - pose[0, ROOT]
        c, s = way[[0, 2]] / np.hypot(*way[[0, 2]])
        turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        pose = pose @ turn.T * [sign, 1.0, sign]
        middle = (pose[0, ROOT, 0] + pose[-1, ROOT, 0]) / 2
        pose -= [middle, pose[..., 1].min(), pose[:, ROOT, 2].mean() - z]
        there_and_back = (np.arange(frames) + len(pose) - 1) % (2 * len(pose) - 2) - len(pose) + 1
        walks.append(pose[np.abs(there_and_back)])
    return torch.from_numpy(np.stack(walks, axis=1))


def render(folder: Path, data: Path, frames: int) -> tuple[Path, np.ndarray, np.ndarray]:
    """The clip, and the truth: poses (T, P, 17, 3), mm, and keypoints (T, P, 17, 2)."""
    path, truth = folder / "crossing.mp4", []
    scene = FilmedPeople(crossing(data, frames), SIZE, Settings(seed=3))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(RATE), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for frame in scene:
            truth.append((frame.pose, frame.keypoints))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame.picture, format="rgb24")))
        film.mux(stream.encode())
    poses, keypoints = (np.stack(part) for part in zip(*truth, strict=True))
    return path, poses, keypoints


def whose(results: Results, keypoints: np.ndarray) -> np.ndarray:
    """Which of the true people each row shows, by the nearest keypoints."""
    own = results.keypoints.numpy()[:, None]
    apart = np.linalg.norm(own - keypoints[results.frame.numpy()], axis=-1)
    return np.nanmedian(apart, axis=-1).argmin(axis=1)


def identities(results: Results, true: np.ndarray) -> dict[str, int]:
    """Switches: rows that show another true person than the person's row before them."""
    numbers = np.array(results.person)
    switches = sum(int((np.diff(true[numbers == name]) != 0).sum()) for name in set(numbers))
    return {"people": len(set(numbers)), "switches": switches}


def errors(results: Results, true: np.ndarray, poses: np.ndarray) -> dict[str, float]:
    """Mean errors of pose, mm, and of acceleration, m/s²."""
    truth = torch.from_numpy(poses[results.frame.numpy(), true]).float()
    truth = truth - truth[:, [ROOT]]
    apart = []
    for name in dict.fromkeys(results.person):
        rows = [n for n, person in enumerate(results.person) if person == name]
        frame = results.frame[rows]
        runs = (frame[2:] - frame[:-2] == 2).numpy()
        second = [x[2:] - 2 * x[1:-1] + x[:-2] for x in (results.pose[rows], truth[rows])]
        apart.append((second[0] - second[1]).norm(dim=-1).mean(-1)[runs])
    return {
        "mpjpe_mm": round(float(mpjpe(results.pose, truth).mean()), 1),
        "pa_mpjpe_mm": round(float(pa_mpjpe(results.pose, truth).mean()), 1),
        "acceleration_error": round(float(torch.cat(apart).mean()) * RATE**2 / 1000, 2),
    }


def seen_only(results: Results, like: Results) -> Results:
    """The rows that another result has too: people and frames, in the order of that one."""
    keys = [zip(x.person, x.frame.tolist(), strict=True) for x in (results, like)]
    number = {key: n for n, key in enumerate(keys[0])}
    return results.rows([number[key] for key in keys[1]])


def resident() -> float:
    """This process's memory now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_clip(predictor: Predictor, folder: Path, data: Path, frames: int) -> dict[str, Any]:
    path, poses, keypoints = render(folder, data, frames)
    clip, memory = open_clip(path), list[float]()

    def progress(done: int) -> None:
        memory.append(resident())

    off = Motion(smooth="off", bones=False)
    with networks() as watch, Parts.begin(folder / "parts") as parts:
        begin = time.process_time()
        filmed = predict_clip(predictor, clip, Options(), off, parts, progress)
        whole = time.process_time() - begin
    raw = filmed.results
    assert raw is not None
    begin = time.process_time()
    written = {smooth: made_steady(raw, clip, Motion(smooth=smooth)) for smooth in ("savgol",)}
    steady_seconds = time.process_time() - begin
    written["one-euro"] = made_steady(raw, clip, Motion(smooth="one-euro"))
    true = whose(raw, keypoints)
    after = {way: errors(seen_only(own, raw), true, poses) for way, own in written.items()}
    half = len(memory) // 2
    return {
        "frames": filmed.frames,
        "people_seen": len(raw),
        "seconds_of_networks": round(watch.seconds, 1),
        "seconds_of_networks_a_frame": round(watch.seconds / filmed.frames, 3),
        "share_of_networks": round(watch.seconds / (whole + steady_seconds), 3),
        "memory_mb": round(max(memory), 0),
        "growth_in_second_half_mb": round(max(memory[half:]) - max(memory[:half]), 1),
        "identities": identities(raw, true),
        **against_finder(raw, clip, keypoints),
        "before": errors(raw, true, poses),
        "after": after,
        **drawing(written["savgol"], clip, folder, watch.seconds),
    }


def recall(points: list[np.ndarray], keypoints: np.ndarray) -> tuple[int, int]:
    """How many of a frame's true people (P, 17, 2) are wholly in the picture; and of them, how many
    have somebody's joints (17, 2) nearer than `NEAR` pixels, in the median."""
    whole = ((keypoints >= 0) & (keypoints <= SIZE)).all((-1, -2))
    apart = [np.linalg.norm(keypoints - own, axis=-1) for own in points]
    near = [np.nanmedian(one, axis=-1) < NEAR for one in apart]
    found = np.any(near, axis=0) if near else np.zeros(len(whole), bool)
    return int(whole.sum()), int((whole & found).sum())


def against_finder(raw: Results, clip: Clip, keypoints: np.ndarray) -> dict[str, Any]:
    """Recall of following, and of the finder in every `STEP`-th frame, and the finder's time."""
    counts, seconds, frames = np.zeros((2, 2), int), 0.0, 0
    columns = [COCO.index(joint) for joint in SHARED], [SKELETON.index(joint) for joint in SHARED]
    for shown in clip.frames():
        if shown.index % STEP:
            continue
        begin, frames = time.process_time(), frames + 1
        found = find(shown.picture)
        seconds += time.process_time() - begin
        true = keypoints[shown.index][:, columns[1]]
        rows = (raw.frame == shown.index).nonzero()[:, 0].tolist()
        followed = [raw.keypoints[n].numpy()[columns[1]] for n in rows]
        for way, points in enumerate(([*found.keypoints[:, columns[0]]], followed)):
            counts[way] += recall(points, true)
    shares = np.round(counts[:, 1] / counts[:, 0], 3).tolist()
    own = dict(zip(("finder", "followed"), shares, strict=True))
    return {"recall": own, "seconds_of_finder_a_frame": round(seconds / frames, 3)}


def drawing(results: Results, clip: Clip, folder: Path, network: float) -> dict[str, Any]:
    """What the film and the page cost, over the networks' time."""
    out = dict[str, Any]()
    for name, suffix, draw in (("film", ".mp4", write_film), ("page", ".html", None)):
        begin, path = time.process_time(), folder / f"out{suffix}"
        if draw is not None:
            draw(path, results, clip)
        else:
            write_page(path, results, "crossing", clip=clip)
        out[f"{name}_over_networks"] = round((time.process_time() - begin) / network, 3)
        out[f"{name}_kb"] = round(path.stat().st_size / 1024)
    return out


def measure_pictures(predictor: Predictor, photos: Path, count: int) -> dict[str, Any]:
    """`predict` on photographs: the share of the networks, from files to results."""
    paths = tuple(sorted(photos.glob("*.jpg"))[:count])
    with networks() as watch:
        begin = time.process_time()
        predicted = predict_files(predictor, Files(photos, None, None, several=paths), Options(), 0)
        whole = time.process_time() - begin
    assert predicted.results is not None
    share = round(watch.seconds / whole, 3)
    return {"pictures": len(paths), "people": len(predicted.results), "share_of_networks": share}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--photos", type=Path, default=DATA.parents[1] / "photos" / "images")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--checkpoint", default="shipped:lifting")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    predictor, result = unihpe.load(options.checkpoint), where()
    with TemporaryDirectory() as folder:
        result["clip"] = measure_clip(predictor, Path(folder), options.data, options.frames)
        print(json.dumps(result, indent=2), flush=True)
    if options.photos.is_dir() and options.pictures:
        result["pictures"] = measure_pictures(predictor, options.photos, options.pictures)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
