import { checkInstance, checkNumber, checkOptions } from '../check.js'
import { dropout, dropoutForward } from '../ops/dropout.js'
import { mul } from '../ops/elementwise.js'
import { full, type Matrix, ranked } from '../tensor.js'
import { MaskCounter } from './masks.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import { type LSTM, RecurrentModule } from './recurrent.js'
import type { LstmOutput, RecurrentOutput } from './recurrentOutput.js'
import type { LstmStateLike } from './recurrentState.js'
import type { SequenceBatch, StateRank } from './sequenceBatch.js'

/** Options of `WeightDrop`. */
export interface WeightDropOptions extends ModuleOptions {
  /** The probability that a weight is dropped; default 0.5. */
  p?: number
  /** Whether whole rows of weights are dropped instead of single weights; default false. */
  variational?: boolean
}

/**
 * DropConnect on the recurrent weights of a module (Wan et al. 2013), as `WeightDrop` of AWD-LSTM (Merity et al. 2018). In training
 * mode each call sets elements of each `weight_hh` to 0 with probability p and multiplies the others by 1 / (1 − p). All tokens of
 * a call share one mask.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const lstm = new nn.LSTM({ inputSize: 2, hiddenSize: 4 })
 * const dropped = new nn.WeightDrop(lstm, { p: 0.5 })
 * const x = packSequence([new Float32Array(6)], { inputSize: 2 })
 * console.log(dropped.forward(x).output.width) // 4
 * console.log(dropped.namedParameters()[0]![0]) // module.weight_ih_l0
 * ```
 */
export class WeightDrop<M extends RecurrentModule = RecurrentModule> extends Module {
  /** The recurrent module. */
  module: M
  /** The probability that a weight is dropped. */
  readonly p: number
  /** Whether whole rows are dropped. */
  readonly variational: boolean
  /** The counter of dropout masks. */
  readonly masks: MaskCounter

  /** @throws PackedRnnError if `module` is not recurrent, p is outside [0, 1], or an option is unknown. */
  constructor(module: M, options: WeightDropOptions = {}) {
    const op = 'nn.WeightDrop'
    checkOptions(op, options, { ...moduleNames, p: true, variational: true })
    checkInstance(op, 'module', module, RecurrentModule)
    super({ device: module.parameters()[0]!.device, ...options })
    this.module = module
    this.p = options.p ?? 0.5
    checkNumber(op, 'p', this.p, 0, 1)
    this.variational = options.variational ?? false
    this.masks = new MaskCounter(this.generator)
  }

  /** Runs the module's `forward`, with dropped weights in training mode. @throws PackedRnnError if `forward` throws. */
  forward<X extends SequenceBatch>(
    x: X,
    state?: LstmStateLike<StateRank<X>> | null,
  ): M extends LSTM ? LstmOutput<X, StateRank<X>> : RecurrentOutput<X, StateRank<X>>
  forward(
    x: SequenceBatch,
    state: LstmStateLike<2 | 3> | null = null,
  ): RecurrentOutput<SequenceBatch, 2 | 3> {
    const { module } = this
    if (!this.training || this.p === 0) return module.withWeights(module.weights, x, state)
    const { seed, step } = this.masks
    const weights = module.weights.map((each, stream) => ({
      ...each,
      wHh: this.#drop(each.wHh, { seed, step, stream }),
    }))
    try {
      const result = module.withWeights(weights, x, state)
      this.masks.step++ // after the call, so that one that throws draws no mask
      return result
    } finally {
      for (const { wHh } of weights) wHh.dispose()
    }
  }

  #drop(weight: Matrix, place: { seed: number; step: number; stream: number }): Matrix {
    if (!this.variational) return dropout(weight, this.p, place)
    using ones = full([weight.shape[0], 1], 1, { device: weight.device })
    using mask = dropoutForward(ones, this.p, place)
    return ranked(mul(weight, mask), 2)
  }
}
