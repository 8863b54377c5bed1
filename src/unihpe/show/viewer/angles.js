// Joint angles of the chosen person, in this scene and over the clip.
const angles = data.angles.names.length > 0 && { names: data.angles.names, values: shorts(data.angles.values) };
const sideOf = name => name.startsWith("left_") ? "left" : name.startsWith("right_") ? "right" : "centre";
const familyOf = name => name.replace(/^(left|right)_/, "");
const sided = name => sideOf(name) === "centre" ? 1 : 0;  // limbs come first
const families = angles ? [...new Set([...angles.names].sort((a, b) => sided(a) - sided(b)).map(familyOf))] : [];
const membersOf = family => angles.names.map((name, n) => [name, n]).filter(([name]) => familyOf(name) === family);
const angleOf = (row, n) => { const v = angles.values[row * angles.names.length + n]; return v === MISSING ? null : v / 10; };
// The chosen person, or else the first one.
const whose = () => state.chosen ?? (times ? data.people[0] : nameOf(rowsOf(state.at)[0]));
const rowOfWhose = scene => rowsOf(scene).find(row => nameOf(row) === whose());
const degrees = value => value === null ? "–" : `${Math.round(value)}°`.replace("-", "−");

function makeAngles() {
  $("anglebox").hidden = !angles;
  if (!angles) return;
  families.forEach((family, n) => {
    const button = document.createElement("button");
    button.addEventListener("click", () => { state.angle = n; drawAngles(); });
    $("angles").append(button);
  });
  $("plot").hidden = !times;
  if (!times) return;
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
  const row = rowOfWhose(state.at), palette = paletteNamed(whose());
  const alone = data.people.length < 2 && (times || rowsOf(state.at).length < 2);
  $("anglename").textContent = alone ? "Joint angles" : `Joint angles of ${called(whose())}`;
  [...$("angles").children].forEach((button, n) => {
    const values = membersOf(families[n]).map(([name, k]) => {
      const value = document.createElement("b");
      value.style.color = palette[sideOf(name)];
      value.textContent = degrees(row === undefined ? null : angleOf(row, k));
      return value;
    });
    button.replaceChildren(`${families[n].replaceAll("_", " ")} `, ...values.flatMap(value => [value, " "]));
    button.setAttribute("aria-pressed", Boolean(times) && n === state.angle);
  });
  if (times) drawPlot(palette);
}
// The lines of the plot, which change with the person and the angle alone: [side, an angle a scene].
let plotted = { key: null, lines: [] };
function plotLines() {
  const key = JSON.stringify([whose(), state.angle]);
  if (plotted.key !== key) {
    const own = Array.from({ length: count }, (_, scene) => rowOfWhose(scene));
    plotted = { key, lines: membersOf(families[state.angle]).map(([name, k]) => [sideOf(name), own.map(row => row === undefined ? null : angleOf(row, k))]) };
  }
  return plotted.lines;
}
function plotScale(lines) {
  let low = Infinity, high = -Infinity;
  for (const [, values] of lines) for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) [low, high] = [0, 90];
  const step = [5, 10, 15, 30, 45, 90].find(each => (high - low) / each <= 4) || 90;
  low = Math.floor(low / step) * step;
  return [low, Math.max(low + step, Math.ceil(high / step) * step), step];
}
function drawPlot(palette) {
  const [pen, width, height] = surface($("plot")), lines = plotLines(), [low, high, step] = plotScale(lines);
  const span = Math.max(1e-6, times[count - 1] - times[0]);
  const x = time => LEFT + (time - times[0]) / span * (width - LEFT - RIGHT), y = value => height - 24 - (value - low) / (high - low) * (height - 36);
  pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.textAlign = "right";
  for (let value = low; value <= high; value += step) {
    line(pen, [LEFT, y(value)], [width - RIGHT, y(value)], colour("grid"), 1);
    pen.fillStyle = colour("soft"); pen.fillText(degrees(value), LEFT - 7, y(value));
  }
  pen.textAlign = "center";
  const tick = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600].find(each => span / each <= width / 60) || 3600;
  for (let n = Math.ceil(times[0] / tick); n * tick <= times[count - 1] + 1e-6; n++) pen.fillText(`${+(n * tick).toFixed(1)} s`, x(n * tick), height - 9);
  for (const [side, values] of lines) {
    pen.strokeStyle = palette[side]; pen.lineWidth = 1.8; pen.beginPath();
    values.forEach((value, scene) => { if (value !== null) pen[scene && values[scene - 1] !== null ? "lineTo" : "moveTo"](x(times[scene]), y(value)); });
    pen.stroke();
  }
  line(pen, [x(times[state.at]), 8], [x(times[state.at]), height - 22], colour("ink"), 1);
}
