import { record } from '../autograd.js'
import { checkFloat, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, like, type Operand } from '../elements.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import type { Float, Tensor } from '../tensor.js'
import { isTensor, joined, mul } from './binary.js'
import { onRows, sumTo } from './dims.js'

export {
  add,
  type BinaryOp,
  div,
  eq,
  gt,
  lt,
  maximum,
  minimum,
  mul,
  multiply,
  pow,
  sub,
} from './binary.js'
export {
  abs,
  exp,
  gelu,
  log,
  neg,
  relu,
  sigmoid,
  softplus,
  sqrt,
  tanh,
  type UnaryOp,
} from './unary.js'

/** Elementwise functions of a condition or of bounds, and the names of all others. */

/**
 * Returns factor · x.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if the factor is not finite.
 * @deprecated Use `mul`.
 * @example
 * ```ts
 * import { scale, tensor } from 'packed-rnn'
 *
 * console.log(await scale(tensor([1, 2]), 0.5).toArray()) // Float32Array(2) [0.5, 1]
 * ```
 */
export function scale<R extends number>(x: Tensor<'float32', R>, factor: number): Tensor<'float32', R> {
  checkFloat('scale', 'x', x)
  checkNumber('scale', 'factor', factor, -Infinity)
  return mul(x, factor)
}

/**
 * Selects a where the condition is not 0, and b elsewhere; no gradient for the condition.
 * @example
 * ```ts
 * import { gt, tensor, where } from 'packed-rnn'
 *
 * const x = tensor([-1, 2, -3])
 * console.log(await where(gt(x, 0), x, 0).toArray()) // Float32Array(3) [0, 2, 0]
 * ```
 */
export function where(condition: Float, a: Operand, b: Operand): Float {
  const op = 'where'
  checkFloat(op, 'condition', condition)
  const { device, shape } = joined(op, [
    ['condition', condition],
    ['a', a],
    ['b', b],
  ])
  const y = applyFunction<number>('where', device, shape, condition, a, b)
  record(op, [isTensor(a) ? a : null, isTensor(b) ? b : null], [y], keeper => {
    const held = keeper.hold(condition)
    const [shapeA, shapeB] = [isTensor(a) ? a.shape : [], isTensor(b) ? b.shape : []]
    return ([dY], [wantsA, wantsB]) => [
      dY && wantsA ? sumTo(like(dY, 'where', held, dY, 0), shapeA) : null,
      dY && wantsB ? sumTo(like(dY, 'where', held, 0, dY), shapeB) : null,
    ]
  })
  return y
}

/** Bounds; the default is no bound. */
export interface ClampOptions {
  /** The lower bound: smaller numbers become this. */
  min?: number
  /** The upper bound: larger numbers become this. */
  max?: number
}
const clampNames: OptionNames<ClampOptions> = { min: true, max: true }

/**
 * Returns x limited to bounds; NaN stays NaN. The gradient is 1 from bound to bound, and 0 beyond them.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if a bound is NaN or `min` is above `max`.
 * @example
 * ```ts
 * import { clamp, tensor } from 'packed-rnn'
 *
 * console.log(await clamp(tensor([-2, 0.5, 3]), { min: -1, max: 1 }).toArray()) // Float32Array(3) [-1, 0.5, 1]
 * ```
 */
export function clamp<R extends number>(x: Tensor<'float32', R>, options: ClampOptions): Tensor<'float32', R>
export function clamp(x: PackedSequence, options: ClampOptions): PackedSequence
export function clamp(x: Float | PackedSequence, options: ClampOptions): Float | PackedSequence {
  const op = 'clamp'
  checkOptions(op, options, clampNames)
  const { min = -Infinity, max = Infinity } = options
  for (const [name, value] of Object.entries({ min, max })) {
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw badArgument(op, name, 'a number', value, 'ERR_OUT_OF_RANGE')
    }
  }
  if (min > max) throw badArgument(op, 'min', `at most max ${max}`, min, 'ERR_OUT_OF_RANGE')
  return onRows(op, x, rows => clamped(rows, min, max))
}

function clamped(x: Float, min: number, max: number): Float {
  const y = applyFunction<number>('clamp', x.device, x.shape, x, min, max)
  record('clamp', [x], [y], keeper => {
    const held = keeper.hold(x)
    return ([dY]) => {
      if (!dY) return [null]
      const inside = like(dY, 'within', held, min, max)
      const dX = like(dY, 'mul', inside, dY)
      inside.dispose()
      return [dX]
    }
  })
  return y
}
