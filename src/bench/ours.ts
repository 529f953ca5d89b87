// The package's own part of the benchmark: a process like the peers', so memory is measured in the same way. Requests:
//
//   forward         forward passes of the batch without a tape: {"seconds", "javascript"} of one
//   step            training steps of the batch, with a gradient in every state: {"seconds", "javascript"} of one
//   stepLast        the same with a gradient only in the last states
//   check           compares with the float64 reference: {"largestError"}, or {"error"} above the tolerance
//   losses PASS N S losses of S steps of this kind on the first N documents, from the initial parameters: {"losses"}
//   parameters F    writes the initial parameters to a safetensors file
//   states F        writes the last hidden states of the batch, [B, D·H] float32
//   made            the number of `stepLast` steps before the last one of each request: {"steps"}
//   walked S        rows that the backward pass of `stepLast` processes after S such steps, see walked.ts: {"rows"}, for each
//                   layer and direction the rows and the input's rows. Use a process that does nothing else.
//   equal PASS T N F  writes the results of equalLengths.ts for N sequences of T rows, float32
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { writeSafetensors } from '../formats/safetensors.js'
import { stateEntries } from '../formats/stateDict.js'
import type { Tensor } from '../tensor.js'
import { cases } from './cases.js'
import { checkCase } from './check.js'
import type { Setting } from './context.js'
import { loadDocuments } from './documents.js'
import { computeEqualLengths } from './equalLengths.js'
import { openLibrary } from './library.js'
import { type BenchModel, makeModel, parametersOf, read } from './model.js'
import { passes, poolingOf, type StepPass } from './passes.js'
import { walkedRows } from './walked.js'

const setting: Setting = JSON.parse(process.argv[2]!)
const library = await openLibrary(setting.library)
const { device: openDevice, noGrad, packSequence, scope } = library
const spec = cases[setting.name]
const device = openDevice('cpu', { threads: setting.threads, precision: setting.precision })
const { documents, labels } = await loadDocuments(setting.folder)
/** Models are created on first use, so the peak memory is that of the requested passes. */
const models = new Map<StepPass, BenchModel>()
const modelOf = (pass: StepPass): BenchModel => {
  // The learning rate is 0: each timed step has the initial parameters, and the gradients' reach depends on them.
  const still = { ...spec, optimizer: { ...spec.optimizer, lr: 0 } }
  const model = models.get(pass) ?? makeModel(library, still, device, setting, poolingOf[pass])
  models.set(pass, model)
  return model
}
const model = modelOf('stepLast')
const batch = { ids: packSequence(documents), labels }

/** Seconds of a row of short passes, approximately. */
const ROW_S = 0.05
const MOST_IN_A_ROW = 32
/** Seconds of the last one of each name. */
const seconds = new Map<string, number>()

/** Times one pass or step in a row of them. Like the trainer's steps, it is issued while the previous one is computed. */
async function inARow(name: string, call: () => Tensor<'float32'>) {
  const count = Math.round(ROW_S / (seconds.get(name) ?? ROW_S))
  const found = count > 1 ? await several(Math.min(MOST_IN_A_ROW, count), call) : await second(call)
  seconds.set(name, found.seconds)
  return found
}

/** The time between two results, where the next pass reuses the memory. Only the call is counted as JavaScript. */
async function second(call: () => Tensor<'float32'>) {
  const before = call()
  const begun = before.toArray().then(() => performance.now())
  const issued = performance.now()
  const result = call()
  const javascript = performance.now() - issued
  await result.toArray()
  const taken = (performance.now() - (await begun)) / 1000
  before.dispose()
  result.dispose()
  return { seconds: taken, javascript: javascript / 1000 }
}

/** For short passes the whole row is timed, because a result's time is not observable while the next pass is issued. */
async function several(count: number, call: () => Tensor<'float32'>) {
  const before = call()
  await before.toArray()
  before.dispose()
  const start = performance.now()
  for (let i = 1; i < count; i++) call().dispose()
  const last = call()
  const javascript = performance.now() - start
  await last.toArray()
  const taken = performance.now() - start
  last.dispose()
  return { seconds: taken / count / 1000, javascript: javascript / count / 1000 }
}

/** The number of `stepLast` steps so far, and at the end of each request. */
let made = 0
const madeAt: number[] = []

/** The number of steps in `walked`. */
let stepped = 0

const commands: Record<string, (args: string[]) => Promise<object>> = {
  forward: () => inARow('forward', () => noGrad(() => scope(() => model.logits(batch.ids)))),
  step: () => inARow('step', () => modelOf('step').step(batch)),
  stepLast: async () => {
    const found = await inARow('stepLast', () => {
      made++
      return model.step(batch)
    })
    madeAt.push(made - 1)
    return found
  },
  made: async () => ({ steps: madeAt }),
  check: async () => ({ largestError: await checkCase(spec, device, model, { documents }) }),
  losses: async ([pass, count, steps]) => {
    const fresh = makeModel(
      library,
      spec,
      device,
      setting,
      pass === 'step' ? poolingOf.step : poolingOf.stepLast,
    )
    const some = {
      ids: packSequence(documents.slice(0, Number(count))),
      labels: labels.slice(0, Number(count)),
    }
    const losses: number[] = []
    while (losses.length < Number(steps)) {
      const loss = fresh.step(some)
      losses.push(await loss.item())
      loss.dispose()
    }
    fresh.module.dispose()
    return { losses }
  },
  parameters: async ([file]) => {
    await writeFile(file!, writeSafetensors(stateEntries(await parametersOf(model))))
    return {}
  },
  states: async ([file]) => {
    await writeFile(file!, await read(library, () => model.lastHidden(batch.ids)))
    return {}
  },
  walked: async ([steps]) => {
    while (stepped < Number(steps)) {
      model.step(batch).dispose()
      stepped++
    }
    const layers = await walkedRows(spec, device, model, batch.ids)
    return { rows: layers.flat().flatMap(({ rows, inputRows }) => [rows, inputRows]) }
  },
  equal: async ([name, steps, sequences, file]) => {
    const given = {
      pass: passes.find(pass => pass === name)!,
      steps: Number(steps),
      sequences: Number(sequences),
    }
    await writeFile(file!, await computeEqualLengths(spec, device, model, given))
    return {}
  },
}

const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
answer({ ready: true, instructions: device.instructions })
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...args] = line.split(' ')
  try {
    answer(await commands[name]!(args))
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) })
  }
}
