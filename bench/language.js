// Times language models beside PyTorch: training steps, memory, generated words, and the beam search of the course notebook.
// Both sides have the same parameters and read the same windows. Before anything is timed the losses of the first steps are
// compared; PyTorch gets our dropout masks for that.
//
//   node bench/language.js [--text FILE] [--presets zaremba-small,awd-lstm] [--rounds N] [--threads N] [--quick] [--json FILE]
//
// FILE is a text, plain or .gz; default ptb/ptb.train.txt.gz in PACKED_RNN_DATA, or invented words.
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machineFacts } from '../dist/bench/machine.js'
import { environment, findTorch, PYTHON } from '../dist/bench/peers/torch.js'
import { BenchProcess } from '../dist/bench/process.js'
import { usableCores } from '../dist/cpuQuota.js'
import { device } from '../dist/index.js'
import { median } from '../dist/median.js'
import { StreamLoader } from '../dist/tasks/index.js'
import { configOf, inventWords, readWords } from './language/workload.js'

const { values: options } = parseArgs({
  options: {
    text: { type: 'string' },
    presets: { type: 'string', default: 'zaremba-small,awd-lstm' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(usableCores()) },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const [threads, rounds, { quick }] = [Number(options.threads), Number(options.rounds), options]
/** Compared steps. */
const CHECKED = 20
/** The largest difference of a loss. */
const TOLERANCE = 1e-4
const usual = { 'zaremba-small': 20, 'awd-lstm': 2 }
const sizes = quick ? { words: 20, beams: [20, 5, 6] } : { words: 500, beams: [250, 25, 25] }

const torch = findTorch()
if ('missing' in torch) throw new Error(`PyTorch is missing: ${torch.missing}`)
const data = process.env.PACKED_RNN_DATA ?? new URL('../../shared/data', import.meta.url).pathname
const known = join(data, 'ptb/ptb.train.txt.gz')
const file = options.text ?? (existsSync(known) ? known : null)
const text = quick ? inventWords(200) : file === null ? inventWords() : await readWords(file)

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-language-'))
const results = {}
try {
  for (const name of options.presets.split(',')) results[name] = await measure(name)
} finally {
  await rm(folder, { recursive: true, force: true })
}
const opened = device('cpu', { threads })
const { cpu } = machineFacts(opened)
const about = {
  cpu,
  instructions: opened.instructions,
  threads,
  rounds,
  torch: torch.version,
  text: text.about,
  quick,
}
console.log(about)
if (options.json !== undefined) {
  await writeFile(options.json, `${JSON.stringify({ about, results }, null, 2)}\n`)
}

/** Starts both sides; the first one is ours. */
async function start(file) {
  const ours = new URL('./language/ours.js', import.meta.url).pathname
  const theirs = new URL('./peers/torch_language.py', import.meta.url).pathname
  const sides = [
    new BenchProcess('packed-rnn', process.execPath, [ours, file]),
    new BenchProcess('PyTorch', PYTHON, [theirs, file], environment(threads)),
  ]
  for (const side of sides) await side.answer()
  return sides
}

async function measure(name) {
  const steps = quick ? 3 : usual[name]
  const config = configOf(name, text, {
    threads,
    folder,
    steps: CHECKED + steps * (2 * rounds + 2),
    quick,
  })
  const file = join(folder, `${name}.json`)
  await writeFile(file, JSON.stringify(config))
  const { batchSize, window, variable } = config
  const loader = new StreamLoader(config.text, { batchSize, window, variable })
  const lengths = [...loader.epoch(0).from(0)].map(({ batch }) => batch.next.length / batchSize)
  const checked = await onBoth(file, sides =>
    checkSteps(name, sides, lengths, config.reduction === 'streams'),
  )
  const timed = await onBoth(file, sides => timeSteps(name, sides, lengths, steps))
  const decoded = await onBoth(file, sides => decode(name, sides))
  return { checked, ...timed, ...decoded }
}

/** Runs something on new processes. */
async function onBoth(file, run) {
  const sides = await start(file)
  try {
    await sides[0].ask('parameters')
    return await run(sides)
  } finally {
    for (const side of sides) await side.close()
  }
}

/** @param isSum whether a loss is a sum over the tokens of a stream */
async function checkSteps(name, [ours, theirs], lengths, isSum) {
  let largest = 0
  for (const length of lengths.slice(0, CHECKED)) {
    const found = (await ours.ask('check')).number('loss')
    const wanted = (await theirs.ask(`check ${length}`)).number('loss')
    const error = Math.abs(found - wanted) / (isSum ? length : 1)
    largest = Math.max(largest, error)
    if (!(error <= TOLERANCE)) throw new Error(`${name}: wanted the loss ${wanted}, got ${found}`)
  }
  console.log(`${name}: ${CHECKED} losses differ by at most ${largest.toExponential(1)}`)
  return { steps: CHECKED, largestDifference: largest }
}

async function timeSteps(name, sides, lengths, steps) {
  const rates = sides.map(() => [])
  let at = 0
  for (let round = 0; round <= rounds; round++) {
    const some = lengths.slice(at, at + steps)
    at += steps
    for (const [i, side] of sides.entries()) {
      const answer = await side.ask(i === 0 ? `time ${steps}` : `time ${some.join(' ')}`)
      if (round > 0) rates[i].push(answer.number('tokens') / answer.number('seconds'))
    }
  }
  const memory = []
  for (const side of sides) memory.push((await side.ask('memory')).number('mib'))
  const tokensPerSecond = rates.map(median)
  const faster = tokensPerSecond[0] / tokensPerSecond[1]
  const shown = tokensPerSecond.map(rate => rate.toFixed(0)).join(' and ')
  const peaks = memory.map(mib => mib.toFixed(0)).join(' and ')
  console.log(`${name}: ${shown} tokens a second, ours ${faster.toFixed(2)} times; ${peaks} MiB`)
  return { tokensPerSecond, samples: rates, oursIsFasterBy: faster, peakMib: memory }
}

async function decode(name, sides) {
  const [words, beams] = [`generate ${sizes.words}`, `beam ${sizes.beams.join(' ')}`]
  const found = { generate: [[], []], beam: [[], []] }
  const first = []
  for (let round = 0; round <= Math.min(rounds, 3); round++) {
    for (const [i, side] of sides.entries()) {
      const [generated, searched] = [await side.ask(words), await side.ask(beams)]
      if (round === 0) {
        first.push({ words: generated.numbers('words'), log: searched.number('logProbability') })
        continue
      }
      found.generate[i].push(sizes.words / generated.number('seconds'))
      found.beam[i].push(searched.number('seconds'))
    }
  }
  const [ours, theirs] = first
  if (ours.words.slice(0, 10).join() !== theirs.words.slice(0, 10).join()) {
    throw new Error(`${name}: wanted the words ${theirs.words.slice(0, 10)}, got ${ours.words.slice(0, 10)}`)
  }
  if (!(Math.abs(ours.log - theirs.log) <= 1e-3)) {
    throw new Error(`${name}: wanted a text of log-probability ${theirs.log}, got ${ours.log}`)
  }
  const wordsPerSecond = found.generate.map(median)
  const beamSeconds = found.beam.map(median)
  const [count, topK, length] = sizes.beams
  console.log(
    `${name}: ${wordsPerSecond.map(rate => rate.toFixed(0)).join(' and ')} words a second, one at a time; ` +
      `${count} beams of ${topK} candidates, ${length} words: ${beamSeconds.map(s => s.toFixed(2)).join(' and ')} s`,
  )
  return { wordsPerSecond, beam: { beams: count, topK, words: length, seconds: beamSeconds } }
}
