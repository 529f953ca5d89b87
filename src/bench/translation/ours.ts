// The package's own part of timing a translation model, in its own process. Requests:
//
//   parameters                    writes the initial parameters to their file: {}
//   check packed SET FORCING S    {"losses", "norms"}: the loss and the gradients' norm of S training steps, one for each of the
//                                 first batches of the set, from the initial parameters, without dropout
//   time packed SET               {"seconds"} of a training step for each batch of the set
import { readFile } from 'node:fs/promises'
import { answerLines } from '../latency/process.js'
import { openLibrary, openModels } from '../library.js'
import { type BatchSets, type SentenceBatch, setNames } from './batches.js'
import type { TranslationConfig } from './workload.js'

const SEED = 1

const config: TranslationConfig & { library: string } = JSON.parse(process.argv[2]!)
const library = await openLibrary(config.library)
const { Seq2Seq } = await openModels(config.library)
const { crossEntropy, device: openDevice, Generator, optim, packSequence, scope } = library
const { loadStateDict, saveStateDict } = library
const device = openDevice('cpu', { threads: config.threads })
const sets: BatchSets = JSON.parse(await readFile(config.batches, 'utf8'))

/** A batch as the model reads it. It is made before steps are timed. */
function packed({ source, target }: SentenceBatch) {
  return {
    source: packSequence(source),
    target: packSequence(target.map(sentence => sentence.slice(0, -1))),
    next: Int32Array.from(target.flatMap(sentence => sentence.slice(1))),
  }
}

const batches = { shuffled: sets.shuffled.map(packed), byLength: sets.byLength.map(packed) }
type Batch = ReturnType<typeof packed>

function modelWith(dropout: number) {
  const { layers, sourceVocabularySize, targetVocabularySize } = config
  const sizes = { ...layers, dropout, sourceVocabularySize, targetVocabularySize }
  return new Seq2Seq({ ...sizes, device, generator: new Generator(SEED) })
}

/** A model with the initial parameters, and its training step. */
async function training(dropout: number, teacherForcing: number) {
  const model = modelWith(dropout)
  await loadStateDict(model, config.parameters)
  const adam = new optim.Adam(model.parameters(), { lr: config.lr })
  const step = ({ source, target, next }: Batch) => {
    model.zeroGrad()
    return scope(() => {
      const loss = crossEntropy(model.forward(source, target, { teacherForcing }).data, next)
      loss.backward()
      const norm = optim.clipGradNorm(model.parameters(), config.clip)
      adam.step()
      return { loss, norm }
    })
  }
  return { model, step }
}

let timed: Awaited<ReturnType<typeof training>> | null = null

function setOf(given: string | undefined): Batch[] {
  const name = setNames.find(known => known === given)
  if (name === undefined) throw new Error(`wanted one of ${setNames.join(', ')}, got ${given}`)
  return batches[name]
}

async function parameters(): Promise<object> {
  const model = modelWith(0)
  await saveStateDict(model, config.parameters)
  model.dispose()
  return {}
}

async function check(set: Batch[], teacherForcing: number, steps: number) {
  const { model, step } = await training(0, teacherForcing)
  const [losses, norms]: [number[], number[]] = [[], []]
  for (const batch of set.slice(0, steps)) {
    const { loss, norm } = step(batch)
    losses.push(await loss.item())
    norms.push(await norm.item())
    for (const result of [loss, norm]) result.dispose()
  }
  model.dispose()
  return { losses, norms }
}

async function time(set: Batch[]) {
  const { layers, teacherForcing } = config
  timed ??= await training(layers.dropout ?? 0, teacherForcing)
  await device.synchronize()
  const start = performance.now()
  for (const batch of set) {
    const { loss, norm } = timed.step(batch)
    for (const result of [loss, norm]) result.dispose()
  }
  await device.synchronize()
  return { seconds: (performance.now() - start) / 1000 }
}

await answerLines(async (command, _way, set, forcing, steps) => {
  if (command === 'parameters') return parameters()
  return command === 'check' ? check(setOf(set), Number(forcing), Number(steps)) : time(setOf(set))
})
