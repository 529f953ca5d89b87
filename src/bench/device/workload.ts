import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../device.js'
import { Classifier } from '../../models/classifier.js'
import { presets } from '../../models/presets.js'
import { Generator } from '../../random.js'
import { notebookTraining } from '../../tasks/notebook.js'
import { rulesOf } from '../../tasks/rules.js'
import { Batches } from '../../text/batches.js'
import { Trainer } from '../../training/trainer.js'
import { INPUT_SIZE } from '../cases.js'
import { type Documents, inventDocuments } from '../documents.js'
import { hashed } from '../hashed.js'

/** The number of articles in 10kGNAD's train.csv. */
export const DOCUMENTS = 9245
const SEED = 1

// Without dropout, because the random masks of peers differ and losses could not be compared.
export const workloads = {
  A: { ...presets['lstm64-adam'], dropout: 0 },
  B: { ...presets['bilstm128x2-adam'], dropout: 0 },
  C: { ...presets['bilstm64x4-adam'], dropout: 0 },
} as const

export type WorkloadName = keyof typeof workloads
export const workloadNames = ['A', 'B', 'C'] as const satisfies readonly WorkloadName[]

/** Returns `count` documents of random words, the same in every call. A few documents only test the code, without a table of 240 MB. */
export function makeDocuments(count: number): Documents {
  return inventDocuments(count, count < 1000 ? 5000 : 200_000)
}

export type Order = 'shuffled' | 'bucketed'

export function batchesOf(
  data: Pick<Documents, 'documents' | 'labels'>,
  name: WorkloadName,
  order: Order,
): Batches {
  const { batchSize } = workloads[name]
  return new Batches(data, { batchSize, shuffleSeed: SEED, bucketByLength: order === 'bucketed' })
}

let vectors: Float32Array = new Float32Array()

/** The model with its initial parameters, which are the same on every device. */
export function makeTrainer(name: WorkloadName, device: Device, { words, classes }: Documents) {
  const numbers = words * INPUT_SIZE
  if (vectors.length !== numbers) vectors = hashed(numbers)
  const model = new Classifier({
    ...{ preset: workloads[name], device, vectors, generator: new Generator(SEED) },
    ...{ vocabularySize: words, classes, embeddingDim: INPUT_SIZE },
  })
  const { test: _, ...training } = notebookTraining(model, workloads[name], rulesOf('batched', 'fixed'))
  return new Trainer({ model, ...training })
}

/** Writes the input of PyTorch: the parameters except the vectors, and the batches of some epochs as indices. */
export async function writeWorkload(
  folder: string,
  name: WorkloadName,
  device: Device,
  data: Documents,
  epochs: number,
): Promise<void> {
  const { model } = makeTrainer(name, device, data)
  const parameters: Record<string, number[]> = {}
  for (const [key, { data }] of await model.stateDict()) {
    if (!key.startsWith('embedding.')) parameters[key] = [...data]
  }
  model.dispose()
  await writeFile(join(folder, 'parameters.json'), JSON.stringify(parameters))
  const numbered = { documents: data.documents, labels: Int32Array.from(data.labels, (_, i) => i) }
  for (const order of ['shuffled', 'bucketed'] as const) {
    const batches = batchesOf(numbered, name, order)
    const indices = Array.from({ length: epochs }, (_, epoch) =>
      [...batches.epoch(epoch)].map(({ labels }) => [...labels]),
    )
    await writeFile(join(folder, `${order}.json`), JSON.stringify(indices))
  }
}
