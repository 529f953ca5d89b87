import { noGrad } from '../autograd.js'
import type { Device } from '../device.js'
import {
  Embedding,
  GRU,
  Linear,
  type LSTM,
  Module,
  type ModuleOptions,
  type RecurrentOutput,
  RNN,
} from '../nn/index.js'
import { crossEntropy } from '../ops/loss.js'
import { Adam, clipGradNorm } from '../optim/index.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import { Generator } from '../random.js'
import { scope } from '../scope.js'
import type { StateEntry, Tensor } from '../tensor.js'
import type { Batch } from '../text/batches.js'
import { Classifier } from '../training/classifier.js'
import { Trainer } from '../training/trainer.js'
import { type BenchCase, INPUT_SIZE } from './cases.js'
import type { BenchPooling } from './context.js'
import { hashed } from './hashed.js'

type Matrix = Tensor<'float32', 2>

const SEED = 1

/** A case's model at its initial parameters, which are the same on every device, and its training. */
export interface BenchModel {
  module: Module
  /** Which states its loss reads. */
  pooling: BenchPooling
  /** The word vectors of a batch. */
  rows(ids: PackedIds): PackedSequence
  /** Its recurrent layers. */
  recurrent: LSTM | GRU | RNN
  /** The last states of the last layer [B, D·H]. */
  lastHidden(ids: PackedIds): Matrix
  logits(ids: PackedIds): Matrix
  step(batch: Batch): Tensor<'float32', 0>
}

export interface ModelSize {
  words: number
  classes: number
}

/** A, B and C go through the trainer, as a user's training does; it has no other cell than the LSTM. */
export function makeModel(
  spec: BenchCase,
  device: Device,
  { words, classes }: ModelSize,
  pooling: BenchPooling = 'final',
): BenchModel {
  const common = { device, generator: new Generator(SEED) }
  const vectors = hashed(words * INPUT_SIZE)
  if (spec.cell === 'lstm') {
    const size = { vocabularySize: words, classes, embeddingDim: INPUT_SIZE }
    const module = new Classifier({ ...common, ...size, preset: spec, vectors, pooling })
    const trainer = new Trainer(module, { ...spec, batchSize: 1 })
    return {
      ...{ module, pooling, recurrent: module.lstm },
      rows: ids => module.embedding.forward(ids),
      lastHidden: ids => module.lstm.forward(module.embedding.forward(ids)).lastHidden(),
      logits: ids => module.forward(ids),
      step: batch => trainer.step(batch),
    }
  }
  const module = new CellClassifier(spec, vectors, classes, pooling, common)
  const adam = new Adam(module.parameters(), { lr: spec.optimizer.lr })
  return {
    ...{ module, pooling, recurrent: module.recurrent },
    rows: ids => module.embedding.forward(ids),
    lastHidden: ids => module.states(ids).lastHidden(),
    logits: ids => module.forward(ids),
    step: ({ ids, labels }) =>
      scope(() => {
        const loss = crossEntropy(module.forward(ids), labels)
        loss.backward()
        clipGradNorm(module.recurrent.parameters(), spec.clip)
        adam.step()
        module.zeroGrad()
        return loss
      }),
  }
}

/** The trainer's classifier with another cell. */
class CellClassifier extends Module {
  readonly embedding: Embedding
  readonly recurrent: GRU | RNN
  readonly linear: Linear
  readonly pooling: BenchPooling

  constructor(
    spec: BenchCase,
    vectors: Float32Array,
    classes: number,
    pooling: BenchPooling,
    common: ModuleOptions,
  ) {
    super(common)
    this.pooling = pooling
    const { cell, hiddenSize, numLayers, bidirectional, tuneEmbedding } = spec
    const freeze = !tuneEmbedding
    const embedding = Embedding.fromPretrained(vectors, INPUT_SIZE, { ...common, freeze })
    this.embedding = this.child('embedding', embedding)
    const options = { ...common, inputSize: INPUT_SIZE, hiddenSize, numLayers, bidirectional }
    this.recurrent = this.child('recurrent', cell === 'gru' ? new GRU(options) : new RNN(options))
    const inFeatures = (bidirectional ? 2 : 1) * hiddenSize
    this.linear = this.child('classifier', new Linear({ ...common, inFeatures, outFeatures: classes }))
  }

  states(ids: PackedIds): RecurrentOutput {
    return this.recurrent.forward(this.embedding.forward(ids))
  }

  forward(ids: PackedIds): Matrix {
    const states = this.states(ids)
    return this.linear.forward(this.pooling === 'mean' ? states.meanPool() : states.lastHidden())
  }
}

/** A parameter's name without the module's word for its layers: `recurrent.weight_ih_l0` of any cell. */
export function commonName(name: string): string {
  return name.replace(/^lstm\./, 'recurrent.')
}

/** All parameters but the word vectors, by their common names: the vectors' numbers are everybody's, `hashed`. */
export async function parametersOf({ module }: BenchModel): Promise<Map<string, StateEntry>> {
  const state = await module.stateDict()
  return new Map(
    [...state]
      .filter(([name]) => !name.startsWith('embedding.'))
      .map(([name, entry]) => [commonName(name), entry]),
  )
}

/** What f computes, on the host. */
export async function read(f: () => Matrix): Promise<Float32Array> {
  const found = noGrad(() => scope(f))
  try {
    return await found.toArray()
  } finally {
    found.dispose()
  }
}
