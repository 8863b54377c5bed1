"use strict";
// What the page holds. Rows are people in scenes; arrays are little-endian, MISSING is NaN.
const data = JSON.parse(document.getElementById("data").textContent);
const MISSING = -32768, STEPS = 16000, J = data.joints;
const $ = id => document.getElementById(id);
const buffer = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
const shorts = text => text ? new Int16Array(buffer(text)) : null;
const first = new Uint32Array(buffer(data.scenes.first));
const times = data.scenes.times ? new Float32Array(buffer(data.scenes.times)) : null;
const count = first.length - 1;
const rows = {
  person: new Uint16Array(buffer(data.rows.person)),
  palette: new Uint8Array(buffer(data.rows.palette)),
  filled: data.rows.filled ? new Uint8Array(buffer(data.rows.filled)) : null,
  root: new Float32Array(buffer(data.rows.root)),
  pose: shorts(data.rows.pose),
  flat: shorts(data.rows.flat),
  radii: shorts(data.rows.radii),
  truth: shorts(data.rows.truth),
  paths: Object.fromEntries(Object.entries(data.rows.paths).map(([name, text]) => [name, shorts(text)])),
};
const samples = data.rows.samples && { ...data.rows.samples, values: new Int8Array(buffer(data.rows.samples.values)) };
const total = rows.person.length;

// What is shown.
const state = { at: 0, path: data.rows.path, chosen: null, angle: 0 };
const rowsOf = scene => Array.from({ length: first[scene + 1] - first[scene] }, (_, n) => first[scene] + n);
const each = of => of[Math.min(state.at, of.length - 1)];  // one for all scenes, or one each

// A row's joints in space, [x, y, z] in mm with y down, or null.
function joints(values, row) {
  return Array.from({ length: J }, (_, j) => {
    const k = 3 * (row * J + j);
    return values[k] === MISSING ? null : [0, 1, 2].map(axis => values[k + axis] + rows.root[3 * row + axis]);
  });
}
const poseOf = row => joints(rows.paths[state.path] || rows.pose, row);
function sampleOf(row, n, pose) {
  return pose.map((p, j) => p && [0, 1, 2].map(axis => p[axis] + samples.step * samples.values[3 * ((n * total + row) * J + j) + axis]));
}
// A row's joints in the picture, as shares of its longer side.
function spotsOf(row) {
  return Array.from({ length: J }, (_, j) => {
    const k = 2 * (row * J + j);
    return rows.flat[k] === MISSING || rows.flat[k + 1] === MISSING ? null : [rows.flat[k] / STEPS, rows.flat[k + 1] / STEPS];
  });
}
const nameOf = row => data.people[rows.person[row]];
const called = name => times || /^\d+$/.test(name) ? `person ${name}` : name;
const isFaint = row => state.chosen !== null && nameOf(row) !== state.chosen;
