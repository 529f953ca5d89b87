import type { Generator } from '../random.js'

/**
 * Counts a module's dropout masks: the same seed and step give the same mask. Set `step` to resume a run.
 *
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * const dropout = new nn.Dropout({ p: 0.5 })
 * dropout.forward(zeros([2]))
 * console.log(dropout.masks.step) // 1
 * ```
 */
export class MaskCounter {
  /** Drawn when the module is made. */
  readonly seed: number
  /** Number of masks drawn so far. */
  step = 0

  /** @internal */
  constructor(generator: Generator) {
    this.seed = generator.bits()
  }

  /** Returns the place of the next mask and counts it. @internal */
  next(): { seed: number; step: number } {
    return { seed: this.seed, step: this.step++ }
  }
}
