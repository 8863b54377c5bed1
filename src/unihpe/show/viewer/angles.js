// Joint angles of the chosen person, in this scene and over the clip.
const angles = data.angles && { names: data.angles.names, values: shorts(data.angles.values) };
const sideOf = name => name.startsWith("left_") ? "left" : name.startsWith("right_") ? "right" : "centre";
const families = angles ? [...new Set(angles.names.map(name => name.replace(/^(left|right)_/, "")))] : [];
const membersOf = family => angles.names.map((name, n) => [name, n]).filter(([name]) => name.replace(/^(left|right)_/, "") === family);
const angleOf = (row, n) => { const v = angles.values[row * angles.names.length + n]; return v === MISSING ? null : v / 10; };
const rowOfChosen = scene => { const own = rowsOf(scene); return own.find(row => nameOf(row) === state.chosen) ?? (state.chosen === null ? own[0] : undefined); };
const SIDE_COLOURS = { left: "#2563eb", right: "#e15722", centre: "#4b5563" };
const sideColour = side => darkness.matches ? lightened(SIDE_COLOURS[side], 0.38) : SIDE_COLOURS[side];

function makeAngles() {
  $("anglebox").hidden = !angles;
  if (!angles) return;
  families.forEach((family, n) => {
    const button = document.createElement("button");
    button.addEventListener("click", () => { state.angle = n; drawAngles(); });
    $("angles").append(button);
  });
  $("plot").hidden = !times;
  const go = event => { const box = $("plot").getBoundingClientRect(); seek(sceneAt(timeAt((event.clientX - box.left) / box.width))); };
  $("plot").addEventListener("pointerdown", event => { go(event); $("plot").setPointerCapture(event.pointerId); });
  $("plot").addEventListener("pointermove", event => { if (event.buttons) go(event); });
}
const LEFT = 44, RIGHT = 12;
function timeAt(share) {
  const width = $("plot").clientWidth, within = (share * width - LEFT) / Math.max(1, width - LEFT - RIGHT);
  return times[0] + Math.max(0, Math.min(1, within)) * (times[count - 1] - times[0]);
}
function drawAngles() {
  if (!angles) return;
  const row = rowOfChosen(state.at);
  [...$("angles").children].forEach((button, n) => {
    const values = membersOf(families[n]).map(([name, k]) => {
      const value = row === undefined ? null : angleOf(row, k);
      return `<b style="color:${sideColour(sideOf(name))}">${value === null ? "–" : Math.round(value) + "°"}</b>`;
    });
    button.innerHTML = `${families[n].replaceAll("_", " ")} ${values.join(" ")}`;
    button.setAttribute("aria-pressed", Boolean(times) && n === state.angle);
  });
  if (times) drawPlot();
}
function drawPlot() {
  const [pen, width, height] = surface($("plot")), members = membersOf(families[state.angle]);
  const lines = members.map(([name, k]) => [sideOf(name), Array.from({ length: count }, (_, scene) => {
    const row = rowOfChosen(scene);
    return row === undefined ? null : angleOf(row, k);
  })]);
  const known = lines.flatMap(([, values]) => values).filter(value => value !== null);
  const step = [5, 10, 15, 30, 45, 90].find(s => (Math.max(...known) - Math.min(...known)) / s <= 4) || 90;
  const low = known.length ? Math.floor(Math.min(...known) / step) * step : 0, high = known.length ? Math.max(low + step, Math.ceil(Math.max(...known) / step) * step) : step;
  const x = scene => LEFT + (times[scene] - times[0]) / Math.max(1e-6, times[count - 1] - times[0]) * (width - LEFT - RIGHT);
  const y = value => height - 24 - (value - low) / (high - low) * (height - 36);
  pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.textAlign = "right"; pen.fillStyle = colour("soft");
  for (let value = low; value <= high; value += step) { line(pen, [LEFT, y(value)], [width - RIGHT, y(value)], colour("grid"), 1); pen.fillStyle = colour("soft"); pen.fillText(value + "°", LEFT - 7, y(value)); }
  pen.textAlign = "center";
  const span = times[count - 1] - times[0], tick = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600].find(t => span / t <= width / 60) || 3600;
  for (let t = Math.ceil(times[0] / tick) * tick; t <= times[count - 1] + 1e-6; t += tick)
    pen.fillText(`${+t.toFixed(1)} s`, LEFT + (t - times[0]) / Math.max(1e-6, span) * (width - LEFT - RIGHT), height - 9);
  for (const [side, values] of lines) {
    pen.strokeStyle = sideColour(side); pen.lineWidth = 1.8; pen.beginPath();
    values.forEach((value, scene) => { if (value !== null) pen[scene && values[scene - 1] !== null ? "lineTo" : "moveTo"](x(scene), y(value)); });
    pen.stroke();
  }
  line(pen, [x(state.at), 8], [x(state.at), height - 22], colour("ink"), 1);
}
