// Drawing: lines and dots in the page's colours, light or dark.
const darkness = matchMedia("(prefers-color-scheme: dark)");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
function lightened(hex, share) {
  const parts = [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16));
  return `rgb(${parts.map(v => Math.round(v + (255 - v) * share)).join(",")})`;
}
// On a dark ground the deep colours would be lost.
const LIGHTER = { left: 0.12, centre: 0.3, right: 0.42, joint: 0.3 };
const adapted = own => darkness.matches ? Object.fromEntries(Object.entries(own).map(([part, hex]) => [part, lightened(hex, LIGHTER[part])])) : own;
const paletteOf = row => adapted(data.palettes[rows.palette[row]]);
function surface(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.lineCap = pen.lineJoin = "round";
  return [pen, width, height];
}
function line(pen, a, b, style, width) {
  pen.strokeStyle = style; pen.lineWidth = width;
  pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); pen.stroke();
}
function dot(pen, p, style, radius) {
  pen.fillStyle = style; pen.beginPath(); pen.arc(p[0], p[1], radius, 0, 7); pen.fill();
}
// A skeleton whose joints lie at `spots`; `style` is a colour or a palette.
function figure(pen, spots, style, width, dots) {
  const of = part => typeof style === "string" ? style : style[part];
  const depth = ([a, b]) => (spots[a][2] || 0) + (spots[b][2] || 0);
  const bones = data.bones.filter(([a, b]) => spots[a] && spots[b]).sort((a, b) => depth(b) - depth(a));
  for (const [a, b, part] of bones) line(pen, spots[a], spots[b], of(part), width);
  if (dots) for (const p of spots) if (p) dot(pen, p, of("joint"), width * 0.85);
}
// The row whose joints are nearest to a click, within a finger's width.
function nearest(hits, x, y) {
  let best = null, least = 36;
  for (const [row, spots] of hits) for (const p of spots) {
    const far = p ? Math.hypot(p[0] - x, p[1] - y) : Infinity;
    if (far < least) [best, least] = [row, far];
  }
  return best;
}
