// Everybody of a scene in space, over a floor.
const views = { home: [0.6, 0.2], front: [0, 0.06], side: [Math.PI / 2, 0.06], top: [0, 1.5] };
const fresh = () => ({ azimuth: views.home[0], elevation: views.home[1], zoom: 1, x: 0, y: 0 });
const SQUARE = 500, MOST_LINES = 40;
let view = fresh(), spaceHits = [];

function drawSpace() {
  const [pen, width, height] = surface($("space"));
  const [x0, y0, z0, x1, y1, z1, floor] = each(data.scenes.extents);
  const centre = [(x0 + x1) / 2, (y0 + Math.max(y1, floor)) / 2, (z0 + z1) / 2];
  const round = Math.max(500, Math.hypot(x1 - x0, z1 - z0) / 2), tall = Math.max(800, (Math.max(y1, floor) - y0) / 2 + 0.25 * round);
  const unit = Math.min(width / 2 / round, height / 2 / tall) * view.zoom;
  const ca = Math.cos(view.azimuth), sa = Math.sin(view.azimuth), ce = Math.cos(view.elevation), se = Math.sin(view.elevation);
  const eye = 3 * Math.max(width, height);
  const place = p => {
    const x = p[0] - centre[0], y = p[1] - centre[1], z = p[2] - centre[2];
    const a = ca * x + sa * z, c = -sa * x + ca * z, b = ce * y - se * c, d = se * y + ce * c;
    const depth = Math.max(0.1, 1 + d * unit / eye);
    return [width / 2 + view.x + a * unit / depth, height / 2 + view.y + b * unit / depth, d, unit / depth];
  };
  drawFloor(pen, place, [x0, z0, x1, z1], floor);
  const bone = Math.max(2, Math.min(width, height) / 130 * Math.min(1.6, Math.max(0.7, Math.sqrt(unit * 5))));
  const all = rowsOf(state.at).map(row => [row, poseOf(row)]);
  for (const [, pose] of all) figure(pen, pose.map(p => p && place([p[0], floor, p[2]])), colour("shadow"), bone, false);
  const middle = pose => { const seen = pose.filter(Boolean); return seen.reduce((sum, p) => sum + place(p)[2], 0) / Math.max(1, seen.length); };
  spaceHits = [];
  for (const [row, pose] of all.sort((a, b) => middle(b[1]) - middle(a[1]))) {
    const palette = paletteOf(row), spots = pose.map(p => p && place(p));
    spaceHits.push([row, spots]);
    const faint = isFaint(row) ? 0.25 : 1;
    if (rows.radii && $("radii").checked) drawRadii(pen, row, spots, palette, faint);
    if (samples && $("hypotheses").checked) {
      pen.globalAlpha = faint * Math.max(0.08, 0.9 / samples.count);
      for (let n = 0; n < samples.count; n++) figure(pen, sampleOf(row, n, pose).map(p => p && place(p)), palette, bone * 0.6, false);
    }
    pen.globalAlpha = faint;
    if (rows.truth && $("truth").checked) figure(pen, joints(rows.truth, row).map(p => p && place(p)), colour("truth"), bone * 0.85, true);
    if (rows.filled && rows.filled[row]) pen.setLineDash([bone, 2 * bone]);
    figure(pen, spots, palette, bone, true);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }
}
function drawFloor(pen, place, [x0, z0, x1, z1], floor) {
  const square = SQUARE * Math.max(1, Math.ceil(Math.max(x1 - x0, z1 - z0) / SQUARE / MOST_LINES));
  const [a, b, c, d] = [Math.floor(x0 / square) - 1, Math.ceil(x1 / square) + 1, Math.floor(z0 / square) - 1, Math.ceil(z1 / square) + 1];
  const at = (i, k) => place([i * square, floor, k * square]), style = colour("grid");
  for (let i = a; i <= b; i++) line(pen, at(i, c), at(i, d), style, 1);
  for (let k = c; k <= d; k++) line(pen, at(a, k), at(b, k), style, 1);
}
// Within which each joint lies with odds of 90 and of 50 %.
function drawRadii(pen, row, spots, palette, faint) {
  pen.globalAlpha = faint * 0.1;
  for (const odds of [1, 0]) spots.forEach((p, j) => {
    const radius = rows.radii[2 * (row * J + j) + odds];
    if (p && radius > 0) dot(pen, p, palette.centre, radius * p[3]);
  });
  pen.globalAlpha = 1;
}
function turn(dx, dy) {
  view.azimuth += dx; view.elevation = Math.max(-1.55, Math.min(1.55, view.elevation + dy)); drawSpace();
}
function zoom(by) { view.zoom = Math.max(0.3, Math.min(12, view.zoom * by)); drawSpace(); }
function shift(dx, dy) { view.x += dx; view.y += dy; drawSpace(); }
