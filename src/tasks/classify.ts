import { noGrad } from '../autograd.js'
import { checkOptions } from '../check.js'
import { crossEntropy } from '../ops/loss.js'
import { scope } from '../scope.js'
import { Batches, type LabelledDocuments } from '../text/batches.js'
import { Inference } from '../training/modules.js'
import type { DocumentModel } from './classification.js'
import type { Mistake } from './classificationResults.js'
import { argmaxRows, softmaxRows } from './rows.js'

/** The result of `classify`. */
export interface Evaluation {
  /** The mean cross entropy over the documents. */
  loss: number
  /** The most probable category of each document [N]; the first one of equals. */
  predicted: Int32Array
  /** The probability of each category for each document, [N, classes]. */
  probabilities: Float32Array
}

/** Options of `classify`. */
export interface ClassifyOptions {
  /** The number of documents in a batch; default 32. */
  batchSize?: number
  /** Stops before the next batch. */
  signal?: AbortSignal
  /** Whether dropout is on, as in the course notebook; default false. */
  dropout?: boolean
}

/**
 * Computes the loss and the predictions over documents, without a tape and in evaluation mode. It does not change the model: after
 * each batch, its mode and its dropout counters are restored.
 *
 * @param op the name of the call, for messages.
 * @throws PackedRnnError (rejects) ERR_EMPTY, ERR_SHAPE or ERR_OUT_OF_RANGE if the data does not fit; ERR_INVALID_ARGUMENT if the
 * batch size is invalid or an option is unknown; ERR_DISPOSED; errors of the device; the signal's reason if it aborts.
 *
 * @example
 * ```ts
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { classify } from 'packed-rnn/tasks'
 *
 * const preset = { ...presets['lstm64-adam'], hiddenSize: 4 }
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const data = { documents: [Int32Array.of(2, 3), Int32Array.of(4)], labels: Int32Array.of(0, 1) }
 * const { predicted, probabilities } = await classify(model, data)
 * console.log(predicted.length, probabilities.length) // 2 4
 * ```
 */
export async function classify(
  model: DocumentModel,
  data: LabelledDocuments,
  options: ClassifyOptions = {},
  op = 'classify',
): Promise<Evaluation> {
  checkOptions(op, options, { batchSize: true, signal: true, dropout: true })
  const { batchSize = 32, signal, dropout = false } = options
  const inference = new Inference(model, dropout)
  const parts: { loss: number; logits: Float32Array; documents: number }[] = []
  for (const { ids, labels } of new Batches(data, { batchSize }).epoch(0)) {
    signal?.throwIfAborted()
    const part = await scope(() =>
      noGrad(async () => {
        const logits = inference.run(() => model.forward(ids))
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

const MOST_MISTAKES = 10

/** Returns the wrong predictions with the largest probabilities. */
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
