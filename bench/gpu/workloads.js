/** The workloads that docs and results name, on as many documents as 10kGNAD's train.csv has, and of such lengths. */

import { inventDocuments } from '../../dist/bench/documents.js'
import { hashed } from '../../dist/bench/hashed.js'
import { Generator, text, training } from '../../dist/index.js'

export const INPUT_SIZE = 300
/** Articles of 10kGNAD's train.csv. */
export const DOCUMENTS = 9245
/** Words of so many documents. A few of them only try the code, and need no table of 240 MB. */
const vocabularyOf = documents => (documents < 1000 ? 5000 : 200_000)
const SEED = 1

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
export function specOf(workload, { words, classes }) {
  return { ...workload, vocabularySize: words, classes }
}

/** So many documents of random words, always the same ones. */
export function makeDocuments(count) {
  return inventDocuments(count, vocabularyOf(count))
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
export function makeTrainer(workload, device, { words, classes }) {
  const numbers = words * INPUT_SIZE
  if (vectors.length !== numbers) vectors = hashed(numbers)
  const model = new training.Classifier({
    ...{ preset: workload, device, vectors, generator: new Generator(SEED) },
    ...{ vocabularySize: words, classes, embeddingDim: INPUT_SIZE },
  })
  return new training.Trainer(model, workload)
}
