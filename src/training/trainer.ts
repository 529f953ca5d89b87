import { noGrad } from '../autograd.js'
import { checkInteger } from '../check.js'
import { crossEntropy } from '../ops/loss.js'
import { Adam, clipGradNorm, SGD } from '../optim/index.js'
import { scope, type Tensor } from '../tensor.js'
import { type Batch, Batches, type BatchesOptions, type LabelledDocuments } from '../text/batches.js'
import type { Classifier } from './classifier.js'
import type { Preset } from './presets.js'
import type { TrainingProgress } from './progress.js'

export type TrainingOptions = Pick<Preset, 'optimizer' | 'clip' | 'batchSize'>

/** How the documents are put into batches, besides their size, and how often. */
export interface FitOptions extends Omit<BatchesOptions, 'batchSize'> {
  epochs: number
  /** Ends the run before the next step; the iterator then throws the signal's reason. */
  signal?: AbortSignal
}

export interface Evaluation {
  /** Mean cross entropy over the documents. */
  loss: number
  /** [N]: the most probable category; the first of equals. */
  predicted: Int32Array
  /** [N, classes] */
  probabilities: Float32Array
}

/** Steps whose losses are not awaited yet: enough to keep the device busy, few enough to keep its queue short. */
const STEPS_AHEAD = 3

/** The batched training loop: forward, backward, clip the LSTM's gradients, step. */
export class Trainer {
  readonly model: Classifier
  readonly optimizer: Adam | SGD
  readonly #options: TrainingOptions

  constructor(model: Classifier, options: TrainingOptions) {
    const { optimizer } = options
    this.model = model
    this.#options = options
    this.optimizer =
      optimizer.kind === 'sgd'
        ? new SGD(model.parameters(), { lr: optimizer.lr, momentum: optimizer.momentum })
        : new Adam(model.parameters(), { lr: optimizer.lr })
  }

  /**
   * Trains, and tells after each step how far it is. Between steps the event loop is free.
   *
   * @throws PackedRnnError of the data or of a device that failed; the signal's reason when it is aborted.
   */
  async *fit(data: LabelledDocuments, options: FitOptions): AsyncGenerator<TrainingProgress, void, void> {
    const { epochs, signal, ...order } = options
    checkInteger('fit', 'epochs', epochs, 1)
    const batches = new Batches(data, { ...order, batchSize: this.#options.batchSize })
    const start = performance.now()
    let tokens = 0
    this.model.train()
    for (let epoch = 0; epoch < epochs; epoch++) {
      const current = batches.epoch(epoch)
      const tokensBefore = tokens
      let lossSum = 0
      let documents = 0
      let step = 0
      const pending: { loss: Promise<number>; batch: Batch }[] = []
      const finished = async (): Promise<TrainingProgress> => {
        const { loss, batch } = pending.shift()!
        const size = batch.labels.length
        const stepLoss = await loss
        lossSum += stepLoss * size
        documents += size
        tokens += batch.ids.sequences.rows
        step++
        const elapsedSeconds = (performance.now() - start) / 1000
        // The epochs to come are taken to be as long as this one.
        const remainingTokens = tokensBefore + (epochs - epoch) * current.tokens - tokens
        return {
          epoch: epoch + 1,
          epochs,
          step,
          steps: current.steps,
          stepLoss,
          loss: lossSum / documents,
          tokens,
          tokensPerSecond: tokens / elapsedSeconds,
          elapsedSeconds,
          remainingSeconds: (remainingTokens * elapsedSeconds) / tokens,
        }
      }
      for (const batch of current) {
        signal?.throwIfAborted()
        const loss = this.step(batch)
        pending.push({ loss: loss.item(), batch })
        loss.dispose()
        if (pending.length > STEPS_AHEAD) yield await finished()
      }
      while (pending.length > 0) {
        signal?.throwIfAborted()
        yield await finished()
      }
    }
  }

  /** One step on a batch; the batch's mean loss before it. */
  step({ ids, labels }: Batch): Tensor<'float32', 0> {
    return scope(() => {
      const loss = crossEntropy(this.model.forward(ids), labels)
      loss.backward()
      clipGradNorm(this.model.lstm.parameters(), this.#options.clip)
      this.optimizer.step()
      this.optimizer.zeroGrad()
      return loss
    })
  }
}

/** Loss and predictions over documents, in evaluation mode and without a tape. The model's mode is as before after. */
export async function evaluate(
  model: Classifier,
  data: LabelledDocuments,
  options: { batchSize?: number; signal?: AbortSignal } = {},
): Promise<Evaluation> {
  const { batchSize = 32, signal } = options
  const { training } = model
  model.eval()
  try {
    const parts: { loss: number; logits: Float32Array; documents: number }[] = []
    for (const { ids, labels } of new Batches(data, { batchSize }).epoch(0)) {
      signal?.throwIfAborted()
      const part = await scope(() =>
        noGrad(async () => {
          const logits = model.forward(ids)
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
  } finally {
    model.train(training)
  }
}

function softmaxRows(logits: Float32Array, rows: number): number[] {
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

function argmaxRows(values: Float32Array, rows: number): Int32Array {
  const columns = values.length / rows
  return Int32Array.from({ length: rows }, (_, r) => {
    const row = values.subarray(r * columns, (r + 1) * columns)
    return row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity))
  })
}
