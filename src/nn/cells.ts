import { anySize, checkInteger, checkOptions, checkTensor, checkWord, type OptionNames } from '../check.js'
import { gru, lstm, rnn } from '../ops/recurrent.js'
import type { GruOptions, LstmWeights, RnnOptions } from '../ops/recurrentOptions.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence, Sequences } from '../packed.js'
import type { Matrix, Tensor, Vector } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import {
  LstmState,
  type LstmStateLike,
  RecurrentState,
  type RecurrentStateLike,
  stateNames,
  statesOf,
} from './recurrentState.js'

/** Options of `LSTMCell`, `GRUCell` and `RNNCell`. */
export interface CellOptions extends ModuleOptions {
  /** I, the size of a row of x. */
  inputSize: number
  /** H, the size of the hidden state. */
  hiddenSize: number
  /** Whether the cell has biases; default true. */
  bias?: boolean
}

const names: OptionNames<CellOptions> = { ...moduleNames, inputSize: true, hiddenSize: true, bias: true }

/** One step of a recurrent layer. Parameters have PyTorch's names and are initialized from U(−1/√H, 1/√H). */
abstract class Cell extends Module {
  readonly inputSize: number
  readonly hiddenSize: number
  /** [G·H, I] for G gates. */
  weight_ih: Matrix
  /** [G·H, H] */
  weight_hh: Matrix
  /** [G·H] */
  bias_ih: Vector | null
  /** [G·H] */
  bias_hh: Vector | null
  readonly #op: string
  #sequences = new Sequences([])

  /** @internal */
  constructor(op: string, gates: number, options: CellOptions) {
    super(options)
    const { inputSize, hiddenSize, bias = true } = options
    checkInteger(op, 'inputSize', inputSize, 1)
    checkInteger(op, 'hiddenSize', hiddenSize, 1)
    this.#op = op
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    const rows = gates * hiddenSize
    const bound = 1 / Math.sqrt(hiddenSize)
    this.weight_ih = this.uniform<2>('weight_ih', [rows, inputSize], bound)
    this.weight_hh = this.uniform<2>('weight_hh', [rows, hiddenSize], bound)
    this.bias_ih = bias ? this.uniform<1>('bias_ih', [rows], bound) : null
    this.bias_hh = bias ? this.uniform<1>('bias_hh', [rows], bound) : null
  }

  /** Calls `run` with x as a batch of sequences of one token and the states as [1, B, H]. @internal */
  protected step<T>(
    x: Matrix,
    state: LstmStateLike<2> | null,
    run: (
      x: PackedSequence,
      weights: LstmWeights[],
      h0: Tensor<'float32', 3> | null,
      c0: Tensor<'float32', 3> | null,
    ) => T,
  ): T {
    const { hiddenSize, device } = this
    checkTensor(this.#op, 'x', x, { dtype: 'float32', shape: [anySize, this.inputSize], device })
    checkOptions(this.#op, state ?? {}, stateNames, 'state')
    const { h, c } = statesOf(state ?? {})
    const shape = [x.shape[0], hiddenSize] as const
    if (h) checkTensor(this.#op, 'h', h, { dtype: 'float32', shape, device })
    if (c) checkTensor(this.#op, 'c', c, { dtype: 'float32', shape, device })
    if (this.#sequences.batchSize !== shape[0]) {
      this.#sequences = new Sequences(new Int32Array(shape[0]).fill(1))
    }
    using h0 = h && reshape(h, [1, ...shape])
    using c0 = c && reshape(c, [1, ...shape])
    const { weight_ih: wIh, weight_hh: wHh, bias_ih: bIh, bias_hh: bHh } = this
    return run(new PackedSequence(x, this.#sequences), [{ wIh, wHh, bIh, bHh }], h0, c0)
  }
}

/**
 * One step of an LSTM, as torch.nn.LSTMCell; see `LSTM` for the equations.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const cell = new nn.LSTMCell({ inputSize: 4, hiddenSize: 8 })
 * let state = cell.forward(randn([2, 4]))
 * state = cell.forward(randn([2, 4]), state)
 * console.log(state.h.shape, state.c.shape) // [2, 8] [2, 8]
 * ```
 */
export class LSTMCell extends Cell {
  /** @throws PackedRnnError if a size is below 1 or an option is unknown. */
  constructor(options: CellOptions) {
    checkOptions('nn.LSTMCell', options, names)
    super('nn.LSTMCell', 4, options)
  }

  /**
   * Runs one step.
   *
   * @param x [B, I]
   * @param state the state after the previous step; default zeros.
   * @returns the new state, h and c [B, H]. The output of the step is h.
   * @throws PackedRnnError if a shape, type or device does not match.
   */
  forward(x: Matrix, state: LstmStateLike<2> | null = null): LstmState<2> {
    const { hiddenSize } = this
    return this.step(x, state, (packed, weights, h0, c0) => {
      const { output, hN, cN } = lstm(packed, weights, { hiddenSize, h0, c0 })
      hN.dispose()
      using cells = cN
      return new LstmState(output.data, reshape(cells, [x.shape[0], hiddenSize]))
    })
  }
}

/**
 * One step of a GRU, as torch.nn.GRUCell; see `GRU` for the equations.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const cell = new nn.GRUCell({ inputSize: 4, hiddenSize: 8 })
 * console.log(cell.forward(randn([2, 4])).h.shape) // [2, 8]
 * ```
 */
export class GRUCell extends Cell {
  /** Whether the reset gate is applied after the product U h, as in PyTorch. */
  readonly resetAfter: boolean

  /** @throws PackedRnnError if a size is below 1 or an option is unknown. */
  constructor(options: CellOptions & Pick<GruOptions, 'resetAfter'>) {
    checkOptions('nn.GRUCell', options, { ...names, resetAfter: true })
    super('nn.GRUCell', 3, options)
    this.resetAfter = options.resetAfter ?? true
  }

  /** The same as `LSTMCell.forward`, without c. @throws PackedRnnError in the same cases. */
  forward(x: Matrix, state: RecurrentStateLike<2> | null = null): RecurrentState<2> {
    const { hiddenSize, resetAfter } = this
    return this.step(x, state, (packed, weights, h0) => {
      const { output, hN } = gru(packed, weights, { hiddenSize, h0, resetAfter })
      hN.dispose()
      return new RecurrentState(output.data)
    })
  }
}

/**
 * One step of an Elman network, as torch.nn.RNNCell; see `RNN` for the equation.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const cell = new nn.RNNCell({ inputSize: 4, hiddenSize: 8, nonlinearity: 'relu' })
 * console.log(cell.forward(randn([2, 4])).h.shape) // [2, 8]
 * ```
 */
export class RNNCell extends Cell {
  /** The activation φ. */
  readonly nonlinearity: 'tanh' | 'relu'

  /** @throws PackedRnnError if a size is below 1, or the nonlinearity or an option is unknown. */
  constructor(options: CellOptions & Pick<RnnOptions, 'nonlinearity'>) {
    checkOptions('nn.RNNCell', options, { ...names, nonlinearity: true })
    const { nonlinearity = 'tanh' } = options
    checkWord('nn.RNNCell', 'nonlinearity', nonlinearity, ['tanh', 'relu'])
    super('nn.RNNCell', 1, options)
    this.nonlinearity = nonlinearity
  }

  /** The same as `LSTMCell.forward`, without c. @throws PackedRnnError in the same cases. */
  forward(x: Matrix, state: RecurrentStateLike<2> | null = null): RecurrentState<2> {
    const { hiddenSize, nonlinearity } = this
    return this.step(x, state, (packed, weights, h0) => {
      const { output, hN } = rnn(packed, weights, { hiddenSize, h0, nonlinearity })
      hN.dispose()
      return new RecurrentState(output.data)
    })
  }
}
