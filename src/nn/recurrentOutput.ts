import { concatColumns } from '../ops/columns.js'
import { lastHidden, lastOutput, maxPool, meanPool } from '../ops/pooling.js'
import type { PackedSequence } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'
import { LstmState, RecurrentState } from './recurrentState.js'
import { batchedStates, type SequenceBatch, withPacked } from './sequenceBatch.js'

/** The layout of an output. @internal */
export interface OutputForm {
  directions: 1 | 2
  batchFirst: boolean
}

/** Its protected constructor keeps subclasses from being constructed by users: the published types omit internal constructors. */
abstract class Result {
  protected constructor() {}
}

/**
 * The result of a recurrent module. `output` has the form O of the input. The methods reduce it to one row per sequence, [B, C];
 * B is 1 for a single sequence. The final state of an empty sequence is its initial state; its pooled rows are zeros.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const gru = new nn.GRU({ inputSize: 1, hiddenSize: 3, bidirectional: true })
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const states = gru.forward(x)
 * console.log(states.lastHidden().shape, states.maxPool().shape, states.concatPool().shape) // [2, 6] [2, 6] [2, 18]
 * ```
 */
export class RecurrentOutput<O extends SequenceBatch = PackedSequence, R extends 2 | 3 = 3> extends Result {
  /** The hidden state after each token: D·R numbers, the forward direction first. */
  readonly output: O
  /** The final hidden states: [L·D, B, R], or [L·D, R] for a single sequence. Row layer · D + direction. */
  readonly hN: Tensor<'float32', R>
  readonly #form: OutputForm

  /** @internal */
  constructor({ output, hN }: { output: O; hN: Tensor<'float32', R> }, form: OutputForm) {
    super()
    this.output = output
    this.hN = hN
    this.#form = form
  }

  /** The final states, to pass to the next call. */
  get state(): RecurrentState<R> {
    return new RecurrentState(this.hN)
  }

  /** Returns the final hidden states of the last layer, [B, D·R], the directions side by side. */
  lastHidden(): Matrix {
    using states = batchedStates(this.hN)
    return lastHidden(states, this.#form.directions)
  }

  /**
   * Returns the output at each sequence's last token, [B, D·R]. Its reverse half has read only that token; use `lastHidden` for
   * the final states of both directions.
   */
  lastOutput(): Matrix {
    return this.#pool(lastOutput)
  }

  /** Returns the maximum of each column over the tokens of a sequence, [B, D·R]. */
  maxPool(): Matrix {
    return this.#pool(maxPool)
  }

  /** Returns the mean of each column over the tokens of a sequence, [B, D·R]. */
  meanPool(): Matrix {
    return this.#pool(meanPool)
  }

  /** Returns `lastHidden`, `maxPool` and `meanPool` side by side, [B, 3·D·R] (ULMFiT, Howard and Ruder 2018). */
  concatPool(): Matrix {
    using last = this.lastHidden()
    using largest = this.maxPool()
    using mean = this.meanPool()
    return concatColumns(last, largest, mean)
  }

  #pool(pool: (output: PackedSequence) => Matrix): Matrix {
    return withPacked(this.output, this.#form.batchFirst, pool)
  }
}

/**
 * The result of an `LSTM`: a `RecurrentOutput` with cell states.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const lstm = new nn.LSTM({ inputSize: 1, hiddenSize: 3, numLayers: 2 })
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const states = lstm.forward(x)
 * console.log(states.cN.shape, states.lastHidden().shape) // [2, 2, 3] [2, 3]
 * ```
 */
export class LstmOutput<
  O extends SequenceBatch = PackedSequence,
  R extends 2 | 3 = 3,
> extends RecurrentOutput<O, R> {
  /** The final cell states: [L·D, B, H], or [L·D, H] for a single sequence. */
  readonly cN: Tensor<'float32', R>

  /** @internal */
  constructor(result: { output: O; hN: Tensor<'float32', R>; cN: Tensor<'float32', R> }, form: OutputForm) {
    super(result, form)
    this.cN = result.cN
  }

  /** The final states, to pass to the next call. */
  override get state(): LstmState<R> {
    return new LstmState(this.hN, this.cN)
  }
}
