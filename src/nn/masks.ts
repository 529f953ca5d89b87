import type { Generator } from '../random.js'

/**
 * Counts the dropout masks of a module. The same seed and step always produce the same mask. A property that holds a counter is
 * listed by `namedMasks`, so checkpoints save its `step`.
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
  /** The seed of the masks, drawn by the constructor. */
  readonly seed: number
  /** The number of masks drawn so far. Set it to resume a run. */
  step = 0

  /** Draws the seed from a generator. */
  constructor(generator: Generator) {
    this.seed = generator.bits()
  }

  /** Returns the seed and step of the next mask, for `dropout`, and counts it. */
  next(): { seed: number; step: number } {
    return { seed: this.seed, step: this.step++ }
  }
}
