"""The page: everything is in it, as it was; it plays and turns in a browser, without a network."""

import base64
import json
import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from browser import needs_chromium, seen_in
from clip_results import SIZE, results_of_a_clip

from unihpe.errors import InputError
from unihpe.inputs.media import Shown
from unihpe.show import behind, scenes
from unihpe.show.compact import MISSING
from unihpe.show.content import STEPS
from unihpe.show.page import write_page

EVIL = """</script><script>document.title = "broken"</script> "a" 'b' & <b>é"""


@dataclass
class Greys:
    """A clip whose n-th frame is n shades brighter than black."""

    count: int
    step: int = 10
    size: tuple[int, int] = SIZE
    frame_rate: float = 25.0
    name: str = "clip.mp4"
    breaks_at: int = -1
    times: list[float] = field(default_factory=list)

    def frames(self):
        for n in range(self.count):
            if n == self.breaks_at:
                raise InputError("the clip ends here")
            picture = np.full((self.size[1], self.size[0], 3), n * self.step, np.uint8)
            yield Shown(n, n / 25, picture)


def data_of(page):
    """What is in a page, by name."""
    whole = re.findall(r'<script type="application/json" id="data">(.*)</script>', page)
    assert len(whole) == 1
    return json.loads(whole[0])


def numbers(text, kind="<i2"):
    return np.frombuffer(base64.b64decode(text), kind)


def pictures_of(results, names):
    """The same people, each frame as a picture of its own name."""
    image = tuple(names[int(n)] for n in results.frame)
    return replace(results, frame=None, time=None, filled=None, frame_rate=None, image=image)


def photo(name):
    return np.full((480, 640, 3), 200, np.uint8)


def test_a_page_needs_nothing_else(tmp_path):
    results = pictures_of(results_of_a_clip(2, 2, samples=3), [EVIL, "b.jpg"])
    results = replace(results, person=(EVIL, "2", "1", "2"), estimate=EVIL)
    write_page(tmp_path / "a.html", results, EVIL, photo=photo)
    page = (tmp_path / "a.html").read_text("utf-8")
    code = re.sub(r'<script type="application/json".*', "", page)
    assert not re.search(r"https?:|\bsrc=|@import|<link|url\(|fetch\(|import\(", code)
    assert page.count("<script") == page.count("</script>") == 2 and "/*" not in code
    data = data_of(page)
    assert data["title"] == data["how"].split("; focal")[0] == data["people"][0] == EVIL
    assert data["scenes"]["names"] == [EVIL.split("/")[-1], "b.jpg"]


def test_arrays_are_what_they_were(tmp_path):
    """To half a millimetre, in the order of the scenes; what is missing is missing."""
    results = results_of_a_clip(3, 2, samples=4)
    results.confidence[1, 4] = 0
    results = replace(results, radii=torch.rand(6, 17, 2) * 100)
    truth = results.pose + 5
    write_page(tmp_path / "a.html", results, "a", truth=truth)
    rows = data_of((tmp_path / "a.html").read_text("utf-8"))["rows"]
    pose = numbers(rows["pose"]).reshape(6, 17, 3)
    assert np.abs(pose - results.pose.numpy()).max() <= 0.51
    assert np.abs(numbers(rows["truth"]).reshape(6, 17, 3) - truth.numpy()).max() <= 0.51
    assert np.abs(numbers(rows["radii"]).reshape(6, 17, 2) - results.radii.numpy()).max() <= 0.51
    assert (numbers(rows["root"], "<f4").reshape(6, 3) == results.translation.numpy()).all()
    flat = numbers(rows["flat"]).reshape(6, 17, 2).astype(float)
    assert (flat[1, 4] == MISSING).all() and (flat != MISSING).sum() == 6 * 17 * 2 - 2
    flat[1, 4] = results.keypoints[1, 4].numpy() * STEPS / max(SIZE)
    assert np.abs(flat * max(SIZE) / STEPS - results.keypoints.numpy()).max() < 0.05  # pixels
    apart = numbers(rows["samples"]["values"], "i1").reshape(4, 6, 17, 3) * rows["samples"]["step"]
    wanted = (results.samples - results.pose).numpy()
    assert np.abs(apart - wanted).max() <= rows["samples"]["step"] / 2 + 0.01 < 2  # mm


def test_people_in_a_gap_are_where_they_would_be(tmp_path):
    results = results_of_a_clip(3, 1)
    results.confidence[1:] = 0
    results.filled[1] = True
    write_page(tmp_path / "a.html", results, "a")
    rows = data_of((tmp_path / "a.html").read_text("utf-8"))["rows"]
    missing = (numbers(rows["flat"]).reshape(3, -1) == MISSING).all(1)
    assert missing.tolist() == [False, False, True]
    assert numbers(rows["filled"], "u1").tolist() == [0, 1, 0]


def test_results_in_a_world_stand_upright(tmp_path):
    """Whatever the axes, a page has the floor below."""
    results = results_of_a_clip(1, 1)
    turned = results.to_world([[1, 0, 0], [0, 0, 1], [0, -1, 0]], (10, 20, 3000), up="z")
    for name, each in (("a", results), ("b", turned)):
        write_page(tmp_path / f"{name}.html", each, "a")
    a, b = (data_of((tmp_path / f"{n}.html").read_text("utf-8"))["rows"]["pose"] for n in "ab")
    assert np.abs(numbers(a).astype(int) - numbers(b)).max() <= 1


def test_300_frames_are_below_a_megabyte(tmp_path):
    results = replace(results_of_a_clip(300, 2, samples=20), radii=torch.ones(600, 17, 2))
    write_page(tmp_path / "a.html", results, "a", clip=Greys(300, step=0))
    page = (tmp_path / "a.html").read_text("utf-8")
    assert len(page) - len(data_of(page)["video"]["data"]) < 1_000_000
    frugal = replace(results, samples=None)
    write_page(tmp_path / "a.html", frugal, "a")
    assert (tmp_path / "a.html").stat().st_size < 300_000


def test_frames_without_people_are_scenes_too(tmp_path):
    results = results_of_a_clip(3, 1).rows([0, 2])
    write_page(tmp_path / "a.html", results, "a", clip=Greys(4))
    data = data_of((tmp_path / "a.html").read_text("utf-8"))
    assert numbers(data["scenes"]["first"], "<u4").tolist() == [0, 1, 1, 2, 2]
    assert numbers(data["scenes"]["times"], "<f4") == pytest.approx([0, 0.04, 0.08, 0.12])
    write_page(tmp_path / "a.html", replace(results, partial=True), "a", clip=Greys(9))
    data = data_of((tmp_path / "a.html").read_text("utf-8"))
    assert len(numbers(data["scenes"]["first"], "<u4")) == 4
    assert data["facts"] == "3 frames, 0.1 s, stopped before its end; 1 person"


def test_more_pictures_than_a_page_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, "MOST_PICTURES", 3)
    results = pictures_of(results_of_a_clip(9, 2), [f"{n}.jpg" for n in range(9)])
    write_page(tmp_path / "a.html", results, "a")
    data = data_of((tmp_path / "a.html").read_text("utf-8"))
    assert data["facts"] == "3 pictures; 6 of 18 people"
    assert data["scenes"]["names"] == ["0.jpg", "4.jpg", "8.jpg"]


def test_a_page_is_whole_or_not_there(tmp_path, monkeypatch):
    results = results_of_a_clip(3, 1)
    with pytest.raises(InputError, match="the clip ends here"):
        write_page(tmp_path / "a.html", results, "a", clip=Greys(3, breaks_at=1))
    with pytest.raises(InputError, match="no frame numbers"):
        pictures = pictures_of(results, ["a.jpg"] * 3)
        write_page(tmp_path / "a.html", pictures, "a", clip=Greys(3))
    monkeypatch.setattr(behind, "MOST_INSIDE", 0)
    (tmp_path / "a.html").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write_page(tmp_path / "a.html", results, "a", clip=Greys(3))
    (tmp_path / "a.html").rmdir()
    assert list(tmp_path.iterdir()) == []


@needs_chromium
@pytest.mark.parametrize("most", [behind.MOST_INSIDE, 0], ids=["inside", "beside"])
def test_a_clip_plays_in_a_browser(tmp_path, monkeypatch, most):
    """Each frame lies behind its own skeletons, whether the video is in the page or beside it."""
    monkeypatch.setattr(behind, "MOST_INSIDE", most)
    page = tmp_path / "it's 100% #1 é.html"
    results = results_of_a_clip(20, 2, samples=4)
    written = write_page(page, results, "a clip", clip=Greys(20))
    assert sorted(path.name for path in written) == sorted(path.name for path in tmp_path.iterdir())
    assert [path.name for path in written[1:]] == ([] if most else ["it's 100% #1 é-video.mp4"])
    script = """
      await until(() => video.readyState >= 2 && !video.seeking);
      const grounds = [];
      for (const scene of [3, 17, 8]) {
        seek(scene);
        await until(() => !video.seeking && %s);
        grounds.push(sceneAt(video.currentTime));
      }
      const drawn = inked($("space"));
      $("hypotheses").click();
      const fewer = inked($("space"));
      choose("2");
      const faint = inked($("space"));
      const elbow = [...$("angles").children].find(one => one.textContent.startsWith("elbow"));
      const bent = elbow.textContent.trim().replaceAll("°", "").split(" ").slice(2).map(Number);
      $("picture").click();
      $("speed").value = "2"; setPlaying(true);
      await until(() => state.at > 12);  // it was in the eighth frame
      const played = video.currentTime;
      setPlaying(false);
      return { grounds, drawn, fewer, faint, bent, played, works: videoWorks, title: document.title,
               when: $("when").textContent, chips: $("people").textContent };
    """
    # a video from another file may be shown, but its pixels may not be read
    shade = 'Math.abs(pixel($("flat"), 0.03, 0.97)[0] - 10 * scene) < 5' if most else "true"
    seen = seen_in(page, script % shade, tmp_path)
    assert seen["grounds"] == [3, 17, 8] and seen["works"]
    assert seen["drawn"] > seen["fewer"] > seen["faint"] > 100
    assert seen["title"] == "a clip" and seen["when"].endswith(" / 0.76 s")
    angles = results.select(person="2", frame=8).angles()
    elbows = [float(angles[f"{side}_elbow_flexion"]) for side in ("left", "right")]
    assert seen["bent"] == pytest.approx(elbows, abs=0.6) and min(elbows) > 10
    assert 0.4 < seen["played"] < 0.81
    assert seen["chips"] == "person 1person 2"


@needs_chromium
def test_pictures_in_a_browser_as_wide_as_a_phone(tmp_path):
    """Names stay text, each picture has its people, a slider goes through; Play goes on by time."""
    results = pictures_of(results_of_a_clip(3, 3), ["a.jpg", "b.jpg", EVIL])
    results = replace(results, person=(*results.person[:8], EVIL))
    results = replace(results, paths={"2d": results.pose, "image": results.pose + 9})
    write_page(tmp_path / "a.html", results, EVIL, photo=photo)
    script = """
      const slider = $("scene");
      slider.value = 2; slider.dispatchEvent(new Event("input"));
      await sleep(50);
      const before = inked($("space")), chips = [...$("people").children].map(c => c.textContent);
      $("paths").children[1].click();
      const path = state.path, ground = pixel($("flat"), 0.5, 0.02);
      setPlaying(true);
      const start = state.at;
      await until(() => state.at === 1);
      return { chips, start, before, path, ground, at: state.at, title: document.title,
               wide: document.documentElement.scrollWidth, window: innerWidth };
    """
    seen = seen_in(tmp_path / "a.html", script, tmp_path, width=390)
    assert seen["chips"] == ["person 1", "person 2", EVIL] and seen["title"] == EVIL
    assert seen["before"] > 500 and seen["path"] == "image"
    assert seen["ground"][:3] == pytest.approx([200] * 3, abs=3)
    assert seen["start"] == 0 and seen["wide"] <= seen["window"]


@needs_chromium
def test_nobody_in_a_clip_is_a_page_that_plays_too(tmp_path):
    write_page(tmp_path / "a.html", results_of_a_clip(0, 1), "a", clip=Greys(5))
    script = """
      await until(() => video.readyState >= 2);
      setPlaying(true); await until(() => state.at > 2);
      return [$("facts").textContent, $("people").hidden, $("anglebox").hidden];
    """
    assert seen_in(tmp_path / "a.html", script, tmp_path) == [
        "5 frames, 0.2 s; 0 people",
        True,
        True,
    ]
