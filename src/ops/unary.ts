import { record } from '../autograd.js'
import { applyFunction, like } from '../elements.js'
import type { functions } from '../native.js'
import type { PackedSequence } from '../packed.js'
import type { Float, Tensor } from '../tensor.js'
import { onRows } from './dims.js'

/** Functions of the elements of one tensor, or of the rows of a packed sequence. */

type Name = keyof typeof functions

/** A function of the elements of a tensor, or of a packed sequence, which it returns as one. */
export interface UnaryOp {
  <R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R>
  (x: PackedSequence): PackedSequence
}

/** Returns the gradient of x, given the gradient of the result, and x or the result. */
type UnaryBackward = (dY: Float, xOrY: Float) => Float

function unary(name: Name, needs: 'x' | 'y' | 'neither', backward: UnaryBackward): UnaryOp {
  function apply<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R>
  function apply(x: PackedSequence): PackedSequence
  function apply(given: Float | PackedSequence): Float | PackedSequence {
    return onRows(name, given, x => {
      const y = applyFunction<number>(name, x.device, x.shape, x)
      record(name, [x], [y], keeper => {
        const held = needs === 'neither' ? null : keeper.hold(needs === 'x' ? x : y)
        return ([dY]) => [dY ? backward(dY, held ?? dY) : null]
      })
      return y
    })
  }
  return apply
}

/**
 * Returns −x.
 * @example
 * ```ts
 * import { neg, tensor } from 'packed-rnn'
 *
 * console.log(await neg(tensor([1, -2])).toArray()) // Float32Array(2) [-1, 2]
 * ```
 */
export const neg = unary('neg', 'neither', dY => like(dY, 'neg', dY))
/**
 * Returns eˣ, accurate to 4 units in the last place. Denormal results are 0.
 * @example
 * ```ts
 * import { exp, tensor } from 'packed-rnn'
 *
 * const y = await exp(tensor([0, 1])).toArray()
 * console.log(y[0], y[1]?.toFixed(4)) // 1 2.7183
 * ```
 */
export const exp = unary('exp', 'y', (dY, y) => like(dY, 'mul', y, dY))
/**
 * Returns the natural logarithm.
 * @example
 * ```ts
 * import { log, tensor } from 'packed-rnn'
 *
 * const y = await log(tensor([1, 10, 0])).toArray()
 * console.log(y[0], y[1]?.toFixed(4), y[2]) // 0 2.3026 -Infinity
 * ```
 */
export const log = unary('log', 'x', (dY, x) => like(dY, 'div', dY, x))
/**
 * Returns √x.
 * @example
 * ```ts
 * import { sqrt, tensor } from 'packed-rnn'
 *
 * console.log(await sqrt(tensor([4, 9])).toArray()) // Float32Array(2) [2, 3]
 * ```
 */
export const sqrt = unary('sqrt', 'y', (dY, y) => like(dY, 'sqrtBackward', y, dY))
/**
 * Returns |x|. The gradient at 0 is 0.
 * @example
 * ```ts
 * import { abs, tensor } from 'packed-rnn'
 *
 * console.log(await abs(tensor([-1.5, 2])).toArray()) // Float32Array(2) [1.5, 2]
 * ```
 */
export const abs = unary('abs', 'x', (dY, x) => like(dY, 'absBackward', x, dY))
/**
 * Returns log(1 + eˣ), without overflow.
 * @example
 * ```ts
 * import { softplus, tensor } from 'packed-rnn'
 *
 * const y = await softplus(tensor([0, 100])).toArray()
 * console.log(y[0]?.toFixed(4), y[1]) // 0.6931 100
 * ```
 */
export const softplus = unary('softplus', 'x', (dY, x) => like(dY, 'softplusBackward', x, dY))
/**
 * Returns 1 / (1 + e⁻ˣ), accurate to 4 units in the last place.
 * @example
 * ```ts
 * import { sigmoid, tensor } from 'packed-rnn'
 *
 * const y = await sigmoid(tensor([0, 2])).toArray()
 * console.log(y[0], y[1]?.toFixed(4)) // 0.5 0.8808
 * ```
 */
export const sigmoid = unary('sigmoid', 'y', (dY, y) => like(dY, 'sigmoidBackward', y, dY))
/**
 * Returns tanh x, accurate to 4 units in the last place.
 * @example
 * ```ts
 * import { tanh, tensor } from 'packed-rnn'
 *
 * const y = await tanh(tensor([0, 1])).toArray()
 * console.log(y[0], y[1]?.toFixed(4)) // 0 0.7616
 * ```
 */
export const tanh = unary('tanh', 'y', (dY, y) => like(dY, 'tanhBackward', y, dY))
/**
 * Returns max(x, 0). The gradient at 0 is 0.
 * @example
 * ```ts
 * import { relu, tensor } from 'packed-rnn'
 *
 * console.log(await relu(tensor([-1, 0.5])).toArray()) // Float32Array(2) [0, 0.5]
 * ```
 */
export const relu = unary('relu', 'y', (dY, y) => like(dY, 'reluBackward', y, dY))
/**
 * Returns x Φ(x), where Φ is the normal distribution function (Hendrycks and Gimpel 2016), computed by the
 * error function.
 * @example
 * ```ts
 * import { gelu, tensor } from 'packed-rnn'
 *
 * const y = await gelu(tensor([-1, 1])).toArray()
 * console.log(y[0]?.toFixed(4), y[1]?.toFixed(4)) // -0.1587 0.8413
 * ```
 */
export const gelu = unary('gelu', 'x', (dY, x) => like(dY, 'geluBackward', x, dY))
