import { checkNumber, checkOptions, checkTensor } from '../check.js'
import { dropout } from '../ops/dropout.js'
import type { Generator } from '../random.js'
import type { Tensor } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/**
 * Which mask comes next: the same seed and step give the same mask. Who goes on with a run sets `step`.
 *
 * @example
 * ```ts
 * import { full, nn } from 'packed-rnn'
 *
 * const layer = new nn.Dropout({ p: 0.5 })
 * const x = full([8], 1)
 * const first = await layer.forward(x).toArray()
 * layer.masks.step = 0
 * const again = await layer.forward(x).toArray()
 * console.log(again.every((value, i) => value === first[i]), layer.masks.step) // true 1
 * ```
 */
export class MaskCounter {
  /** Drawn when the module was made. */
  readonly seed: number
  /** Masks drawn so far. */
  step = 0

  /** @internal */
  constructor(generator: Generator) {
    this.seed = generator.bits()
  }

  /** The place of the next mask, counted. @internal */
  next(): { seed: number; step: number } {
    return { seed: this.seed, step: this.step++ }
  }
}

/**
 * Inverted dropout (Srivastava et al. 2014, as torch.nn.Dropout) while training, and nothing after `eval()`.
 *
 * @example
 * ```ts
 * import { full, nn } from 'packed-rnn'
 *
 * const layer = new nn.Dropout({ p: 0.5 })
 * const x = full([1000], 1)
 * console.log(new Set(await layer.forward(x).toArray()).size) // 2
 * console.log(layer.eval().forward(x) === x) // true
 * ```
 */
export class Dropout extends Module {
  /** A probability. */
  readonly p: number
  /** Which mask comes next. */
  readonly masks: MaskCounter

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for p outside [0, 1]; ERR_INVALID_ARGUMENT for an unknown option; as `device`
   * where none is given.
   */
  constructor(options: ModuleOptions & { p?: number } = {}) {
    checkOptions('nn.Dropout', options, { ...moduleNames, p: true })
    super(options)
    this.p = options.p ?? 0.5
    checkNumber('nn.Dropout', 'p', this.p, 0, 1)
    this.masks = new MaskCounter(this.generator)
  }

  /**
   * @param x any shape; the last dimension is the units.
   * @returns a tensor of that shape; x itself where nothing is dropped.
   * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED.
   */
  forward<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
    if (this.training && this.p > 0) return dropout(x, this.p, this.masks.next())
    checkTensor('nn.Dropout', 'x', x, { dtype: 'float32' })
    return x
  }
}
