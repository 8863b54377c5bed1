// Going through the scenes: by hand, or in time with the video or a clock.
const FALLBACK = 0.7;  // seconds a scene, of pictures
let playing = false, clock = null;
let heard = -Infinity;  // when the browser last said which frame of the video it shows; not all do
const begin = times ? times[0] : 0;
const speed = () => +$("speed").value;
const duration = scene => times ? (scene + 1 < count ? times[scene + 1] - times[scene] : count > 1 ? (times[count - 1] - times[0]) / (count - 1) : 0.04) : FALLBACK;
function sceneAt(time) {
  let low = 0, high = count - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (times[middle] <= time + 1e-4) low = middle; else high = middle - 1; }
  return low;
}
function show(scene) {
  state.at = scene;
  $("scene").value = state.at;
  drawAll();
}
function seek(scene) {
  clock = null;
  const there = Math.max(0, Math.min(count - 1, scene));
  if (videoWorks) video.currentTime = times[there] - begin + 0.3 * duration(there);
  show(there);
}
function setPlaying(on) {
  playing = on && count > 1;
  $("play").textContent = playing ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", playing);
  clock = null;
  if (!playing) { if (videoWorks) { video.pause(); seek(state.at); } return; }
  if (state.at === count - 1) seek(0);
  if (videoWorks) { video.playbackRate = speed(); start(); }
  requestAnimationFrame(step);
}
// Where the browser will not play the video, a clock goes on without it.
function start() { video.play().catch(error => { if (error.name !== "AbortError") videoWorks = false; }); }
function step(now) {
  if (!playing) return;
  if (!videoWorks) {
    if (clock === null) clock = now - 1000 * ((times ? times[state.at] : state.at * FALLBACK) - begin) / speed();
    const time = begin + (now - clock) / 1000 * speed(), end = times ? times[count - 1] + duration(count - 1) : count * FALLBACK;
    if (time >= end) { clock = null; show(0); }
    else { const scene = times ? sceneAt(time) : Math.floor(time / FALLBACK); if (scene !== state.at) show(scene); }
  } else if (now - heard > 250) onVideoFrame(video.currentTime);
  requestAnimationFrame(step);
}
function onVideoFrame(time) {
  const scene = sceneAt(begin + time);
  if (playing && scene !== state.at) show(scene); else drawFlat();
}
function openVideo() {
  if (!withVideo) return;
  video.src = data.video.name || URL.createObjectURL(new Blob([buffer(data.video.data)], { type: "video/mp4" }));
  data.video.data = null;
  video.addEventListener("error", () => { videoWorks = false; drawFlat(); });
  video.addEventListener("ended", () => { if (playing) { seek(0); start(); } });
  for (const event of ["seeked", "loadeddata"]) video.addEventListener(event, () => drawFlat());
  if (video.requestVideoFrameCallback) {
    const next = (now, frame) => { heard = now; onVideoFrame(frame.mediaTime); video.requestVideoFrameCallback(next); };
    video.requestVideoFrameCallback(next);
  }
  seek(0);
  // phones load no frame before the video has played
  setTimeout(() => { if (video.readyState < 2 && !playing) video.play().then(() => { if (!playing) { video.pause(); seek(state.at); } }, () => {}); }, 1500);
}
