// The package's own part of timing a language model, in its own process. The argument is a file with the configuration of
// workload.js. Requests:
//
//   parameters         writes the initial parameters to their file: {}
//   check              {"loss"} of the next training step, from the initial parameters on, at a lower rate; writes the masks of its dropout first
//   time N             {"seconds", "tokens"} of the next N training steps
//   memory             {"mib"}: the most memory that the process has held
//   generate N         {"seconds", "words"}: the most probable next word, N times, with the initial parameters
//   beam BEAMS TOPK N  {"seconds", "words", "logProbability"}: the best of BEAMS texts of N words, of TOPK candidates each
import { readFileSync, writeFileSync } from 'node:fs'
import { answerLines } from '../../dist/bench/latency/process.js'
import { beamSearch, greedy } from '../../dist/decoding/index.js'
import { loadStateDict, saveStateDict, writeSafetensors } from '../../dist/formats/index.js'
import { dropoutForward, full, Generator, device as openDevice, optim } from '../../dist/index.js'
import { LanguageModel } from '../../dist/models/index.js'
import { LanguageModeling, StreamLoader } from '../../dist/tasks/index.js'
import { Trainer } from '../../dist/training/index.js'

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { batchSize, window, variable, layers } = config
const device = openDevice('cpu', { threads: config.threads })
const loader = new StreamLoader(config.text, { batchSize, window, variable })
const newModel = () =>
  new LanguageModel({ ...layers, vocabularySize: config.vocabularySize, device, generator: new Generator(1) })

let training = null
async function begun(lr) {
  if (training !== null) return training
  const model = newModel()
  await loadStateDict(model, config.parameters)
  const { weightDecay, clip, reduction, activation, temporal } = config
  const trainer = new Trainer({
    model,
    task: new LanguageModeling(model, { reduction, activation, temporal }),
    optimizer: new optim.SGD(model.parameters(), { lr, weightDecay }),
    clip: { parameters: model.parameters(), maxNorm: clip },
  })
  training = { model, trainer, batches: loader.epoch(0).from(0)[Symbol.iterator]() }
  return training
}

let initial = null
async function untrained() {
  if (initial !== null) return initial
  initial = newModel().eval()
  await loadStateDict(initial, config.parameters)
  return initial
}

/**
 * The mask of each word of the vocabulary. The model draws one number for each distinct word of a window; `index` says
 * which of them each token is.
 */
async function wordMask({ embedding, words }, ids) {
  const mask = new Float32Array(config.vocabularySize).fill(1)
  const rows = embedding.forward(ids)
  const drawn = await dropoutForward(full([rows.data.shape[0], 1], 1, { device }), words.p, {
    seed: words.masks.seed,
    step: words.masks.step,
  }).toArray()
  const places = await rows.index.index.toArray()
  for (const [t, id] of ids.ids.entries()) mask[id] = drawn[places[t]]
  rows.data.dispose()
  return { name: 'words', dtype: 'float32', shape: [mask.length, 1], data: mask }
}

/** Writes the masks that the next step of a model draws. */
async function writeMasks(model, { ids }) {
  const [E, L] = [layers.embeddingDim, layers.numLayers]
  const drawn = []
  const draw = async (name, { p, masks }, shape, after = 0) => {
    const ones = full(shape, 1, { device })
    const place = { seed: masks.seed, step: masks.step + after, stream: 0 }
    drawn.push({ name, dtype: 'float32', shape, data: await dropoutForward(ones, p, place).toArray() })
  }
  drawn.push(await wordMask(model, ids))
  await draw('input', model.input, [batchSize, E])
  for (const [k, rnn] of [...model.rnns].entries()) {
    await draw(`weights.${k}`, rnn, rnn.module.weights[0].wHh.shape)
    if (k < L - 1) await draw(`hidden.${k}`, model.hidden, [batchSize, rnn.module.hiddenSize], k)
    else await draw('output', model.last, [batchSize, rnn.module.hiddenSize])
  }
  writeFileSync(config.masks, writeSafetensors(drawn))
}

async function check() {
  const { model, trainer, batches } = await begun(config.checkedLr)
  const { batch } = batches.next().value
  if (Object.values(layers.dropout ?? {}).some(p => p > 0)) await writeMasks(model, batch)
  const loss = trainer.step(batch)
  return { loss: await loss.item() }
}

async function time(steps) {
  const { trainer, batches } = await begun(config.lr)
  const windows = Array.from({ length: steps }, () => batches.next().value.batch)
  await device.synchronize()
  const start = performance.now()
  for (const batch of windows) trainer.step(batch).dispose()
  await device.synchronize()
  return {
    seconds: (performance.now() - start) / 1000,
    tokens: windows.reduce((sum, { next }) => sum + next.length, 0),
  }
}

async function generate(words) {
  const model = await untrained()
  const start = performance.now()
  const { state, step } = model.decoding(1)
  const [found] = await greedy(step, { state, sentences: 1, begin: 0, end: null, maxLength: words })
  return { seconds: (performance.now() - start) / 1000, words: found.tokens }
}

async function beam(beams, topK, words) {
  const model = await untrained()
  const start = performance.now()
  const { state, step } = model.decoding(1)
  const options = { state, sentences: 1, begin: 0, end: null, maxLength: words, beams, topK }
  const [[best]] = await beamSearch(step, options)
  const seconds = (performance.now() - start) / 1000
  return { seconds, words: best.tokens, logProbability: best.logProbability }
}

await answerLines(async (command, ...numbers) => {
  switch (command) {
    case 'parameters':
      await saveStateDict(newModel(), config.parameters)
      return {}
    case 'check':
      return check()
    case 'time':
      return time(Number(numbers[0]))
    case 'memory':
      return { mib: process.resourceUsage().maxRSS / 1024 }
    case 'generate':
      return generate(Number(numbers[0]))
    default:
      return beam(...numbers.map(Number))
  }
})
