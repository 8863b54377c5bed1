// The 2D, over the picture or the video's frame.
const video = $("video");
const pictures = (data.pictures || []).map(address => {
  const image = new Image();
  image.addEventListener("load", () => drawFlat());
  image.src = address;
  return image;
});
const withVideo = Boolean(data.video);
let videoWorks = withVideo, videoShown = false, flatHits = [];

function behind() {
  if (!$("picture").checked) return null;
  if (videoWorks && video.readyState >= 2) { videoShown = true; return video; }
  const image = pictures[state.at];
  return image && image.complete && image.naturalWidth ? image : null;
}
function drawFlat() {
  // while the video looks for a frame, the one before stays with its own skeletons
  if ($("flatbox").hidden || (videoWorks && videoShown && video.seeking)) return;
  const [pen, width, height] = surface($("flat"));
  const [w, h] = each(data.scenes.sizes), scale = Math.min(width / w, height / h);
  const left = (width - w * scale) / 2, top = (height - h * scale) / 2, longer = Math.max(w, h) * scale;
  const ground = behind();
  if (ground) pen.drawImage(ground, left, top, w * scale, h * scale);
  else { pen.strokeStyle = colour("line"); pen.lineWidth = 1; pen.strokeRect(left, top, w * scale, h * scale); }
  const bone = Math.max(2, longer / 190);
  flatHits = [];
  const deep = rowsOf(state.at).sort((a, b) => rows.root[3 * b + 2] - rows.root[3 * a + 2]);
  for (const row of deep) {
    const spots = spotsOf(row).map(p => p && [left + p[0] * longer, top + p[1] * longer]);
    flatHits.push([row, spots]);
    pen.globalAlpha = isFaint(row) ? 0.3 : 1;
    if (rows.filled && rows.filled[row]) pen.setLineDash([bone, 2 * bone]);
    if (ground) figure(pen, spots, "rgba(20,24,28,.75)", bone + 2, false);
    figure(pen, spots, paletteOn(row, ground), bone, true);
    pen.setLineDash([]);
    if (deep.length > 1 || times) tag(pen, spots, row, Math.max(11, longer / 52));
    pen.globalAlpha = 1;
  }
}
// Over a photograph colours are the same by day and night.
const paletteOn = (row, ground) => ground ? data.palettes[rows.palette[row]] : paletteOf(row);
function tag(pen, spots, row, size) {
  const seen = spots.filter(Boolean);
  if (!seen.length) return;
  const [x, y] = seen.reduce((a, b) => b[1] < a[1] ? b : a), text = nameOf(row).slice(0, 16);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const half = Math.max(size * 0.75, pen.measureText(text).width / 2 + size * 0.45), low = Math.max(y - size * 0.8, size * 1.5);
  pen.fillStyle = data.palettes[rows.palette[row]].centre;
  pen.beginPath(); (pen.roundRect || pen.rect).call(pen, x - half, low - size * 1.4, 2 * half, size * 1.4, size * 0.45); pen.fill();
  pen.fillStyle = "#fff"; pen.textAlign = "center"; pen.textBaseline = "middle";
  pen.fillText(text, x, low - size * 0.66);
}
