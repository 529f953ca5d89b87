import { checkNumber } from '../check.js'
import { dropout } from '../ops/dropout.js'
import type { Generator } from '../random.js'
import type { Tensor } from '../tensor.js'
import { Module, type ModuleOptions } from './module.js'

/** Which mask comes next: the same seed and step give the same mask. */
export class MaskCounter {
  readonly seed: number
  step = 0

  constructor(generator: Generator) {
    this.seed = generator.bits()
  }

  next(): { seed: number; step: number } {
    return { seed: this.seed, step: this.step++ }
  }
}

/** Inverted dropout while training, and nothing after `eval()`. */
export class Dropout extends Module {
  readonly p: number
  readonly masks: MaskCounter

  constructor(options: ModuleOptions & { p?: number } = {}) {
    super(options)
    this.p = options.p ?? 0.5
    checkNumber('nn.Dropout', 'p', this.p, 0, 1)
    this.masks = new MaskCounter(this.generator)
  }

  /** @param x any shape; returns x itself where nothing is dropped. */
  forward<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
    return this.training && this.p > 0 ? dropout(x, this.p, this.masks.next()) : x
  }
}
