// Trains AWD-LSTM for some steps, whole and without each of its regularisers in turn, from the same parameters and on the same windows.
// Prints the loss of the last training steps, with the regularisers, and the perplexity of the validation text.
//
//   node bench/regularisers.js [--text FILE] [--valid FILE] [--steps N] [--threads N] [--only NAME,NAME] [--json FILE]
//
// The files are texts, plain or .gz; default ptb/ptb.train.txt.gz and ptb/ptb.valid.txt.gz in PACKED_RNN_DATA.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machineFacts } from '../dist/bench/machine.js'
import { usableCores } from '../dist/cpuQuota.js'
import { device as openDevice, optim } from '../dist/index.js'
import { LanguageModel, languagePresets } from '../dist/models/index.js'
import { Generator } from '../dist/random.js'
import { LanguageModeling, StreamLoader } from '../dist/tasks/index.js'
import { evaluate, Trainer } from '../dist/training/index.js'
import { idsOf, readLines, vocabularyOf } from './language/workload.js'

const data = process.env.PACKED_RNN_DATA ?? new URL('../../shared/data', import.meta.url).pathname
const { values: options } = parseArgs({
  options: {
    text: { type: 'string', default: join(data, 'ptb/ptb.train.txt.gz') },
    valid: { type: 'string', default: join(data, 'ptb/ptb.valid.txt.gz') },
    steps: { type: 'string', default: '200' },
    threads: { type: 'string', default: String(usableCores()) },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
const preset = languagePresets['awd-lstm']
const { dropout } = preset.layers
/** How each variant differs from the preset. */
const variants = {
  'everything on': {},
  ...Object.fromEntries(
    Object.keys(dropout).map(name => [`${name} dropout off`, { dropout: { ...dropout, [name]: 0 } }]),
  ),
  'activation penalty off': { activation: 0 },
  'temporal penalty off': { temporal: 0 },
  'weight decay off': { weightDecay: 0 },
}
const chosen = options.only?.split(',') ?? Object.keys(variants)
for (const name of chosen) {
  if (!Object.hasOwn(variants, name))
    throw new Error(`--only: wanted ${Object.keys(variants).join(', ')}, got ${name}`)
}
const steps = Number(options.steps)
const device = openDevice('cpu', { threads: Number(options.threads) })
const texts = await Promise.all([options.text, options.valid].map(readLines))
const vocabulary = vocabularyOf(texts[0])
const [text, valid] = texts.map(each => idsOf(each, vocabulary))

const results = {}
for (const name of chosen) {
  results[name] = await measure({ ...preset, ...preset.layers, ...preset.optimizer, ...variants[name] })
  console.log(name, results[name])
}
const about = {
  cpu: machineFacts(device).cpu,
  instructions: device.instructions,
  steps,
  threads: Number(options.threads),
}
console.log(about)
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify({ about, results }, null, 2)}\n`)

async function measure({ dropout, lr, weightDecay, activation, temporal, clip, ...of }) {
  const layers = { ...preset.layers, dropout, vocabularySize: vocabulary.size }
  const model = new LanguageModel({ ...layers, device, generator: new Generator(1) })
  const task = new LanguageModeling(model, { activation, temporal })
  const parameters = model.parameters()
  const optimizer = new optim.SGD(parameters, { lr, weightDecay })
  const trainer = new Trainer({ model, task, optimizer, clip: { parameters, maxNorm: clip } })
  const { batchSize, window, variable } = of
  const losses = []
  const start = performance.now()
  const loader = new StreamLoader(text, { batchSize, window, variable })
  for (const { batch } of loader.epoch(0).from(0)) {
    const loss = trainer.step(batch)
    losses.push(await loss.item())
    loss.dispose()
    if (losses.length === steps) break
  }
  const seconds = (performance.now() - start) / 1000
  const last = losses.slice(-20)
  model.eval()
  const { metrics } = await evaluate(task, new StreamLoader(valid, { batchSize: 10, window }))
  model.dispose()
  return {
    loss: last.reduce((sum, each) => sum + each) / last.length,
    perplexity: metrics.perplexity,
    seconds,
  }
}
