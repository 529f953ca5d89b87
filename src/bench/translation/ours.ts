// The package's own part of timing a translation model, in its own process. Requests:
//
//   parameters                    writes the initial parameters to their file: {}
//   check packed SET FORCING S    {"losses", "norms"}: the loss and the gradients' norm of S training steps, one for each of the
//                                 first batches of the set, from the initial parameters, without dropout
//   time packed SET               {"seconds"} of a training step for each batch of the set
//   translate packed MODEL BEAMS BATCH STEPS END
//                                 {"seconds", "words"} of translating the sources, BATCH of them at a time. MODEL is `initial`,
//                                 with the initial parameters, or `trained`, by the steps that were timed; END is a mark, or
//                                 `none`, and then each sentence gets STEPS words
import { readFile } from 'node:fs/promises'
import { answerLines } from '../latency/process.js'
import { openDecoding, openLibrary, openModels } from '../library.js'
import type { SentenceBatch, Sentences } from './batches.js'
import { marks } from './pairs.js'
import type { TranslationConfig } from './workload.js'

const SEED = 1

const config: TranslationConfig & { library: string } = JSON.parse(process.argv[2]!)
const library = await openLibrary(config.library)
const { Seq2Seq } = await openModels(config.library)
const { crossEntropy, device: openDevice, Generator, optim, packSequence, scope } = library
const { loadStateDict, saveStateDict } = library
const device = openDevice('cpu', { threads: config.threads })
const { sets, sources }: Sentences = JSON.parse(await readFile(config.batches, 'utf8'))

/** A batch as the model reads it. It is made before steps are timed. */
function packed({ source, target }: SentenceBatch) {
  return {
    source: packSequence(source),
    target: packSequence(target.map(sentence => sentence.slice(0, -1))),
    next: Int32Array.from(target.flatMap(sentence => sentence.slice(1))),
  }
}

const batches = new Map(Object.entries(sets).map(([name, set]) => [name, set.map(packed)]))
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

type Training = Awaited<ReturnType<typeof training>>
let timed: Training | null = null
let initial: Training['model'] | null = null

function setOf(given: string | undefined): Batch[] {
  const set = batches.get(given ?? '')
  if (set === undefined) throw new Error(`wanted one of ${[...batches.keys()].join(', ')}, got ${given}`)
  return set
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

async function modelOf(name: string | undefined) {
  if (name === 'trained' && timed !== null) return timed.model
  if (name !== 'initial') throw new Error(`wanted a model that is initial, or trained, got ${name}`)
  initial ??= (await training(0, 1)).model
  return initial
}

async function translate(name: string | undefined, numbers: readonly number[], end: number | null) {
  const [beams, batchSize, maxLength] = [numbers[0]!, numbers[1]!, numbers[2]!]
  const { greedy, beamSearch } = await openDecoding(config.library)
  const model = await modelOf(name)
  const words: number[][] = []
  model.eval()
  const start = performance.now()
  for (let at = 0; at < sources.length; at += batchSize) {
    const batch = sources.slice(at, at + batchSize)
    await scope(async () => {
      const { state, step } = model.decoding(packSequence(batch))
      const options = { state, sentences: batch.length, begin: marks.begin, end, maxLength }
      const found =
        beams === 1
          ? await greedy(step, options)
          : (await beamSearch(step, { ...options, beams })).map(hypotheses => hypotheses[0]!)
      words.push(...found.map(({ tokens }) => tokens))
    })
  }
  const seconds = (performance.now() - start) / 1000
  model.train()
  return { seconds, words }
}

await answerLines(async (command, _way, name, ...rest) => {
  if (command === 'parameters') return parameters()
  if (command === 'check') return check(setOf(name), Number(rest[0]), Number(rest[1]))
  if (command === 'time') return time(setOf(name))
  return translate(name, rest.slice(0, 3).map(Number), rest[3] === 'none' ? null : Number(rest[3]))
})
