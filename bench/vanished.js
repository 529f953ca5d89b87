// Measures the gain from skipping vanished gradients. It compares a training step whose loss reads only the last states with a
// step whose loss reads the mean of all states, with the initial parameters and after some epochs.
//
//   node bench/vanished.js --data ARTICLES [--articles N] [--epochs N] [--cases A,B,C] [--rounds N] [--json FILE]
//
// ARTICLES is a file in 10kGNAD's format.
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { cases } from '../dist/bench/cases.js'
import { readDocuments } from '../dist/bench/documents.js'
import { makeModel } from '../dist/bench/model.js'
import * as library from '../dist/compat.js'
import { median } from '../dist/median.js'

const BATCH = 256
const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    articles: { type: 'string', default: '20000' },
    epochs: { type: 'string', default: '5' },
    cases: { type: 'string', default: 'A,B,C' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
})
if (options.data === undefined) throw new Error('--data: wanted a file of articles')
const { device, packSequence } = library
const cpu = device('cpu')
const data = await readDocuments(options.data, Number(options.articles))
const batches = []
for (let first = 0; first < data.documents.length; first += BATCH) {
  const documents = data.documents.slice(first, first + BATCH)
  batches.push({ ids: packSequence(documents), labels: data.labels.slice(first, first + BATCH) })
}
process.stdout.write(
  `${cpus()[0].model}, ${cpu.instructions}; ${data.documents.length} articles of ${data.tokens} tokens\n`,
)

/** The median milliseconds of a step on the first batch with these parameters, for both losses, and their ratio. */
async function timeSteps(spec, state) {
  const sides = ['mean', 'final'].map(pooling => ({ pooling, times: [] }))
  for (const side of sides) {
    side.model = makeModel(library, spec, cpu, data, side.pooling)
    side.model.module.loadStateDict(state)
  }
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const { model, times } of sides) {
      await cpu.synchronize()
      const start = performance.now()
      model.step(batches[0]).dispose()
      await cpu.synchronize()
      if (round > 0) times.push(performance.now() - start)
    }
  }
  for (const { model } of sides) model.module.dispose()
  const [step, stepLast] = sides.map(({ times }) => median(times))
  return { step, stepLast, ratio: step / stepLast }
}

const results = {}
for (const name of options.cases.split(',')) {
  const spec = cases[name]
  const model = makeModel(library, spec, cpu, data, 'final')
  const at = async epoch => {
    const times = await timeSteps(spec, await model.module.stateDict())
    results[name] = { ...results[name], [`epoch ${epoch}`]: times }
    const [step, stepLast] = [times.step, times.stepLast].map(ms => ms.toFixed(1))
    process.stdout.write(
      `${name}, epoch ${epoch}: mean ${step} ms, last ${stepLast} ms, ${times.ratio.toFixed(2)} times\n`,
    )
  }
  await at(0)
  for (let epoch = 1; epoch <= Number(options.epochs); epoch++) {
    let sum = 0
    for (const batch of batches) {
      const loss = model.step(batch)
      sum += (await loss.item()) / batches.length
      loss.dispose()
    }
    process.stdout.write(`${name}, epoch ${epoch}: loss ${sum.toFixed(3)}\n`)
  }
  await at(Number(options.epochs))
  model.module.dispose()
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`)
