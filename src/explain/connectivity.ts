import { noGrad } from '../autograd.js'
import { checkInstance, checkInteger, checkOptions, type OptionNames } from '../check.js'
import { type Embedding, Module } from '../nn/index.js'
import { packedRows } from '../ops/rows.js'
import { PackedIds, PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { type Matrix, tensor } from '../tensor.js'
import { batchOrder } from '../text/order.js'
import { argmaxRows, softmaxRows } from '../training/evaluate.js'

/** A model that reads the ids of a text and predicts a class: a category, or what comes next. */
export interface SequenceModel extends Module {
  /** From ids to vectors. */
  readonly embedding: Embedding
  /** From the vectors of B texts to a row of logits for each, [B, C]. */
  logits(vectors: PackedSequence): Matrix
}

/** What a model predicts after the last token of a text, and on which tokens that depends. */
export interface Connectivity {
  /** k, the class of the largest logit; the first of equals. */
  predicted: number
  /** Of each class [C]. */
  probabilities: Float32Array
  /** ‖∂ logit_k / ∂ x_t‖₂ for the vector x_t of each token [T]: how far a small change of the token moves the prediction. */
  strengths: Float32Array
}

/** How connectivity is computed. */
export interface ConnectivityOptions {
  /**
   * Tokens that go through the model together, default 16,384: what bounds the memory. A longer text goes alone. The bits
   * do not depend on it.
   */
  maxTokens?: number
  /** Ends the computation before its next batch; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

/** For `readingOf` too, which hands them on. */
export const optionNames: OptionNames<ConnectivityOptions> = { maxTokens: true, signal: true }

const MAX_TOKENS = 16_384

/** Texts that go together, at most: only of very short ones do so many have few tokens. */
const BATCH_SIZE = 1024

/**
 * What the prediction at a position depends on: the connectivity of Madsen, "Visualizing memorization in RNNs", Distill
 * 2019. The prediction at a position is that for the text that ends there, so that it means the same for a model that
 * predicts after each token and for one that reads whole texts, in both directions or one.
 *
 * @param ids the text, each from 0 to V - 1
 * @param position of the token after which is predicted, from 0
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE for a position outside the text, else as `connectivities`.
 */
export async function connectivity(
  model: SequenceModel,
  ids: Int32Array | readonly number[],
  position: number,
  options: ConnectivityOptions = {},
): Promise<Connectivity> {
  checkOptions('connectivity', options, optionNames)
  checkInteger('connectivity', 'position', position, 0, ids.length - 1)
  const [found] = await connectivities(model, [ids.slice(0, position + 1)], options)
  return found!
}

/** The texts that end at each position of a text: what `connectivities` takes for all of its predictions. */
export function prefixes(ids: Int32Array): Int32Array[] {
  return Array.from(ids, (_, position) => ids.subarray(0, position + 1))
}

/**
 * `connectivity` at the end of each of many texts, in evaluation mode. Whenever something else runs, the model's mode and gradients
 * are as before.
 * Each text has the bits that it has alone.
 *
 * @param texts ids, each from 0 to V - 1; a text may be empty.
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE for an id of V or more, ERR_INVALID_ARGUMENT for what is no model,
 * `maxTokens` below 1 or an unknown option, ERR_MODIFIED where a step changed the model in the middle, ERR_DISPOSED, or the
 * device's failure; the signal's reason when that aborts.
 */
export async function connectivities(
  model: SequenceModel,
  texts: readonly (Int32Array | readonly number[])[],
  options: ConnectivityOptions = {},
): Promise<Connectivity[]> {
  checkOptions('connectivities', options, optionNames)
  const { maxTokens = MAX_TOKENS, signal } = options
  const lengths = texts.map(text => text.length)
  checkInstance('connectivities', 'model', model, Module)
  const found: Connectivity[] = []
  for (const batch of batchOrder(lengths, { batchSize: BATCH_SIZE, maxTokens })) {
    signal?.throwIfAborted()
    const ids = new PackedIds(batch.map(i => texts[i]!))
    found.push(...(await scope(() => connectivityOfBatch(model, ids))))
  }
  return found
}

async function connectivityOfBatch(model: SequenceModel, ids: PackedIds): Promise<Connectivity[]> {
  const { sequences } = ids
  // A row for each token, and not one for each distinct word: the gradient is wanted place by place.
  const vectors = noGrad(() => packedRows(model.embedding.forward(ids)))
  vectors.requiresGrad = true
  const logits = evalLogits(model, new PackedSequence(vectors, sequences))
  const [rows, classes] = logits.shape
  const values = await logits.toArray()
  const predicted = argmaxRows(values, rows)
  const probabilities = Float32Array.from(softmaxRows(values, rows))
  const oneHot = new Float32Array(rows * classes)
  predicted.forEach((k, b) => {
    oneHot[b * classes + k] = 1
  })
  backwardToVectors(model, logits, oneHot)
  const strengths = rowNorms(await vectors.grad!.toArray(), sequences.rows)
  vectors.grad!.dispose()
  return Array.from(predicted, (k, b) => ({
    predicted: k,
    probabilities: probabilities.slice(b * classes, (b + 1) * classes),
    strengths: strengths.slice(sequences.offsets[b]!, sequences.offsets[b + 1]!),
  }))
}

function evalLogits(model: SequenceModel, vectors: PackedSequence): Matrix {
  const { training } = model
  model.eval()
  try {
    return model.logits(vectors)
  } finally {
    model.train(training)
  }
}

/** Parameters are no part of what is asked: their gradients, which may be those of a training step, stay as they are. */
function backwardToVectors(model: Module, logits: Matrix, dLogits: Float32Array): void {
  const parameters = model.parameters().filter(({ requiresGrad }) => requiresGrad)
  const seed = tensor(dLogits, logits.shape, { device: logits.device })
  for (const parameter of parameters) parameter.requiresGrad = false
  try {
    logits.backward(seed)
  } finally {
    for (const parameter of parameters) parameter.requiresGrad = true
  }
}

/** The 2-norm of each row, summed in float64. */
function rowNorms(values: Float32Array, rows: number): Float32Array {
  const columns = rows === 0 ? 0 : values.length / rows
  return Float32Array.from({ length: rows }, (_, r) => {
    let sum = 0
    for (let i = r * columns; i < (r + 1) * columns; i++) sum += values[i]! ** 2
    return Math.sqrt(sum)
  })
}
