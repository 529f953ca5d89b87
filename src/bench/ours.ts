// The package's own part in the benchmark: a process like the peers', so that its memory is told like theirs. Answers
//
//   forward         a forward pass of the batch, nothing recorded, after another: {"seconds", "javascript"}
//   step            a training step of it after another, with a gradient in every state: {"seconds", "javascript"}
//   stepLast        the same with a gradient in the last states alone
//   check           compares with the float64 reference: {"error"} says where, {"largestError"} is within the tolerance
//   losses PASS N S of S steps of that kind on the first N documents, from the initial parameters: {"losses"}
//   parameters F    writes the initial ones to a safetensors file
//   states F        writes the last hidden states of the batch, [B, D·H] float32
//   made            how many `stepLast` steps came before the last one of each question: {"steps"}
//   walked S        rows that the backward pass of `stepLast` goes through after S such steps, see walked.ts: {"rows"}, by
//                   layer and direction a number of rows and one of the input's rows. Of a process that does nothing else.
//   equal PASS T N F  writes what equalLengths.ts says of N sequences of T rows, float32
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { writeSafetensors } from '../formats/safetensors.js'
import { stateEntries } from '../formats/stateDict.js'
import type { Tensor } from '../tensor.js'
import { cases } from './cases.js'
import { checkCase } from './check.js'
import { passes, poolingOf, type Setting, type StepPass } from './context.js'
import { loadDocuments } from './documents.js'
import { computeEqualLengths } from './equalLengths.js'
import { openLibrary } from './library.js'
import { type BenchModel, makeModel, parametersOf, read } from './model.js'
import { walkedRows } from './walked.js'

const setting: Setting = JSON.parse(process.argv[2]!)
const library = await openLibrary(setting.library)
const { device: openDevice, noGrad, packSequence, scope } = library
const spec = cases[setting.name]
const device = openDevice('cpu', { threads: setting.threads, precision: setting.precision })
const { documents, labels } = await loadDocuments(setting.folder)
/** Made when they are first asked for, so that memory is that of what was done. */
const models = new Map<StepPass, BenchModel>()
const modelOf = (pass: StepPass): BenchModel => {
  // A learning rate of 0: every step that is timed has the initial parameters, on which it depends how far gradients go back.
  const still = { ...spec, optimizer: { ...spec.optimizer, lr: 0 } }
  const model = models.get(pass) ?? makeModel(library, still, device, setting, poolingOf[pass])
  models.set(pass, model)
  return model
}
const model = modelOf('stepLast')
const batch = { ids: packSequence(documents), labels }

/** A row of passes that are shorter takes about so long. */
const ROW_S = 0.05
const MOST_IN_A_ROW = 32
/** Of the last one of each name. */
const seconds = new Map<string, number>()

/** One of a row of passes or steps, as the trainer has its steps: it is issued while the one before computes. */
async function inARow(name: string, call: () => Tensor<'float32'>) {
  const count = Math.round(ROW_S / (seconds.get(name) ?? ROW_S))
  const found = count > 1 ? await several(Math.min(MOST_IN_A_ROW, count), call) : await second(call)
  seconds.set(name, found.seconds)
  return found
}

/** The time from one result to the next, which takes over its memory; the call alone is JavaScript. */
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

/** Short ones: while the next is issued, the moment of a result is not seen, so the whole row is timed. */
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

/** `stepLast` steps that were made, and how many had been at the end of each question. */
let made = 0
const madeAt: number[] = []

/** Steps that `walked` has made. */
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
