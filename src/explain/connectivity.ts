import { noGrad } from '../autograd.js'
import { checkInstance, checkInteger, checkOptions, type OptionNames } from '../check.js'
import { type Embedding, Module } from '../nn/index.js'
import { packedRows } from '../ops/rows.js'
import { PackedIds, PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { argmaxRows, softmaxRows } from '../tasks/rows.js'
import { type Matrix, tensor } from '../tensor.js'
import { batchOrder } from '../text/order.js'

/** A model that reads the ids of a text and predicts a class, such as a category or the next token. */
export interface SequenceModel extends Module {
  /** The embedding of the ids. */
  readonly embedding: Embedding
  /** Returns the logits [B, C] of B texts from their vectors. */
  logits(vectors: PackedSequence): Matrix
}

/** A model's prediction after the last token of a text, and how much it depends on each token. */
export interface Connectivity {
  /** k, the class with the largest logit; the first one if logits are equal. */
  predicted: number
  /** The probability of each class, [C]. */
  probabilities: Float32Array
  /** ‖∂ logit_k / ∂ x_t‖₂ for the vector x_t of each token, [T]: how much a small change of the vector changes the logit. */
  strengths: Float32Array
}

/** Options of `connectivity` and `connectivities`. */
export interface ConnectivityOptions {
  /**
   * The maximum number of tokens per batch, which limits the memory; default 16,384. A longer text is a batch by itself. The
   * result's bits do not depend on it.
   */
  maxTokens?: number
  /** Stops before the next batch; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

/** Also used by `readingOf`, which passes the options on. */
export const optionNames: OptionNames<ConnectivityOptions> = { maxTokens: true, signal: true }

const MAX_TOKENS = 16_384

/** The maximum number of texts per batch. Only batches of very short texts reach it. */
const BATCH_SIZE = 1024

/**
 * Returns a model's prediction after a token, and how much it depends on each token up to there: the connectivity of Madsen,
 * "Visualizing memorization in RNNs", Distill 2019. The prediction is computed for the text that ends at the position.
 * So it has the same meaning for models that predict after each token and for models that read whole texts, in one
 * direction or both.
 *
 * @param ids the ids of the text, each from 0 to V - 1
 * @param position the index of the token after which the model predicts, from 0
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE for a position outside the text; otherwise as `connectivities`.
 * @example
 * ```ts
 * import { connectivity } from 'packed-rnn/explain'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const layers = presets['lstm64-adam']
 * const model = new Classifier({ preset: layers, vocabularySize: 20, classes: 2, embeddingDim: 8 })
 * const { probabilities, strengths } = await connectivity(model, [4, 7, 2, 9], 2)
 * console.log(probabilities.length, strengths.length) // 2 3
 * ```
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

/**
 * Returns the texts that end at each position of a text. With them, `connectivities` computes all predictions of the text.
 * @example
 * ```ts
 * import { prefixes } from 'packed-rnn/explain'
 *
 * console.log(prefixes(Int32Array.of(4, 7, 2)).map(ids => [...ids])) // [[4], [4, 7], [4, 7, 2]]
 * ```
 */
export function prefixes(ids: Int32Array): Int32Array[] {
  return Array.from(ids, (_, position) => ids.subarray(0, position + 1))
}

/**
 * Returns the connectivity at the end of each text, in evaluation mode. The model's mode and gradients are restored before
 * other code can run. Each text has the same bits in any batch.
 *
 * @param texts ids, each from 0 to V - 1; a text may be empty
 * @returns one result per text, in order
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE for an invalid id; ERR_INVALID_ARGUMENT if `model` is not a module, for
 * `maxTokens` below 1 or an unknown option; ERR_MODIFIED if a step changed the model meanwhile; ERR_DISPOSED; or the device's
 * error. Rejects with the signal's reason when it aborts.
 * @example
 * ```ts
 * import { connectivities, prefixes } from 'packed-rnn/explain'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const layers = presets['lstm64-adam']
 * const model = new Classifier({ preset: layers, vocabularySize: 20, classes: 2, embeddingDim: 8 })
 * const found = await connectivities(model, prefixes(Int32Array.of(4, 7, 2, 9)))
 * console.log(found.map(({ strengths }) => strengths.length)) // [1, 2, 3, 4]
 * ```
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
  // One row per token, not per distinct word, because each token has its own gradient.
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

/** Computes the gradient of the vectors only. The parameters keep their gradients, which may belong to a training step. */
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
