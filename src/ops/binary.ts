import { record } from '../autograd.js'
import { checkFloat } from '../check.js'
import { applyFunction, broadcastShape, like, type Operand } from '../elements.js'
import { badArgument } from '../errors.js'
import type { functions } from '../native.js'
import type { Float, Tensor } from '../tensor.js'
import { sumTo } from './dims.js'

/**
 * Elementwise functions of two operands. Shapes broadcast as in NumPy: they are aligned at the last
 * dimension, and sizes of 1 are repeated. A number stands for a tensor filled with it. Operands may have more
 * than four dimensions only as far as some can be joined because they are contiguous in both.
 */

type Name = keyof typeof functions

/** A function of the elements of two operands, at least one of them a tensor. Their shapes broadcast. */
export interface BinaryOp {
  <R extends number>(a: Tensor<'float32', R>, b: Tensor<'float32', R> | number): Tensor<'float32', R>
  <R extends number>(a: number, b: Tensor<'float32', R>): Tensor<'float32', R>
  (a: Operand, b: Operand): Float
}

/** The operands and the result. */
interface Pair {
  a: Operand
  b: Operand
  y: Float
}
interface BinaryRule {
  /** Whether the gradients read the operands, and the result. */
  operands: boolean
  result: boolean
  a(dY: Float, pair: Pair): Float
  b(dY: Float, pair: Pair): Float
}

function checkOperand(op: string, name: string, x: Operand, device?: Float['device']): void {
  if (typeof x !== 'number') checkFloat(op, name, x, device)
}

/** Returns the device and the shape of an op's result, given its operands by name. @internal */
export function joined(
  op: string,
  operands: readonly (readonly [string, Operand])[],
): { device: Float['device']; shape: Float['shape'] } {
  let device: Float['device'] | undefined
  let shape: Float['shape'] | undefined
  for (const [name, operand] of operands) {
    checkOperand(op, name, operand, device)
    if (typeof operand === 'number') continue
    device ??= operand.device
    shape = shape === undefined ? operand.shape : broadcastShape(op, name, shape, operand.shape)
  }
  if (device === undefined || shape === undefined) {
    throw badArgument(op, operands[0]![0], 'a tensor among the operands', 'numbers')
  }
  return { device, shape }
}

/**
 * Whether an operand is treated as a tensor: anything but a number, so that checks of tensors apply to it.
 * @internal
 */
export function isTensor(x: Operand): x is Float {
  return typeof x !== 'number'
}

function applyBinary(op: string, name: Name, rule: BinaryRule | null, a: Operand, b: Operand): Float {
  let device: Float['device']
  let shape: Float['shape']
  const pair = isTensor(a) && isTensor(b)
  if (pair) {
    checkFloat(op, 'a', a)
    checkFloat(op, 'b', b, a.device)
  }
  if (pair && a.shape === b.shape) {
    device = a.device
    shape = a.shape
  } else {
    const found = joined(op, [
      ['a', a],
      ['b', b],
    ])
    device = found.device
    shape = found.shape
  }
  const y = applyFunction<number>(name, device, shape, a, b)
  if (rule === null) return y
  record(op, [isTensor(a) ? a : null, isTensor(b) ? b : null], [y], keeper => {
    const hold = (x: Operand) => (isTensor(x) && rule.operands ? keeper.hold(x) : x)
    const pair = { a: hold(a), b: hold(b), y: rule.result ? keeper.hold(y) : y }
    const [shapeA, shapeB] = [isTensor(a) ? a.shape : [], isTensor(b) ? b.shape : []]
    return ([dY], [wantsA, wantsB]) => [
      dY && wantsA ? sumTo(rule.a(dY, pair), shapeA) : null,
      dY && wantsB ? sumTo(rule.b(dY, pair), shapeB) : null,
    ]
  })
  return y
}

function binary(name: Name, rule: BinaryRule | null, op: string = name): BinaryOp {
  function apply<R extends number>(
    a: Tensor<'float32', R>,
    b: Tensor<'float32', R> | number,
  ): Tensor<'float32', R>
  function apply<R extends number>(a: number, b: Tensor<'float32', R>): Tensor<'float32', R>
  function apply(a: Operand, b: Operand): Float
  function apply(a: Operand, b: Operand): Float {
    return applyBinary(op, name, rule, a, b)
  }
  return apply
}

const product: BinaryRule = {
  operands: true,
  result: false,
  a: (dY, { b }) => like(dY, 'mul', b, dY),
  b: (dY, { a }) => like(dY, 'mul', a, dY),
}

/**
 * Returns a + b.
 * @example
 * ```ts
 * import { add, tensor } from 'packed-rnn'
 *
 * const y = add(tensor([1, 2, 3, 4], [2, 2]), tensor([10, 20]))
 * console.log(await y.toArray()) // Float32Array(4) [11, 22, 13, 24]
 * ```
 */
export const add = binary('add', {
  operands: false,
  result: false,
  a: dY => dY.alias(),
  b: dY => dY.alias(),
})
/**
 * Returns a − b.
 * @example
 * ```ts
 * import { sub, tensor } from 'packed-rnn'
 *
 * console.log(await sub(1, tensor([1, 2, 3])).toArray()) // Float32Array(3) [0, -1, -2]
 * ```
 */
export const sub = binary('sub', {
  operands: false,
  result: false,
  a: dY => dY.alias(),
  b: dY => like(dY, 'neg', dY),
})
/**
 * Returns a · b.
 * @example
 * ```ts
 * import { mul, tensor } from 'packed-rnn'
 *
 * console.log(await mul(tensor([1, 2, 3]), tensor([2, 0, -1])).toArray()) // Float32Array(3) [2, 0, -3]
 * ```
 */
export const mul = binary('mul', product)
/**
 * Returns a / b.
 * @example
 * ```ts
 * import { div, tensor } from 'packed-rnn'
 *
 * console.log(await div(tensor([1, -1, 3]), tensor([0, 2, 4])).toArray()) // Float32Array(3) [Infinity, -0.5, 0.75]
 * ```
 */
export const div = binary('div', {
  operands: true,
  result: true,
  a: (dY, { b }) => like(dY, 'div', dY, b),
  b: (dY, { b, y }) => like(dY, 'divBackward', y, b, dY),
})
/**
 * Returns aᵇ. For a negative a, the result is NaN unless b is an integer.
 * @example
 * ```ts
 * import { pow, tensor } from 'packed-rnn'
 *
 * console.log(await pow(tensor([2, 3, -2]), 2).toArray()) // Float32Array(3) [4, 9, 4]
 * ```
 */
export const pow = binary('pow', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'powBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'powBackwardExponent', a, b, dY),
})
/**
 * Returns the larger of a and b; NaN if one is NaN. Equal operands share the gradient.
 * @example
 * ```ts
 * import { maximum, tensor } from 'packed-rnn'
 *
 * console.log(await maximum(tensor([1, 5, 3]), 2).toArray()) // Float32Array(3) [2, 5, 3]
 * ```
 */
export const maximum = binary('maximum', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'maximumBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'maximumBackward', b, a, dY),
})
/**
 * Returns the smaller of a and b; NaN if one is NaN. Equal operands share the gradient.
 * @example
 * ```ts
 * import { minimum, tensor } from 'packed-rnn'
 *
 * console.log(await minimum(tensor([1, 5, 3]), 2).toArray()) // Float32Array(3) [1, 2, 2]
 * ```
 */
export const minimum = binary('minimum', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'minimumBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'minimumBackward', b, a, dY),
})
/**
 * Returns 1 where `a` equals `b`, and 0 elsewhere; no gradient.
 * @example
 * ```ts
 * import { eq, tensor } from 'packed-rnn'
 *
 * console.log(await eq(tensor([1, 2, 3]), 2).toArray()) // Float32Array(3) [0, 1, 0]
 * ```
 */
export const eq = binary('eq', null)
/**
 * Returns 1 where `a` is larger than `b`, and 0 elsewhere; no gradient.
 * @example
 * ```ts
 * import { gt, tensor } from 'packed-rnn'
 *
 * console.log(await gt(tensor([1, 2, 3]), 2).toArray()) // Float32Array(3) [0, 0, 1]
 * ```
 */
export const gt = binary('gt', null)
/**
 * Returns 1 where `a` is smaller than `b`, and 0 elsewhere; no gradient.
 * @example
 * ```ts
 * import { lt, tensor } from 'packed-rnn'
 *
 * console.log(await lt(tensor([1, 2, 3]), 2).toArray()) // Float32Array(3) [1, 0, 0]
 * ```
 */
export const lt = binary('lt', null)

/**
 * Returns a · b: the former name of `mul`.
 * @deprecated Use `mul`.
 * @example
 * ```ts
 * import { multiply, tensor } from 'packed-rnn'
 *
 * console.log(await multiply(tensor([1, 2]), 3).toArray()) // Float32Array(2) [3, 6]
 * ```
 */
export const multiply = binary('mul', product, 'multiply')
