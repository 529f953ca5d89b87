/** The workloads that docs and results name, on as many documents as 10kGNAD's train.csv has, and of such lengths. */
import { readFileSync } from 'node:fs'
import { Generator, text, training } from '../../dist/index.js'
import { hashed } from '../hashed.js'

export const INPUT_SIZE = 300
/** Articles of 10kGNAD's train.csv. */
export const DOCUMENTS = 9245
/** Words of so many documents. A few of them only try the code, and need no table of 240 MB. */
const vocabularyOf = documents => (documents < 1000 ? 5000 : 200_000)
const CLASSES = 9
const SEED = 1
/**
 * Words follow Zipf's law, p ~ 1 / rank^1.02: then 94,700 tokens, a batch of 256 documents, have 25,800 distinct words, as
 * German news have.
 */
const ZIPF = 1.02

// Without dropout, so that losses can be compared: what is random there is not the same elsewhere.
const preset = name => ({ ...training.presets[name], dropout: 0 })

/** By their names in the results. */
export const workloads = {
  'A, SGD': preset('lstm64-sgd'),
  A: preset('lstm64-adam'),
  B: preset('bilstm128x2-adam'),
  C: preset('bilstm64x4-adam'),
}

/** What bench/peers/cuda_torch.py is told of one. */
export function specOf(workload, { words }) {
  return { ...workload, vocabularySize: words, classes: CLASSES }
}

/** So many documents of random words, always the same ones: `{ documents, labels, tokens, words, about }`. */
export function makeDocuments(count) {
  const { about, lengths } = JSON.parse(
    readFileSync(new URL('../gnad-lengths.json', import.meta.url), 'utf8'),
  )
  const generator = new Generator(SEED)
  const words = vocabularyOf(count)
  const cumulative = new Float64Array(words)
  let total = 0
  for (let rank = 1; rank <= words; rank++) {
    total += rank ** -ZIPF
    cumulative[rank - 1] = total
  }
  const word = () => {
    const wanted = generator.uniform(0, total)
    let [low, high] = [0, words - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle] < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
  const documents = Array.from({ length: count }, (_, i) =>
    Int32Array.from({ length: lengths[Math.floor((i * lengths.length) / count)] }, word),
  )
  generator.shuffle(documents)
  const labels = Int32Array.from({ length: count }, () => generator.below(CLASSES))
  const tokens = documents.reduce((sum, document) => sum + document.length, 0)
  return { documents, labels, tokens, words, about }
}

/** The order in which a run goes through them: every batch as indices, for a few epochs. */
export function batchIndices(data, { batchSize, bucketByLength, epochs }) {
  const numbered = { documents: data.documents, labels: Int32Array.from(data.labels, (_, i) => i) }
  const batches = new text.Batches(numbered, { batchSize, shuffleSeed: SEED, bucketByLength })
  return Array.from({ length: epochs }, (_, epoch) =>
    [...batches.epoch(epoch)].map(({ labels }) => [...labels]),
  )
}

export function batchesOf(data, { batchSize, bucketByLength }) {
  return new text.Batches(data, { batchSize, shuffleSeed: SEED, bucketByLength })
}

let vectors = new Float32Array()

/** A model at its initial parameters, the same on every device, and its trainer. */
export function makeTrainer(workload, device, { words }) {
  const numbers = words * INPUT_SIZE
  if (vectors.length !== numbers) vectors = hashed(numbers)
  const model = new training.Classifier({
    ...{ preset: workload, device, vectors, generator: new Generator(SEED) },
    ...{ vocabularySize: words, classes: CLASSES, embeddingDim: INPUT_SIZE },
  })
  return new training.Trainer(model, workload)
}
