// Buttons, fingers and keys; then the first drawing.
const WORDS = { image: "picture", "2d": "keypoints", fused: "both" };

function button(text, act, parent) {
  const made = document.createElement("button");
  made.append(text);
  made.addEventListener("click", act);
  parent.append(made);
  return made;
}
function choose(name) { state.chosen = state.chosen === name ? null : name; drawAll(); }
let chipsOf = null;
function drawPeople() {
  const shown = times ? data.people : [...new Set(rowsOf(state.at).map(nameOf))], key = shown.join("\n");
  if (key !== chipsOf) {
    $("people").replaceChildren();
    for (const name of shown) {
      const chip = button("", () => choose(name), $("people")), mark = document.createElement("i");
      mark.style.background = paletteNamed(name).centre;
      chip.append(mark, called(name));
      chip.dataset.name = name;
    }
    $("people").hidden = shown.length < 2;
    chipsOf = key;
  }
  for (const chip of $("people").children) chip.setAttribute("aria-pressed", chip.dataset.name === state.chosen);
}
function paletteNamed(name) {
  const row = (times ? rows.person : rows.person.subarray(first[state.at], first[state.at + 1])).indexOf(data.people.indexOf(name));
  return row < 0 ? adapted(data.palettes[0]) : paletteOf(times ? row : first[state.at] + row);
}
function drawAll() {
  if (!times && !rowsOf(state.at).some(row => nameOf(row) === state.chosen)) state.chosen = null;
  drawFlat(); drawSpace(); drawPeople(); drawAngles();
  $("when").textContent = times ? `${(times[state.at] || 0).toFixed(2)} / ${times[count - 1].toFixed(2)} s` : `${state.at + 1} / ${count}`;
  $("flatname").textContent = times ? `Frame ${state.at + 1} of ${count}` : data.scenes.names[state.at];
}

const fingers = new Map(), space = $("space");
let moved = 0;
space.addEventListener("pointerdown", e => { fingers.set(e.pointerId, [e.clientX, e.clientY]); moved = 0; space.setPointerCapture(e.pointerId); });
space.addEventListener("pointermove", e => {
  const old = fingers.get(e.pointerId);
  if (!old) return;
  const [dx, dy] = [e.clientX - old[0], e.clientY - old[1]], others = [...fingers].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
  moved += Math.hypot(dx, dy);
  if (others.length) {
    const gap = p => Math.hypot(p[0] - others[0][0], p[1] - others[0][1]);
    shift(dx / 2, dy / 2); zoom(gap([e.clientX, e.clientY]) / Math.max(1, gap(old)));
  } else if (e.shiftKey || e.buttons === 2) shift(dx, dy);
  else turn(dx * 0.01, dy * 0.01);
  fingers.set(e.pointerId, [e.clientX, e.clientY]);
});
space.addEventListener("pointerup", e => {
  const box = space.getBoundingClientRect(), row = moved < 5 && fingers.size === 1 ? nearest(spaceHits, e.clientX - box.left, e.clientY - box.top) : null;
  fingers.delete(e.pointerId);
  if (row !== null) choose(nameOf(row));
});
space.addEventListener("pointercancel", e => fingers.delete(e.pointerId));
space.addEventListener("contextmenu", e => e.preventDefault());
space.addEventListener("wheel", e => { e.preventDefault(); zoom(Math.exp(-e.deltaY * 0.001)); }, { passive: false });
space.addEventListener("dblclick", () => { view = fresh(); drawSpace(); });
space.addEventListener("keydown", e => {
  const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
  if (by) { e.preventDefault(); turn(...by); }
});
$("flat").addEventListener("click", e => {
  const box = $("flat").getBoundingClientRect(), row = nearest(flatHits, e.clientX - box.left, e.clientY - box.top);
  if (row !== null) choose(nameOf(row));
});
for (const one of document.querySelectorAll("[data-view]")) one.addEventListener("click", () => {
  view = fresh(); [view.azimuth, view.elevation] = views[one.dataset.view]; drawSpace();
});
let spinning = false;
function spin() { if (spinning) { turn(0.012, 0); requestAnimationFrame(spin); } }
$("spin").addEventListener("click", () => { spinning = !spinning; $("spin").setAttribute("aria-pressed", spinning); spin(); });
$("play").addEventListener("click", () => setPlaying(!playing));
$("speed").addEventListener("change", () => { clock = null; video.playbackRate = speed(); });
$("scene").addEventListener("input", e => { if (playing) setPlaying(false); seek(+e.target.value); });
addEventListener("keydown", e => { if (e.key === " " && !/^(BUTTON|INPUT|SELECT)$/.test(e.target.tagName)) { e.preventDefault(); setPlaying(!playing); } });
for (const name of ["picture", "hypotheses", "radii", "truth"]) $(name).addEventListener("change", drawAll);
for (const [name, there] of [["picture", data.pictures || data.video], ["hypotheses", samples], ["radii", rows.radii], ["truth", rows.truth]]) $(name).parentElement.hidden = !there;
const paths = Object.keys(rows.paths);
$("paths").hidden = paths.length < 2;
function drawPaths() { for (const one of $("paths").children) one.setAttribute("aria-pressed", one.dataset.path === state.path); }
for (const name of paths) button(WORDS[name] || name, () => { state.path = name; drawPaths(); drawAll(); }, $("paths")).dataset.path = name;

document.title = $("title").textContent = data.title;
$("facts").textContent = data.facts;
$("how").textContent = data.how;
$("scene").max = count - 1;
$("player").hidden = count < 2;
$("speed").hidden = !times;
const several = new Set(rows.palette).size > 1 || rows.palette[0] > 0;
$("legend").textContent = several ? "Each person has a colour; the left side of the body is light, the right one dark." : "Blue is the left side of the body, orange the right one.";
const flatKnown = withVideo || Boolean(rows.flat && rows.flat.some(value => value !== MISSING));
$("flatbox").hidden = !flatKnown;
const ratios = data.scenes.sizes.map(([w, h]) => w / h), ratio = Math.max(0.5, Math.min(2.2, Math.max(...ratios)));
document.documentElement.style.setProperty("--flat", ratio);
document.documentElement.style.setProperty("--aspect", flatKnown ? ratio + 1 : 1);
makeAngles(); drawPaths(); openVideo(); drawAll();
darkness.addEventListener("change", drawAll);
new ResizeObserver(drawAll).observe($("space"));
