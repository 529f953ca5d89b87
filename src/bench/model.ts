import type { Device } from '../device.js'
import type { GRU, LSTM, Module, ModuleOptions, RNN } from '../nn/index.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import type { StateEntry, Tensor } from '../tensor.js'
import type { Batch } from '../text/batches.js'
import { type BenchCase, INPUT_SIZE } from './cases.js'
import { hashed } from './hashed.js'
import type { Library } from './library.js'
import type { BenchPooling } from './passes.js'

type Matrix = Tensor<'float32', 2>

const SEED = 1

/** A case's model with its initial parameters, which are the same on every device, and its training. */
export interface BenchModel {
  /** The package that its modules come from. */
  library: Library
  module: Module
  /** The states that its loss reads. */
  pooling: BenchPooling
  /** Returns the word vectors of a batch. */
  rows(ids: PackedIds): PackedSequence
  /** The recurrent layers. */
  recurrent: LSTM | GRU | RNN
  /** Returns the last states of the last layer, [B, D·H]. */
  lastHidden(ids: PackedIds): Matrix
  logits(ids: PackedIds): Matrix
  step(batch: Batch): Tensor<'float32', 0>
}

export interface ModelSize {
  words: number
  classes: number
}

/** A, B and C use the trainer, like a user's training. The trainer supports only the LSTM cell. */
export function makeModel(
  library: Library,
  spec: BenchCase,
  device: Device,
  { words, classes }: ModelSize,
  pooling: BenchPooling = 'final',
): BenchModel {
  const { training, optim, crossEntropy, scope, Generator } = library
  const common = { device, generator: new Generator(SEED) }
  const vectors = hashed(words * INPUT_SIZE)
  if (spec.cell === 'lstm') {
    const { cell: _, ...preset } = spec
    const size = { vocabularySize: words, classes, embeddingDim: INPUT_SIZE }
    const module = new training.Classifier({ ...common, ...size, preset, vectors, pooling })
    const trainer = new training.Trainer(module, { ...preset, batchSize: 1 })
    return {
      ...{ library, module, pooling, recurrent: module.lstm },
      rows: ids => module.embedding.forward(ids),
      lastHidden: ids => module.lstm.forward(module.embedding.forward(ids)).lastHidden(),
      logits: ids => module.forward(ids),
      step: batch => trainer.step(batch),
    }
  }
  const module = cellClassifier(library, spec, vectors, classes, pooling, common)
  const adam = new optim.Adam(module.parameters(), { lr: spec.optimizer.lr })
  return {
    ...{ library, module, pooling, recurrent: module.recurrent },
    rows: ids => module.embedding.forward(ids),
    lastHidden: ids => module.states(ids).lastHidden(),
    logits: ids => module.forward(ids),
    step: ({ ids, labels }) =>
      scope(() => {
        const loss = crossEntropy(module.forward(ids), labels)
        loss.backward()
        optim.clipGradNorm(module.recurrent.parameters(), spec.clip)
        adam.step()
        module.zeroGrad()
        return loss
      }),
  }
}

/** Like the trainer's classifier, with another cell. */
function cellClassifier(
  { nn }: Library,
  spec: BenchCase,
  vectors: Float32Array,
  classes: number,
  pooling: BenchPooling,
  common: ModuleOptions,
) {
  const { cell, hiddenSize, numLayers, bidirectional, tuneEmbedding } = spec
  const layers = { ...common, inputSize: INPUT_SIZE, hiddenSize, numLayers, bidirectional }
  const inFeatures = (bidirectional ? 2 : 1) * hiddenSize

  class CellClassifier extends nn.Module {
    readonly embedding = this.child(
      'embedding',
      nn.Embedding.fromPretrained(vectors, INPUT_SIZE, { ...common, freeze: !tuneEmbedding }),
    )
    readonly recurrent: GRU | RNN = this.child(
      'recurrent',
      cell === 'gru' ? new nn.GRU(layers) : new nn.RNN(layers),
    )
    readonly linear = this.child('classifier', new nn.Linear({ ...common, inFeatures, outFeatures: classes }))

    states(ids: PackedIds) {
      return this.recurrent.forward(this.embedding.forward(ids))
    }

    forward(ids: PackedIds): Matrix {
      const states = this.states(ids)
      return this.linear.forward(pooling === 'mean' ? states.meanPool() : states.lastHidden())
    }
  }
  return new CellClassifier(common)
}

/** A parameter's name with `recurrent` in place of the cell's name: `recurrent.weight_ih_l0` for any cell. */
export function commonName(name: string): string {
  return name.replace(/^lstm\./, 'recurrent.')
}

/** All parameters except the word vectors, by their common names. All participants compute the vectors' numbers by `hashed`. */
export async function parametersOf({ module }: BenchModel): Promise<Map<string, StateEntry>> {
  const state = await module.stateDict()
  return new Map(
    [...state]
      .filter(([name]) => !name.startsWith('embedding.'))
      .map(([name, entry]) => [commonName(name), entry]),
  )
}

/** The result of f, on the host. */
export async function read({ noGrad, scope }: Library, f: () => Matrix): Promise<Float32Array> {
  const found = noGrad(() => scope(f))
  try {
    return await found.toArray()
  } finally {
    found.dispose()
  }
}
