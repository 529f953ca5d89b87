// Measures how one LSTM layer's speed depends on the shape of the work: threads, batch, length and hidden size, one at a
// time, and on the precision if the CPU has bfloat16. Rows have 300 random numbers. It times forward for inference and
// forward with backward for training, in interleaved rounds, and measures the rate of float32 multiply-adds in between.
//
//   node bench/scaling.js [--rounds N] [--json FILE]
import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { ceilings, cpuPrecisions } from '../dist/device.js'
import { device, lstmBackward, lstmForward, packSequence, Sequences, scope, tensor } from '../dist/index.js'
import { median } from '../dist/median.js'

const INPUT_SIZE = 300
const TOKENS = 40_000
const BATCH = 256
const HIDDEN_SIZE = 64

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' } },
})
const gnad = JSON.parse(await readFile(new URL('./gnad-lengths.json', import.meta.url), 'utf8')).lengths
const all = Math.max(2, cpus().length)
// There are 712 lengths, and they are sorted. Taking every 241st is a fair sample that uses each once before any repeats.
const article = b => gnad[(356 + 241 * b) % gnad.length]
const articles = count => Array.from({ length: count }, (_, b) => article(b))
const equal = length => Array.from({ length: Math.max(1, Math.round(TOKENS / length)) }, () => length)
/** As many articles as have about `tokens` tokens. */
const upTo = tokens => {
  const lengths = []
  for (let sum = 0; sum < tokens; sum += lengths.at(-1)) lengths.push(article(lengths.length))
  return lengths
}

const shapes = [
  ...[1, 2].map(threads => ({ varies: 'threads', value: threads, threads })),
  ...[1, 8, 32, 256, 2048].map(batch => ({ varies: 'batch', value: batch, lengths: articles(batch) })),
  ...[1, 10, 100, 1000, 5000].map(length => ({ varies: 'length', value: length, lengths: equal(length) })),
  ...[32, 64, 128, 256, 512, 1024].map(hiddenSize => ({
    varies: 'hidden size',
    value: hiddenSize,
    hiddenSize,
    lengths: upTo(Math.min(TOKENS, 6e6 / hiddenSize)),
  })),
  ...[64, 128, 256]
    .filter(() => cpuPrecisions().includes('bfloat16'))
    .map(hiddenSize => ({
      varies: 'bfloat16, hidden size',
      value: hiddenSize,
      hiddenSize,
      precision: 'bfloat16',
      lengths: upTo(Math.min(TOKENS, 6e6 / hiddenSize)),
    })),
].map(shape => ({
  threads: all,
  precision: 'float32',
  lengths: articles(BATCH),
  hiddenSize: HIDDEN_SIZE,
  ...shape,
}))

const whole = device('cpu', { threads: all })
const random = (count, scale) => Float32Array.from({ length: count }, () => (Math.random() - 0.5) * scale)

function problem({ threads, precision, lengths, hiddenSize }) {
  const on = { device: device('cpu', { threads, precision }) }
  const matrix = (rows, columns) =>
    tensor(random(rows * columns, 2 / Math.sqrt(hiddenSize)), [rows, columns], on)
  const [wIh, wHh] = [matrix(4 * hiddenSize, INPUT_SIZE), matrix(4 * hiddenSize, hiddenSize)]
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const numbers = random(tokens * INPUT_SIZE, 2)
  const { offsets } = new Sequences(lengths)
  const rows = lengths.map((_, b) => numbers.subarray(offsets[b] * INPUT_SIZE, offsets[b + 1] * INPUT_SIZE))
  const x = packSequence(rows, { inputSize: INPUT_SIZE, ...on })
  const dHN = tensor(random(lengths.length * hiddenSize, 1), [1, lengths.length, hiddenSize], on)
  const forward = train => lstmForward(x, [{ wIh, wHh }], { hiddenSize, train })
  const time = async run => {
    const start = performance.now()
    scope(run)
    await on.device.synchronize()
    return (performance.now() - start) / 1000
  }
  return {
    tokens,
    flops: 8 * hiddenSize * (INPUT_SIZE + hiddenSize),
    inference: () => time(() => void forward(false)),
    training: () => time(() => void lstmBackward(forward(true).saved, { dHN })),
    dispose() {
      for (const held of [wIh, wHh, dHN, x]) held.dispose()
    },
  }
}

const results = []
for (const shape of shapes) {
  const { tokens, flops, inference, training, dispose } = problem(shape)
  const seconds = { inference: [], training: [], peak: [] }
  for (let round = -1; round < Number(values.rounds); round++) {
    const [one, other] = [await inference(), await training()]
    const { flopsOfOne, flopsOfAll } = await ceilings(whole)
    if (round < 0) continue
    seconds.inference.push(one)
    seconds.training.push(other)
    seconds.peak.push(shape.threads === 1 ? flopsOfOne : flopsOfAll)
  }
  dispose()
  const peak = Math.max(...seconds.peak)
  const of = (name, passes) => {
    const rate = tokens / median(seconds[name])
    return {
      tokensPerSecond: Math.round(rate),
      shareOfPeak: Number(((rate * flops * passes) / peak).toFixed(3)),
    }
  }
  const { varies, value, threads, lengths, hiddenSize } = shape
  const row = {
    ...{
      varies,
      value,
      threads,
      sequences: lengths.length,
      tokens,
      hiddenSize,
      gflopsOfPeak: Math.round(peak / 1e9),
    },
    inference: of('inference', 1),
    // The gradient of x is computed too, so there are three products for each forward one.
    training: of('training', 3),
  }
  results.push(row)
  const percent = ({ tokensPerSecond, shareOfPeak }) =>
    `${tokensPerSecond.toLocaleString('en')} tokens/s, ${Math.round(100 * shareOfPeak)} % of the peak`
  console.log(
    `${varies} ${value}: forward ${percent(row.inference)}; forward and backward ${percent(row.training)}`,
  )
}
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ cpu: cpus()[0].model, results }, null, 2)}\n`)
}
