import { record } from '../autograd.js'
import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, broadcastShape, type Operand } from '../elements.js'
import { badArgument } from '../errors.js'
import type { functions } from '../native.js'
import type { PackedSequence } from '../packed.js'
import type { Float, Tensor } from '../tensor.js'
import { checkFloat, onRows, sumTo } from './dims.js'

/**
 * Functions of single elements. Shapes broadcast as NumPy's: aligned at the last dimension, a 1 is repeated; a number
 * stands for a tensor of it. Every one throws ERR_DTYPE, ERR_DEVICE or ERR_DISPOSED for a tensor that does not fit,
 * ERR_SHAPE where shapes do not broadcast or more than four dimensions are left that do not lie in line, and
 * ERR_INVALID_ARGUMENT for something that is no tensor.
 */

type Name = keyof typeof functions

/** A function of the rows of a batch, too, which come back as a batch. */
export interface UnaryOp {
  <R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R>
  (x: PackedSequence): PackedSequence
}

/** A function of two operands, at least one of them a tensor. */
export interface BinaryOp {
  <R extends number>(a: Tensor<'float32', R>, b: Tensor<'float32', R> | number): Tensor<'float32', R>
  <R extends number>(a: number, b: Tensor<'float32', R>): Tensor<'float32', R>
  (a: Operand, b: Operand): Float
}

/** The gradient in an argument x, given the result y and the gradient in it. */
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

/** f(a, b, c) in the shape of the last operand that is a tensor of the result's shape. */
function like(dY: Float, name: Name, a: Operand, b?: Operand, c?: Operand): Float {
  return applyFunction<number>(name, dY.device, dY.shape, a, b, c)
}

/** −x. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const neg = unary('neg', 'neither', dY => like(dY, 'neg', dY))
/**
 * eˣ, to 4 units in the last place; what would be denormal is 0.
 * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const exp = unary('exp', 'y', (dY, y) => like(dY, 'mul', y, dY))
/** The natural logarithm. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const log = unary('log', 'x', (dY, x) => like(dY, 'div', dY, x))
/** √x. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const sqrt = unary('sqrt', 'y', (dY, y) => like(dY, 'sqrtBackward', y, dY))
/** |x|; the gradient at 0 is 0. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const abs = unary('abs', 'x', (dY, x) => like(dY, 'absBackward', x, dY))
/** log(1 + eˣ), without overflow. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const softplus = unary('softplus', 'x', (dY, x) => like(dY, 'softplusBackward', x, dY))
/**
 * 1 / (1 + e⁻ˣ), to 4 units in the last place.
 * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const sigmoid = unary('sigmoid', 'y', (dY, y) => like(dY, 'sigmoidBackward', y, dY))
/** tanh x, to 4 units in the last place. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const tanh = unary('tanh', 'y', (dY, y) => like(dY, 'tanhBackward', y, dY))
/** max(x, 0); the gradient at 0 is 0. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const relu = unary('relu', 'y', (dY, y) => like(dY, 'reluBackward', y, dY))
/**
 * x Φ(x), Φ the normal distribution's (Hendrycks and Gimpel 2016), by the error function.
 * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const gelu = unary('gelu', 'x', (dY, x) => like(dY, 'geluBackward', x, dY))

/** What the gradients of a function of two operands are made of. */
interface Pair {
  a: Operand
  b: Operand
  y: Float
}
interface BinaryRule {
  /** Whether they read the operands, and the result. */
  operands: boolean
  result: boolean
  a(dY: Float, pair: Pair): Float
  b(dY: Float, pair: Pair): Float
}

function checkOperand(op: string, name: string, x: Operand, device?: Float['device']): void {
  if (typeof x !== 'number') checkFloat(op, name, x, device)
}

/** The device and the shape of the results of an op, given its operands by name. */
function joined(
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

/** What is no number is checked for being a tensor. */
function isTensor(x: Operand): x is Float {
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

/** a + b. @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const add = binary('add', {
  operands: false,
  result: false,
  a: dY => dY.alias(),
  b: dY => dY.alias(),
})
/** a − b. @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const sub = binary('sub', {
  operands: false,
  result: false,
  a: dY => dY.alias(),
  b: dY => like(dY, 'neg', dY),
})
/** a · b. @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const mul = binary('mul', product)
/** a / b. @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT. */
export const div = binary('div', {
  operands: true,
  result: true,
  a: (dY, { b }) => like(dY, 'div', dY, b),
  b: (dY, { b, y }) => like(dY, 'divBackward', y, b, dY),
})
/**
 * aᵇ; of a negative a only for a whole b.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const pow = binary('pow', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'powBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'powBackwardExponent', a, b, dY),
})
/**
 * The larger of a and b, a NaN where one is; equals share the gradient.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const maximum = binary('maximum', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'maximumBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'maximumBackward', b, a, dY),
})
/**
 * The smaller of a and b, a NaN where one is; equals share the gradient.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const minimum = binary('minimum', {
  operands: true,
  result: false,
  a: (dY, { a, b }) => like(dY, 'minimumBackward', a, b, dY),
  b: (dY, { a, b }) => like(dY, 'minimumBackward', b, a, dY),
})
/**
 * 1 where a equals b, else 0; no gradient.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const eq = binary('eq', null)
/**
 * 1 where a is larger than b, else 0; no gradient.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const gt = binary('gt', null)
/**
 * 1 where a is smaller than b, else 0; no gradient.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export const lt = binary('lt', null)

/**
 * `mul` under its first name.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 * @deprecated Use `mul`.
 */
export const multiply = binary('mul', product, 'multiply')

/**
 * factor · x
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a factor that is not finite; ERR_DTYPE, ERR_DISPOSED.
 * @deprecated Use `mul`.
 */
export function scale<R extends number>(x: Tensor<'float32', R>, factor: number): Tensor<'float32', R> {
  checkFloat('scale', 'x', x)
  checkNumber('scale', 'factor', factor, -Infinity)
  return mul(x, factor)
}

/**
 * a where the condition is not 0, else b; no gradient in the condition.
 * @throws PackedRnnError as all of these.
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

/** Bounds; one that is left out is infinite. */
export interface ClampOptions {
  /** What smaller numbers become. */
  min?: number
  /** What larger numbers become. */
  max?: number
}
const clampNames: OptionNames<ClampOptions> = { min: true, max: true }

/**
 * x between bounds; a NaN stays one. The gradient is 1 from bound to bound, and 0 beyond them.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a bound that is NaN, or a `min` above `max`; as all of these.
 */
export function clamp<R extends number>(
  x: Tensor<'float32', R>,
  options: ClampOptions,
): Tensor<'float32', R> {
  const op = 'clamp'
  checkOptions(op, options, clampNames)
  checkFloat(op, 'x', x)
  const { min = -Infinity, max = Infinity } = options
  for (const [name, value] of Object.entries({ min, max })) {
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw badArgument(op, name, 'a number', value, 'ERR_OUT_OF_RANGE')
    }
  }
  if (min > max) throw badArgument(op, 'min', `at most max ${max}`, min, 'ERR_OUT_OF_RANGE')
  const y = applyFunction<R>('clamp', x.device, x.shape, x, min, max)
  record(op, [x], [y], keeper => {
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
