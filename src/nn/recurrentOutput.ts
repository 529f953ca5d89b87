import { concatColumns } from '../ops/columns.js'
import { lastHidden, lastOutput, maxPool, meanPool } from '../ops/pooling.js'
import type { PackedSequence } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'
import { LstmState, RecurrentState } from './recurrentState.js'
import { batchedStates, type SequenceBatch, withPacked } from './sequenceBatch.js'

/** How the numbers of an output lie. @internal */
export interface OutputForm {
  directions: 1 | 2
  batchFirst: boolean
}

/**
 * The result of a recurrent module, in the form O of its input, with methods that reduce it to one vector for each sequence:
 * [B, C], where B is 1 for one sequence alone. An empty sequence keeps its initial state; everything else of it is zeros.
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
export class RecurrentOutput<O extends SequenceBatch = PackedSequence, R extends 2 | 3 = 3> {
  /** The hidden state after each token: D·R numbers, forward direction first. */
  readonly output: O
  /** The hidden states after each sequence, [L·D, B, R] or [L·D, R], row layer · D + direction. */
  readonly hN: Tensor<'float32', R>
  readonly #form: OutputForm

  /** @internal */
  constructor({ output, hN }: { output: O; hN: Tensor<'float32', R> }, form: OutputForm) {
    this.output = output
    this.hN = hN
    this.#form = form
  }

  /** The state after each sequence, for the next call. */
  get state(): RecurrentState<R> {
    return new RecurrentState(this.hN)
  }

  /** The final states of the last layer, both directions side by side: [B, D·R]. */
  lastHidden(): Matrix {
    using states = batchedStates(this.hN)
    return lastHidden(states, this.#form.directions)
  }

  /** The output at each sequence's last token, [B, D·R]; its reverse half has seen that token only. */
  lastOutput(): Matrix {
    return this.#pool(lastOutput)
  }

  /** The largest number of each column over a sequence's tokens: [B, D·R]. */
  maxPool(): Matrix {
    return this.#pool(maxPool)
  }

  /** The mean over a sequence's tokens: [B, D·R]. */
  meanPool(): Matrix {
    return this.#pool(meanPool)
  }

  /** Last hidden state, maximum and mean side by side, [B, 3·D·R] (Howard and Ruder 2018, ULMFiT). */
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
 * The result of an LSTM.
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
  /** The cell states after each sequence, [L·D, B, H] or [L·D, H]. */
  readonly cN: Tensor<'float32', R>

  /** @internal */
  constructor(result: { output: O; hN: Tensor<'float32', R>; cN: Tensor<'float32', R> }, form: OutputForm) {
    super(result, form)
    this.cN = result.cN
  }

  /** The state after each sequence, for the next call. */
  override get state(): LstmState<R> {
    return new LstmState(this.hN, this.cN)
  }
}
