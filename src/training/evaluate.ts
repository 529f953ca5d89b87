import { noGrad } from '../autograd.js'
import { checkInstance, checkOptions } from '../check.js'
import { crossEntropy } from '../ops/loss.js'
import type { PackedIds } from '../packed.js'
import { scope } from '../scope.js'
import type { Matrix } from '../tensor.js'
import { Batches, type LabelledDocuments } from '../text/batches.js'
import { Classifier } from './classifier.js'
import type { Mistake } from './record.js'

/** What `evaluate` finds. */
export interface Evaluation {
  /** Mean cross entropy over the documents. */
  loss: number
  /** The most probable category of each document [N]; the first of equals. */
  predicted: Int32Array
  /** [N, classes] */
  probabilities: Float32Array
}

/**
 * Loss and predictions over documents, without a tape and in evaluation mode. Whenever something else runs, the model's mode is as
 * before, and so is the next mask that its dropout draws.
 *
 * @param options `batchSize`: documents at once, default 32; `dropout`: leaves dropout on, as the notebook does.
 * @throws PackedRnnError (rejects) ERR_EMPTY, ERR_SHAPE, ERR_OUT_OF_RANGE for data that does not fit, ERR_INVALID_ARGUMENT for
 * what is no model or batch size or an unknown option, ERR_DISPOSED, or with the device's failure; the signal's reason when
 * that aborts.
 */
export async function evaluate(
  model: Classifier,
  data: LabelledDocuments,
  options: { batchSize?: number; signal?: AbortSignal; dropout?: boolean } = {},
): Promise<Evaluation> {
  checkOptions('evaluate', options, { batchSize: true, signal: true, dropout: true })
  const { batchSize = 32, signal, dropout = false } = options
  checkInstance('evaluate', 'model', model, Classifier)
  const forward = forwardIn(model, dropout)
  const parts: { loss: number; logits: Float32Array; documents: number }[] = []
  for (const { ids, labels } of new Batches(data, { batchSize }).epoch(0)) {
    signal?.throwIfAborted()
    const part = await scope(() =>
      noGrad(async () => {
        const logits = forward(ids)
        const loss = crossEntropy(logits, labels)
        return { loss: await loss.item(), logits: await logits.toArray(), documents: labels.length }
      }),
    )
    parts.push(part)
  }
  const documents = data.documents.length
  const loss = parts.reduce((sum, part) => sum + part.loss * part.documents, 0) / documents
  const probabilities = Float32Array.from(parts.flatMap(part => softmaxRows(part.logits, part.documents)))
  return { loss, predicted: argmaxRows(probabilities, documents), probabilities }
}

/** A model's `forward` with masks of its own; its mode and the next mask of the training are as before after each call. */
function forwardIn(model: Classifier, dropout: boolean): (ids: PackedIds) => Matrix {
  const { masks } = model.lstm
  let own = masks.step
  return ids => {
    const { training } = model
    const { step } = masks
    model.train(dropout)
    masks.step = own
    try {
      return model.forward(ids)
    } finally {
      own = masks.step
      masks.step = step
      model.train(training)
    }
  }
}

const MOST_MISTAKES = 10

/** The predictions that are wrong and of the largest probability. */
export function surestMistakes(
  { predicted, probabilities }: Evaluation,
  truth: Int32Array,
  classes: readonly string[],
  documents: readonly { text: string }[],
): Mistake[] {
  const mistakes = Array.from(
    predicted,
    (category, document): Mistake => ({
      document,
      text: documents[document]!.text,
      truth: classes[truth[document]!]!,
      predicted: classes[category]!,
      probability: probabilities[document * classes.length + category]!,
    }),
  ).filter(mistake => mistake.predicted !== mistake.truth)
  return mistakes.sort((a, b) => b.probability - a.probability).slice(0, MOST_MISTAKES)
}

/** Probabilities of each row of logits. @internal */
export function softmaxRows(logits: Float32Array, rows: number): number[] {
  const classes = logits.length / rows
  const result: number[] = []
  for (let r = 0; r < rows; r++) {
    const row = logits.subarray(r * classes, (r + 1) * classes)
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity)
    const powers = Array.from(row, z => Math.exp(z - largest))
    const total = powers.reduce((a, b) => a + b, 0)
    for (const power of powers) result.push(power / total)
  }
  return result
}

/** The place of each row's largest number, the first of equals; 0 where one is NaN. @internal */
export function argmaxRows(values: Float32Array, rows: number): Int32Array {
  const columns = values.length / rows
  return Int32Array.from({ length: rows }, (_, r) => {
    const row = values.subarray(r * columns, (r + 1) * columns)
    return Math.max(0, row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity)))
  })
}

/** How many predictions are right. */
export function countRight(predicted: Int32Array, labels: Int32Array): number {
  return predicted.reduce((sum, category, i) => sum + (category === labels[i] ? 1 : 0), 0)
}
