import { checkOptions } from '../check.js'
import { onRows } from '../ops/dims.js'
import { gelu, relu, sigmoid, tanh } from '../ops/elementwise.js'
import type { PackedSequence } from '../packed.js'
import type { Float } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** An elementwise function as a module, for `Sequential`. */
abstract class Activation extends Module {
  readonly #op: string
  readonly #function: (x: Float) => Float

  /** @internal */
  constructor(op: string, fn: (x: Float) => Float, options: ModuleOptions) {
    checkOptions(op, options, moduleNames)
    super(options)
    this.#op = op
    this.#function = fn
  }

  /** Applies the function to each element. @param x any shape, or packed rows. @returns the same form and shape. */
  forward<X extends Float | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    return onRows(this.#op, x, this.#function)
  }
}

/**
 * max(x, 0), as torch.nn.ReLU.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const y = new nn.ReLU().forward(tensor([-1, 2]))
 * console.log(await y.toArray()) // Float32Array(2) [0, 2]
 * ```
 */
export class ReLU extends Activation {
  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: ModuleOptions = {}) {
    super('nn.ReLU', relu, options)
  }
}

/**
 * tanh x, as torch.nn.Tanh.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const y = new nn.Tanh().forward(tensor([0]))
 * console.log(await y.toArray()) // Float32Array(1) [0]
 * ```
 */
export class Tanh extends Activation {
  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: ModuleOptions = {}) {
    super('nn.Tanh', tanh, options)
  }
}

/**
 * 1 / (1 + exp −x), as torch.nn.Sigmoid.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const y = new nn.Sigmoid().forward(tensor([0]))
 * console.log(await y.toArray()) // Float32Array(1) [0.5]
 * ```
 */
export class Sigmoid extends Activation {
  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: ModuleOptions = {}) {
    super('nn.Sigmoid', sigmoid, options)
  }
}

/**
 * x Φ(x), as torch.nn.GELU.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const y = new nn.GELU().forward(tensor([0]))
 * console.log(await y.toArray()) // Float32Array(1) [0]
 * ```
 */
export class GELU extends Activation {
  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: ModuleOptions = {}) {
    super('nn.GELU', gelu, options)
  }
}
