import { checkInstance, checkNumber, checkOptions, checkWord, type OptionNames } from '../check.js'
import { LanguageModel, type LanguageModelState } from '../models/languageModel.js'
import { LstmState } from '../nn/index.js'
import { add, mul, sub } from '../ops/elementwise.js'
import { cat, narrow } from '../ops/join.js'
import { linearCrossEntropy } from '../ops/linearLoss.js'
import { crossEntropy } from '../ops/loss.js'
import { mean } from '../ops/reduce.js'
import { reshape } from '../ops/shape.js'
import type { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import type { Float, Matrix, Scalar } from '../tensor.js'
import type { StepResult, Sums, Task } from '../training/task.js'
import type { Window } from './streams.js'

/** Variants of the task. */
export interface LanguageModelingOptions {
  /**
   * Whether a step's gradient is a mean over tokens (the default), or a sum over the tokens of a stream and a mean over streams, as of
   * Zaremba et al. (2014).
   */
  reduction?: 'tokens' | 'streams'
  /**
   * A penalty in training alone (Merity, McCann and Socher 2017): α of the mean of the squares of the last layer's states, after
   * dropout; default 0.
   */
  activation?: number
  /** Another one: β of the mean of the squares of their differences from token to token, before dropout; default 0. */
  temporal?: number
}

const names: OptionNames<LanguageModelingOptions> = { reduction: true, activation: true, temporal: true }

/** Where each stream continues: h and c of each layer. */
export type LanguageCarry = readonly { h: LstmState['h']; c: LstmState['c'] }[]

/**
 * The next token of parallel streams: cross entropy, perplexity and bits for each token. The state is kept from window to window,
 * without its history (truncated back-propagation through time).
 *
 * @example
 * ```ts
 * import { LanguageModel } from 'packed-rnn/models'
 * import { LanguageModeling, StreamLoader } from 'packed-rnn/tasks'
 * import { evaluate } from 'packed-rnn/training'
 *
 * const model = new LanguageModel({ vocabularySize: 5, embeddingDim: 4, hiddenSize: 8 })
 * const loader = new StreamLoader([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], { batchSize: 2, window: 2 })
 * const { metrics } = await evaluate(new LanguageModeling(model), loader)
 * console.log(Object.keys(metrics)) // ['loss', 'perplexity', 'bits']
 * ```
 */
export class LanguageModeling implements Task<Window, LanguageCarry, Float32Array> {
  readonly model: LanguageModel
  readonly #reduction: 'tokens' | 'streams'
  readonly #activation: number
  readonly #temporal: number

  /** @throws PackedRnnError ERR_INVALID_ARGUMENT for another model or an unknown option; ERR_OUT_OF_RANGE for a penalty below 0. */
  constructor(model: LanguageModel, options: LanguageModelingOptions = {}) {
    const op = 'LanguageModeling'
    checkInstance(op, 'model', model, LanguageModel)
    checkOptions(op, options, names)
    const { reduction = 'tokens', activation = 0, temporal = 0 } = options
    checkWord(op, 'reduction', reduction, ['tokens', 'streams'])
    checkNumber(op, 'activation', activation, 0)
    checkNumber(op, 'temporal', temporal, 0)
    this.model = model
    this.#reduction = reduction
    this.#activation = activation
    this.#temporal = temporal
  }

  /** Tokens, or streams. */
  weight({ ids, next }: Window): number {
    return this.#reduction === 'tokens' ? next.length : ids.sequences.batchSize
  }

  /** The relative length of the window, if lengths are random. */
  rate({ scale }: Window): number {
    return scale
  }

  step({ ids, next }: Window, carry: LanguageCarry | null): StepResult<LanguageCarry> {
    const { model } = this
    const found = model.forward(ids, stateOf(carry))
    const { weight, bias } = model.output
    const loss = linearCrossEntropy(found.features.data, weight, bias, next, { reduction: 'sum' })
    const penalty = model.training ? this.#penalty(found.features, found.undropped) : null
    return {
      loss: penalty === null ? loss : add(loss, mul(penalty, next.length)),
      sums: { loss: loss.detach(), tokens: next.length },
      carry: found.state.map(({ h, c }) => ({ h, c })),
    }
  }

  /** A mean, as the loss of a token. */
  #penalty(dropped: PackedSequence, { data, sequences, width }: PackedSequence): Scalar | null {
    const penalties: Scalar[] = []
    if (this.#activation > 0) penalties.push(mul(mean(mul(dropped.data, dropped.data)), this.#activation))
    const steps = sequences.longest()
    if (this.#temporal > 0 && steps > 1) {
      const states = reshape(data, [sequences.batchSize, steps, width])
      const change = sub(narrow(states, 1, 1, steps - 1), narrow(states, 1, 0, steps - 1))
      penalties.push(mul(mean(mul(change, change)), this.#temporal))
    }
    return penalties.length === 0 ? null : penalties.reduce((sum, each) => add(sum, each))
  }

  metrics({ loss, tokens = 0 }: Sums): Record<string, number> {
    const nats = loss / tokens
    return { loss: nats, perplexity: Math.exp(nats), bits: nats / Math.LN2 }
  }

  /** For each stream of a window that begins a text, −log p of its next tokens, in nats. */
  async predict({ ids, next }: Window): Promise<Float32Array[]> {
    const losses = scope(() => {
      const { features } = this.model.forward(ids)
      return lossesOf(this.model, features.data, next)
    })
    const all = await losses.toArray()
    losses.dispose()
    const length = all.length / ids.sequences.batchSize
    return Array.from({ length: ids.sequences.batchSize }, (_, b) => all.slice(b * length, (b + 1) * length))
  }
}

function stateOf(carry: LanguageCarry | null): LanguageModelState | null {
  return carry === null ? null : carry.map(({ h, c }) => new LstmState(h, c))
}

/** Logits that are in memory at the same time. */
const MOST_LOGITS = 2 ** 23

/** Returns −log p of the next tokens [N], some rows at a time, so that not all logits are in memory. @internal */
export function lossesOf(model: LanguageModel, features: Matrix, next: Int32Array): Float {
  const rows = Math.max(1, Math.floor(MOST_LOGITS / model.embedding.weight.shape[0]))
  const parts: Float[] = []
  for (let at = 0; at < next.length; at += rows) {
    const count = Math.min(rows, next.length - at)
    const part = scope(() => {
      const logits = model.logits(narrow(features, 0, at, count))
      return crossEntropy(logits, next.subarray(at, at + count), { reduction: 'none' })
    })
    parts.push(part)
  }
  return cat(parts)
}
