import { checkInstance, checkOptions, checkWord, type OptionNames } from '../check.js'
import { Module } from '../nn/index.js'
import { crossEntropy, crossEntropyForward } from '../ops/loss.js'
import { PackedIds } from '../packed.js'
import { type Matrix, type Scalar, type Tensor, tensor } from '../tensor.js'
import type { Batch, LabelledDocuments } from '../text/batches.js'
import { DataLoader, type DataLoaderOptions } from '../training/loader.js'
import type { StepResult, Sums, Task } from '../training/task.js'
import { argmaxRows, countRight, softmaxRows } from './rows.js'

/** A model that computes a row of logits for each document. */
export interface DocumentModel extends Module {
  /** Returns logits [B, classes]. */
  forward(ids: PackedIds): Matrix
}

/** The predicted category of a document. */
export interface Category {
  /** The number of the most probable category; the first one of equals. */
  predicted: number
  /** The probability of each category [classes]. */
  probabilities: Float32Array
}

/** Options of `Classification`. */
export interface ClassificationOptions {
  /** Whether a step's gradient is the mean over its documents (the default) or the sum. */
  reduction?: 'mean' | 'sum'
  /** Whether a reported loss is the mean over documents (the default) or the mean of the batches' means. */
  weighsDocuments?: boolean
  /** Whether dropout is on in evaluation; default false. */
  dropsInEvaluation?: boolean
}

const names: OptionNames<ClassificationOptions> = {
  reduction: true,
  weighsDocuments: true,
  dropsInEvaluation: true,
}

/**
 * The task of predicting one category for each document. It minimises the softmax cross entropy and reports loss and accuracy.
 *
 * @example
 * ```ts
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { Classification, documentLoader } from 'packed-rnn/tasks'
 * import { evaluate } from 'packed-rnn/training'
 *
 * const preset = { ...presets['lstm64-adam'], hiddenSize: 4 }
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const data = { documents: [Int32Array.of(2, 3), Int32Array.of(4)], labels: Int32Array.of(0, 1) }
 * const task = new Classification(model)
 * const { metrics } = await evaluate(task, documentLoader(data, { batchSize: 2 }))
 * console.log(Object.keys(metrics)) // ['loss', 'accuracy']
 * ```
 */
export class Classification implements Task<Batch, null, Category> {
  readonly model: DocumentModel
  readonly dropsInEvaluation: boolean
  readonly #reduction: 'mean' | 'sum'
  readonly #weighsDocuments: boolean

  /** @throws PackedRnnError ERR_INVALID_ARGUMENT if the model is not a module, or the reduction or an option is unknown. */
  constructor(model: DocumentModel, options: ClassificationOptions = {}) {
    checkInstance('Classification', 'model', model, Module)
    checkOptions('Classification', options, names)
    const { reduction = 'mean', weighsDocuments = true, dropsInEvaluation = false } = options
    checkWord('Classification', 'reduction', reduction, ['mean', 'sum'])
    this.model = model
    this.#reduction = reduction
    this.#weighsDocuments = weighsDocuments
    this.dropsInEvaluation = dropsInEvaluation
  }

  /** Documents; 1 for a variant that divides by none, or by those of each batch. */
  weight({ labels }: Batch): number {
    return this.#dividesByDocuments ? labels.length : 1
  }

  get #dividesByDocuments(): boolean {
    return this.#reduction === 'mean' && this.#weighsDocuments
  }

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for an id or a label outside, ERR_SHAPE, ERR_DISPOSED. */
  step({ ids, labels }: Batch): StepResult<null> {
    const logits = this.model.forward(ids)
    const truth = tensor(labels, [labels.length], { device: logits.device })
    const reduction = this.#dividesByDocuments ? 'sum' : this.#reduction
    const loss = crossEntropy(logits, truth, { reduction })
    const mean = this.#dividesByDocuments
      ? meanOf(loss, logits, truth)
      : loss.item().then(value => (reduction === 'sum' ? value / labels.length : value))
    const sums = {
      loss: mean.then(value => (this.#weighsDocuments ? value * labels.length : value)),
      right: logits.toArray().then(rows => countRight(argmaxRows(rows, labels.length), labels)),
      documents: labels.length,
    }
    return { loss, sums, carry: null }
  }

  metrics({ loss, weight, right = Number.NaN, documents = Number.NaN }: Sums): Record<string, number> {
    return { loss: loss / (this.#weighsDocuments ? documents : weight), accuracy: right / documents }
  }

  async predict({ ids, labels }: Batch): Promise<Category[]> {
    const rows = labels.length
    const probabilities = Float32Array.from(softmaxRows(await this.model.forward(ids).toArray(), rows))
    const columns = probabilities.length / rows
    return Array.from(argmaxRows(probabilities, rows), (predicted, i) => {
      return { predicted, probabilities: probabilities.subarray(i * columns, (i + 1) * columns) }
    })
  }
}

/** Computes a mean that is rounded once. Dividing the rounded sum has that result only if the divisor is a power of two. */
function meanOf(sum: Scalar, logits: Matrix, labels: Tensor<'int32', 1>): Promise<number> {
  const { size } = labels
  if (Number.isInteger(Math.log2(size))) return sum.item().then(value => value / size)
  return crossEntropyForward(logits, labels, { train: false }).loss.item()
}

/** The ids of a document and the number of its category. */
export interface LabelledDocument {
  ids: Int32Array
  label: number
}

/**
 * Returns a loader of documents for `Classification`.
 *
 * @param options see `DataLoader`.
 * @throws PackedRnnError as `DataLoader`.
 *
 * @example
 * ```ts
 * import { documentLoader } from 'packed-rnn/tasks'
 *
 * const data = { documents: [Int32Array.of(2, 3), Int32Array.of(4)], labels: Int32Array.of(0, 1) }
 * const loader = documentLoader(data, { batchSize: 2 })
 * console.log(loader.epoch(0).batches, loader.epoch(0).tokens) // 1 3
 * ```
 */
export function documentLoader(
  { documents, labels }: LabelledDocuments,
  options: Omit<DataLoaderOptions<LabelledDocument, Batch>, 'collate' | 'lengthOf'>,
): DataLoader<LabelledDocument, Batch> {
  const items = documents.map((ids, i) => ({ ids, label: labels[i]! }))
  return new DataLoader(items, { ...options, collate: batchOf, lengthOf: ({ ids }) => ids.length })
}

/** Packs documents into a batch. @throws PackedRnnError ERR_INVALID_ARGUMENT if an id is invalid. */
function batchOf(items: readonly LabelledDocument[]): Batch {
  return {
    ids: new PackedIds(items.map(({ ids }) => ids)),
    labels: Int32Array.from(items, ({ label }) => label),
  }
}
