import { checkInteger, checkNumber, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { gru, lstm, rnn } from '../ops/recurrent.js'
import type {
  GruOptions,
  LstmWeights,
  RecurrentOptions,
  RnnOptions,
  States,
} from '../ops/recurrentOptions.js'
import type { RecurrentResult } from '../ops/recurrentResult.js'
import type { PackedSequence } from '../packed.js'
import { ranked, type Tensor } from '../tensor.js'
import { MaskCounter } from './masks.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import { isMarked } from './parameter.js'
import { LstmOutput, type OutputForm, RecurrentOutput } from './recurrentOutput.js'
import { type LstmStateLike, type RecurrentStateLike, stateNames, statesOf } from './recurrentState.js'
import {
  batchedStates,
  batchSizeOf,
  checkBatch,
  inFormOf,
  isAlone,
  type SequenceBatch,
  type StateRank,
  statesInFormOf,
  withPacked,
} from './sequenceBatch.js'

/** Options of every recurrent module. */
export interface RecurrentModuleOptions extends ModuleOptions {
  /** I, the size of a row of x. */
  inputSize: number
  /** H, the size of the hidden state in one direction. */
  hiddenSize: number
  /** L, the number of layers; default 1. */
  numLayers?: number
  /** Whether each layer also runs in reverse: D is 2 if true, else 1. Default false. */
  bidirectional?: boolean
  /** Whether layers have biases; default true. */
  bias?: boolean
  /** Probability of dropping an element of the output of each layer except the last, in training mode; default 0. */
  dropout?: number
  /** Whether padded inputs and outputs are [B, T, …] instead of [T, B, …]; default false. Does not apply to states. */
  batchFirst?: boolean
}

/** Options of `LSTM`. */
export interface LstmModuleOptions extends RecurrentModuleOptions {
  /** P, less than H: the size to which h is projected; default 0, no projection. */
  projSize?: number
}

/** Options of `GRU`. */
export interface GruModuleOptions extends RecurrentModuleOptions, Pick<GruOptions, 'resetAfter'> {}

/** Options of `RNN`. */
export interface RnnModuleOptions extends RecurrentModuleOptions, Pick<RnnOptions, 'nonlinearity'> {}

const names: OptionNames<RecurrentModuleOptions> = {
  ...moduleNames,
  inputSize: true,
  hiddenSize: true,
  numLayers: true,
  bidirectional: true,
  bias: true,
  dropout: true,
  batchFirst: true,
}

/**
 * The base class of `LSTM`, `GRU` and `RNN`. Parameters have PyTorch's names (`weight_ih_l0`, `weight_hh_l0_reverse`, …) and
 * PyTorch's order, and are initialized from U(−1/√H, 1/√H). `forward` takes packed, padded and single sequences.
 *
 * @example
 * ```ts
 * import { nn } from 'packed-rnn'
 *
 * const options = { inputSize: 4, hiddenSize: 3, bidirectional: true }
 * const layers: nn.RecurrentModule[] = [new nn.LSTM(options), new nn.GRU(options), new nn.RNN(options)]
 * console.log(layers.map(layer => layer.weights[0]?.wIh.shape[0])) // [12, 9, 3]
 * console.log(layers[2]?.namedParameters()[4]?.[0]) // weight_ih_l0_reverse
 * ```
 */
export abstract class RecurrentModule extends Module {
  readonly inputSize: number
  readonly hiddenSize: number
  readonly numLayers: number
  readonly bidirectional: boolean
  readonly dropout: number
  readonly batchFirst: boolean
  /** The counter of dropout masks between layers. */
  readonly masks: MaskCounter
  readonly #op: string
  #weights: readonly LstmWeights[] = []
  /** The parameters that `#weights` was built from, by property. */
  #held: readonly [string, unknown][] | null = null
  /** R: P with a projection, else H. */
  readonly #stateSize: number

  /** @internal */
  constructor(op: string, gates: number, options: RecurrentModuleOptions, projSize = 0) {
    super(options)
    const { inputSize, hiddenSize, numLayers = 1, bidirectional = false, bias = true, dropout = 0 } = options
    checkInteger(op, 'inputSize', inputSize, 1)
    checkInteger(op, 'hiddenSize', hiddenSize, 1)
    checkInteger(op, 'numLayers', numLayers, 1, 512)
    checkNumber(op, 'dropout', dropout, 0, 1)
    checkInteger(op, 'projSize', projSize, 0, hiddenSize - 1)
    if (dropout > 0 && numLayers === 1) {
      process.emitWarning(`${op}: dropout acts between layers, and there is one layer: it has no effect`)
    }
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.numLayers = numLayers
    this.bidirectional = bidirectional
    this.dropout = dropout
    this.batchFirst = options.batchFirst ?? false
    this.#op = op
    const stateSize = projSize > 0 ? projSize : hiddenSize
    this.#stateSize = stateSize
    const rows = gates * hiddenSize
    const bound = 1 / Math.sqrt(hiddenSize)
    const suffixes = bidirectional ? ['', '_reverse'] : ['']
    for (let l = 0; l < numLayers; l++) {
      for (const suffix of suffixes) {
        const inputs = l === 0 ? inputSize : suffixes.length * stateSize
        this.uniform(`weight_ih_l${l}${suffix}`, [rows, inputs], bound)
        this.uniform(`weight_hh_l${l}${suffix}`, [rows, stateSize], bound)
        if (bias) this.uniform(`bias_ih_l${l}${suffix}`, [rows], bound)
        if (bias) this.uniform(`bias_hh_l${l}${suffix}`, [rows], bound)
        if (projSize > 0) this.uniform(`weight_hr_l${l}${suffix}`, [projSize, hiddenSize], bound)
      }
    }
    this.masks = new MaskCounter(this.generator)
  }

  /** The parameters, at index layer · D + direction. Only an LSTM with a projection has `wHr`. */
  get weights(): readonly LstmWeights[] {
    const held = this.#held
    if (held?.every(([name, value]) => Reflect.get(this, name) === value)) return this.#weights
    const suffixes = this.bidirectional ? ['', '_reverse'] : ['']
    this.#weights = Array.from({ length: this.numLayers }, (_, l) =>
      suffixes.map(suffix => ({
        wIh: this.#weight(`weight_ih_l${l}${suffix}`, 2) ?? this.#lost(`weight_ih_l${l}${suffix}`),
        wHh: this.#weight(`weight_hh_l${l}${suffix}`, 2) ?? this.#lost(`weight_hh_l${l}${suffix}`),
        bIh: this.#weight(`bias_ih_l${l}${suffix}`, 1),
        bHh: this.#weight(`bias_hh_l${l}${suffix}`, 1),
        wHr: this.#weight(`weight_hr_l${l}${suffix}`, 2),
      })),
    ).flat()
    this.#held = Object.entries(this).filter(([, value]) => isMarked(value, 'parameter'))
    return this.#weights
  }

  #weight<R extends 1 | 2>(name: string, rank: R): Tensor<'float32', R> | null {
    const value: unknown = Reflect.get(this, name)
    return isMarked(value, 'parameter') ? ranked(value, rank) : null
  }

  #lost(name: string): never {
    throw badArgument(this.#op, name, 'a parameter', Reflect.get(this, name))
  }

  /** Runs the layers over a batch; see `LSTM.forward`. For code that accepts any recurrent module. */
  abstract forward<X extends SequenceBatch>(
    x: X,
    state?: RecurrentStateLike<StateRank<X>> | null,
  ): RecurrentOutput<X, StateRank<X>>

  /** @internal */
  abstract withWeights(
    weights: readonly LstmWeights[],
    x: SequenceBatch,
    state: LstmStateLike<2 | 3> | null,
  ): RecurrentOutput<SequenceBatch, 2 | 3>

  /** @internal */
  protected get form(): OutputForm {
    return { directions: this.bidirectional ? 2 : 1, batchFirst: this.batchFirst }
  }

  /** Checks the arguments, calls `run` on the packed form of x, and returns the output in the form of x. @internal */
  protected call<T extends RecurrentResult>(
    x: SequenceBatch,
    state: LstmStateLike<2 | 3> | null,
    run: (packed: PackedSequence, options: RecurrentOptions, c0: States | null) => T,
  ): { result: T; output: SequenceBatch } {
    const { hiddenSize, numLayers, bidirectional, batchFirst } = this
    // All modules accept `c`: code that takes any module may pass an LSTM's state.
    checkOptions(this.#op, state ?? {}, stateNames, 'state')
    const { h: h0, c: c0 } = statesOf(state ?? {})
    checkBatch(this.#op, x, this.inputSize, this.device)
    this.#checkState('h', h0, x, this.#stateSize)
    this.#checkState('c', c0, x, hiddenSize)
    using h = h0 && batchedStates(h0)
    using c = c0 && batchedStates(c0)
    const dropout = this.training && numLayers > 1 ? this.dropout : 0
    const mask = dropout > 0 ? { mask: this.masks.next() } : {}
    const options = { hiddenSize, numLayers, bidirectional, dropout, ...mask, h0: h }
    const result = withPacked(x, batchFirst, packed => run(packed, options, c))
    return { result, output: inFormOf(x, batchFirst, result.output) }
  }

  #checkState(name: string, state: Tensor<'float32', 2 | 3> | null, x: SequenceBatch, size: number): void {
    if (state === null) return
    const states = this.numLayers * (this.bidirectional ? 2 : 1)
    const shape = isAlone(x) ? [states, size] : [states, batchSizeOf(x, this.batchFirst), size]
    checkTensor(this.#op, name, state, { dtype: 'float32', shape, device: this.device })
  }
}

/**
 * A stack of LSTM layers, as torch.nn.LSTM. For each token: i, f, o = σ(W x + b + U h + b'), g = tanh(W x + b + U h + b'),
 * c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
 *
 * Each layer has the parameters `weight_ih_l0` [4H, I], `weight_hh_l0` [4H, R], `bias_ih_l0` and `bias_hh_l0` [4H], with the gates
 * stacked in the order i, f, g, o. With `projSize` it also has `weight_hr_l0` [P, H]. Reverse layers add the suffix `_reverse`.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const lstm = new nn.LSTM({ inputSize: 2, hiddenSize: 3, bidirectional: true })
 * const x = packSequence([Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6)], { inputSize: 2 })
 * const { output, hN, cN } = lstm.forward(x)
 * console.log(output.data.shape, hN.shape, cN.shape) // [3, 6] [2, 2, 3] [2, 2, 3]
 * ```
 */
export class LSTM extends RecurrentModule {
  /** P, or 0 without a projection. */
  readonly projSize: number

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a size or a probability is out of range; ERR_INVALID_ARGUMENT if an option
   * is unknown.
   */
  constructor(options: LstmModuleOptions) {
    checkOptions('nn.LSTM', options, { ...names, projSize: true })
    const { projSize = 0 } = options
    super('nn.LSTM', 4, options, projSize)
    this.projSize = projSize
  }

  /**
   * Runs the layers over a batch.
   *
   * @param x rows of size `inputSize`: a packed sequence (also the indexed rows of an embedding), a padded batch, or a single
   * sequence [T, I].
   * @param state the initial states; default zeros. Pass the `state` of the previous call to continue its sequences.
   * @returns `output`, the hidden state after each token, D · R numbers, in the form of x; `state`, the states after each
   * sequence: h [L · D, B, R] and c [L · D, B, H]; and methods such as `lastHidden()` that return one row per sequence.
   * @throws PackedRnnError if x or a state has the wrong form, shape or device, or `state` has an unknown name.
   */
  override forward<X extends SequenceBatch>(
    x: X,
    state?: LstmStateLike<StateRank<X>> | null,
  ): LstmOutput<X, StateRank<X>>
  override forward(
    x: SequenceBatch,
    state: LstmStateLike<2 | 3> | null = null,
  ): LstmOutput<SequenceBatch, 2 | 3> {
    return this.withWeights(this.weights, x, state)
  }

  /** Runs `forward` with the given weights instead of the parameters. @internal */
  withWeights(
    weights: readonly LstmWeights[],
    x: SequenceBatch,
    state: LstmStateLike<2 | 3> | null,
  ): LstmOutput<SequenceBatch, 2 | 3> {
    const { projSize } = this
    const { result, output } = this.call(x, state, (packed, options, c0) =>
      lstm(packed, weights, Object.assign(options, { c0, projSize })),
    )
    const hN = statesInFormOf(x, result.hN)
    const cN = statesInFormOf(x, result.cN)
    return new LstmOutput({ output, hN, cN }, this.form)
  }
}

/**
 * A stack of GRU layers, as torch.nn.GRU. For each token: r, z = σ(W x + b + U h + b'), n = tanh(W x + b + r ⊙ (U h + b')),
 * h = (1 − z) ⊙ n + z ⊙ h.
 *
 * Each layer has the parameters `weight_ih_l0` [3H, I], `weight_hh_l0` [3H, H], `bias_ih_l0` and `bias_hh_l0` [3H], with the gates
 * stacked in the order r, z, n. Reverse layers add the suffix `_reverse`.
 *
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * const gru = new nn.GRU({ inputSize: 2, hiddenSize: 3 })
 * const states = gru.forward(zeros([5, 2])) // one sequence of five tokens
 * console.log(states.output.shape, states.hN.shape) // [5, 3] [1, 3]
 * ```
 */
export class GRU extends RecurrentModule {
  /** Whether the reset gate is applied after the product U h, as in PyTorch. */
  readonly resetAfter: boolean

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a size or a probability is out of range; ERR_INVALID_ARGUMENT if an option
   * is unknown.
   */
  constructor(options: GruModuleOptions) {
    checkOptions('nn.GRU', options, { ...names, resetAfter: true })
    super('nn.GRU', 3, options)
    this.resetAfter = options.resetAfter ?? true
  }

  /** The same as `LSTM.forward`, without cell states. @throws PackedRnnError in the same cases. */
  override forward<X extends SequenceBatch>(
    x: X,
    state?: RecurrentStateLike<StateRank<X>> | null,
  ): RecurrentOutput<X, StateRank<X>>
  override forward(
    x: SequenceBatch,
    state: RecurrentStateLike<2 | 3> | null = null,
  ): RecurrentOutput<SequenceBatch, 2 | 3> {
    return this.withWeights(this.weights, x, state)
  }

  /** Runs `forward` with the given weights instead of the parameters. @internal */
  withWeights(
    weights: readonly LstmWeights[],
    x: SequenceBatch,
    state: RecurrentStateLike<2 | 3> | null,
  ): RecurrentOutput<SequenceBatch, 2 | 3> {
    const { resetAfter } = this
    const { result, output } = this.call(x, state, (packed, options) =>
      gru(packed, weights, Object.assign(options, { resetAfter })),
    )
    return new RecurrentOutput({ output, hN: statesInFormOf(x, result.hN) }, this.form)
  }
}

/**
 * A stack of Elman layers, as torch.nn.RNN. For each token: h = φ(W x + b + U h + b').
 *
 * Each layer has the parameters `weight_ih_l0` [H, I], `weight_hh_l0` [H, H], `bias_ih_l0` and `bias_hh_l0` [H]. Reverse layers add
 * the suffix `_reverse`.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const rnn = new nn.RNN({ inputSize: 2, hiddenSize: 3, nonlinearity: 'relu' })
 * const x = packSequence([Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6)], { inputSize: 2 })
 * const { state } = rnn.forward(x)
 * const next = rnn.forward(x, state)
 * console.log(state.h.shape, next.output.data.shape) // [1, 2, 3] [3, 3]
 * ```
 */
export class RNN extends RecurrentModule {
  /** The activation φ. */
  readonly nonlinearity: 'tanh' | 'relu'

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a size or a probability is out of range; ERR_INVALID_ARGUMENT if the
   * nonlinearity or an option is unknown.
   */
  constructor(options: RnnModuleOptions) {
    checkOptions('nn.RNN', options, { ...names, nonlinearity: true })
    const { nonlinearity = 'tanh' } = options
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu') {
      throw badArgument('nn.RNN', 'nonlinearity', "'tanh' or 'relu'", nonlinearity)
    }
    super('nn.RNN', 1, options)
    this.nonlinearity = nonlinearity
  }

  /** The same as `LSTM.forward`, without cell states. @throws PackedRnnError in the same cases. */
  override forward<X extends SequenceBatch>(
    x: X,
    state?: RecurrentStateLike<StateRank<X>> | null,
  ): RecurrentOutput<X, StateRank<X>>
  override forward(
    x: SequenceBatch,
    state: RecurrentStateLike<2 | 3> | null = null,
  ): RecurrentOutput<SequenceBatch, 2 | 3> {
    return this.withWeights(this.weights, x, state)
  }

  /** Runs `forward` with the given weights instead of the parameters. @internal */
  withWeights(
    weights: readonly LstmWeights[],
    x: SequenceBatch,
    state: RecurrentStateLike<2 | 3> | null,
  ): RecurrentOutput<SequenceBatch, 2 | 3> {
    const { nonlinearity } = this
    const { result, output } = this.call(x, state, (packed, options) =>
      rnn(packed, weights, Object.assign(options, { nonlinearity })),
    )
    return new RecurrentOutput({ output, hN: statesInFormOf(x, result.hN) }, this.form)
  }
}
