import { checkInstance, checkOptions, checkWord, type OptionNames } from '../check.js'
import { Module } from '../nn/index.js'
import { crossEntropy, crossEntropyForward } from '../ops/loss.js'
import { PackedIds } from '../packed.js'
import { type Matrix, type Scalar, type Tensor, tensor } from '../tensor.js'
import type { Batch, LabelledDocuments } from '../text/batches.js'
import { DataLoader, type DataLoaderOptions } from '../training/loader.js'
import type { StepResult, Sums, Task } from '../training/task.js'
import { argmaxRows, countRight, softmaxRows } from './rows.js'

/** A model that reads documents and has a row of logits for each. */
export interface DocumentModel extends Module {
  /** Logits [B, classes]. */
  forward(ids: PackedIds): Matrix
}

/** A document's category. */
export interface Category {
  /** Its number; the first of equals. */
  predicted: number
  /** Of each category [classes]. */
  probabilities: Float32Array
}

/** Variants of the task; the defaults are the usual one. */
export interface ClassificationOptions {
  /** Whether a step's gradient is the mean over its documents (the default), or their sum. */
  reduction?: 'mean' | 'sum'
  /** Whether a reported loss is the mean over documents (the default), or the mean of the batches' means. */
  weighsDocuments?: boolean
  /** Whether dropout stays on in evaluation; default false. */
  dropsInEvaluation?: boolean
}

const names: OptionNames<ClassificationOptions> = {
  reduction: true,
  weighsDocuments: true,
  dropsInEvaluation: true,
}

/**
 * A category for each document: softmax cross entropy, loss and accuracy.
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

  /** @throws PackedRnnError ERR_INVALID_ARGUMENT for what is not a module, an unknown reduction or an unknown option. */
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

/** The mean of a sum over documents, rounded once: dividing the rounded sum is that only for powers of two. */
function meanOf(sum: Scalar, logits: Matrix, labels: Tensor<'int32', 1>): Promise<number> {
  const { size } = labels
  if (Number.isInteger(Math.log2(size))) return sum.item().then(value => value / size)
  return crossEntropyForward(logits, labels, { train: false }).loss.item()
}

/** A document's ids, with the number of its category. */
export interface LabelledDocument {
  ids: Int32Array
  label: number
}

/**
 * Batches of documents for `Classification`.
 *
 * @param options as of `DataLoader`.
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

/** Documents as one batch. @throws PackedRnnError ERR_INVALID_ARGUMENT for ids that are not. */
function batchOf(items: readonly LabelledDocument[]): Batch {
  return {
    ids: new PackedIds(items.map(({ ids }) => ids)),
    labels: Int32Array.from(items, ({ label }) => label),
  }
}
