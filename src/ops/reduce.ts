import { isRecorded, record } from '../autograd.js'
import { checkFloat, checkList, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, broadcastStrides, walkOf } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Tensor } from '../tensor.js'
import { contiguous } from './blocks.js'
import { type AlongOptions, dimOf, LARGE, type ReduceOptions, reduceNames, reduceOver } from './dims.js'
import { abs, add, exp, log, sub } from './elementwise.js'

export { cumsum } from './cumulative.js'
export type { AlongOptions, ReduceOptions } from './dims.js'
export { argmax, type TopkOptions, topk } from './order.js'
export { logSoftmax, softmax } from './softmax.js'

/** Reductions, in an order that depends on the shape alone. Negative dimensions are counted from the end. */

interface Over {
  /** Ascending. */
  dims: readonly number[]
  /** The shape of the result. */
  shape: readonly number[]
  /** The shape with 1 for every reduced dimension. */
  kept: readonly number[]
  count: number
}

function over(op: string, x: Float, options: ReduceOptions): Over {
  checkOptions(op, options, reduceNames)
  checkFloat(op, 'x', x)
  const { dim, keepdim = false } = options
  const rank = x.shape.length
  const given = dim === undefined ? x.shape.map((_, d) => d) : typeof dim === 'number' ? [dim] : dim
  checkList(op, 'dim', given, 'dimensions')
  const dims = given.map(d => dimOf(op, 'dim', d, rank)).sort((a, b) => a - b)
  dims.forEach((d, i) => {
    if (d === dims[i - 1]) throw badArgument(op, 'dim', 'each dimension once', given, 'ERR_OUT_OF_RANGE')
  })
  const kept = x.shape.map((n, d) => (dims.includes(d) ? 1 : n))
  // Without elements, there can be more results than numbers.
  if (x.size === 0) checkShape(op, kept)
  const shape = keepdim ? kept : x.shape.filter((_, d) => !dims.includes(d))
  const count = dims.reduce((product, d) => product * (x.shape[d] ?? 1), 1)
  // The gradient broadcasts: check now that it can.
  if (rank > 4 && isRecorded([x])) walkOf(op, x.shape, [contiguous(x.shape), broadcastStrides(kept, x.shape)])
  return { dims: dims.filter(d => d < rank), shape, kept, count }
}

/** Returns the gradient of the result, repeated over the reduced dimensions and multiplied by `scale`. */
function repeated(dY: Float, x: Float['shape'], kept: readonly number[], scale: number): Float {
  const wide = dY.as(kept)
  const dX = applyFunction<number>('mul', dY.device, x, wide, scale)
  wide.dispose()
  return dX
}

function summed(op: string, x: Float, options: ReduceOptions, scaleOf: (count: number) => number): Float {
  const { dims, shape, kept, count } = over(op, x, options)
  const scale = scaleOf(count)
  const whole = dims.length === x.shape.length && scale === 1
  const reduced = whole ? sumOfAll(x) : reduceOver(x, dims, 'sum', scale)
  const y = reduced.as(shape)
  reduced.dispose()
  const from: Float['shape'] = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? repeated(dY, from, kept, scale) : null])
  return y
}

/** Sums all elements, on all threads. */
function sumOfAll(x: Float): Float {
  const y = empty<0>(x.device, [])
  native.sum(x.device.queue, { count: x.size, values: x.buffer, out: y.buffer })
  return y
}

/**
 * Returns the sum over dimensions; 0 for no elements.
 * @example
 * ```ts
 * import { sum, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4], [2, 2])
 * console.log(await sum(x).item(), await sum(x, { dim: 0 }).toArray()) // 10 Float32Array(2) [4, 6]
 * console.log(sum(x, { dim: -1, keepdim: true }).shape) // [2, 1]
 * ```
 */
export function sum(x: Float, options?: Record<string, never>): Tensor<'float32', 0>
export function sum(x: Float, options: ReduceOptions): Float
export function sum(x: Float, options: ReduceOptions = {}): Float {
  return summed('sum', x, options, () => 1)
}

/**
 * Returns the mean over dimensions; NaN for no elements.
 * @example
 * ```ts
 * import { mean, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4], [2, 2])
 * console.log(await mean(x).item(), await mean(x, { dim: 1 }).toArray()) // 2.5 Float32Array(2) [1.5, 3.5]
 * ```
 */
export function mean(x: Float, options?: Record<string, never>): Tensor<'float32', 0>
export function mean(x: Float, options: ReduceOptions): Float
export function mean(x: Float, options: ReduceOptions = {}): Float {
  return summed('mean', x, options, count => 1 / count)
}

function extreme(op: string, x: Float, options: ReduceOptions, reduction: 'max' | 'min'): Float {
  const { dims, shape, kept, count } = over(op, x, options)
  if (count === 0) throw badArgument(op, 'x', 'at least one element', x.shape, 'ERR_SHAPE')
  const reduced = reduceOver(x, dims, reduction)
  const y = reduced.as(shape)
  reduced.dispose()
  record(op, [x], [y], keeper => {
    const [heldX, heldY] = [keeper.hold(x), keeper.hold(y)]
    return ([dY]) => {
      if (!dY) return [null]
      // Equal elements share the gradient.
      const [wideY, wideD] = [heldY.as(kept), dY.as(kept)]
      const equal = applyFunction<number>('eq', x.device, heldX.shape, heldX, wideY)
      const many = reduceOver(equal, dims, 'sum')
      const share = applyFunction<number>('div', x.device, many.shape, wideD, many)
      const dX = applyFunction<number>('where', x.device, heldX.shape, equal, share, 0)
      for (const part of [wideY, wideD, equal, many, share]) part.dispose()
      return [dX]
    }
  })
  return y
}

/**
 * Returns the largest value over dimensions; a NaN counts as the largest. Equal elements share the gradient.
 * @throws PackedRnnError ERR_SHAPE for no elements.
 * @example
 * ```ts
 * import { amax, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 5, 3, 4], [2, 2])
 * console.log(await amax(x).item(), await amax(x, { dim: 1 }).toArray()) // 5 Float32Array(2) [5, 4]
 * ```
 */
export function amax(x: Float, options: ReduceOptions = {}): Float {
  return extreme('amax', x, options, 'max')
}

/**
 * Returns the smallest value over dimensions; a NaN counts as the smallest. Equal elements share the
 * gradient.
 * @throws PackedRnnError ERR_SHAPE for no elements.
 * @example
 * ```ts
 * import { amin, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 5, 3, 4], [2, 2])
 * console.log(await amin(x).item(), await amin(x, { dim: 1 }).toArray()) // 1 Float32Array(2) [1, 3]
 * ```
 */
export function amin(x: Float, options: ReduceOptions = {}): Float {
  return extreme('amin', x, options, 'min')
}

/**
 * Returns log Σ exp x along a dimension, without overflow; −∞ for no elements.
 * @example
 * ```ts
 * import { logsumexp, tensor } from 'packed-rnn'
 *
 * const y = await logsumexp(tensor([0, 0, 1000, 0], [2, 2]), { dim: 1 }).toArray()
 * console.log(y[0]?.toFixed(4), y[1]) // 0.6931 1000
 * ```
 */
export function logsumexp(x: Float, options: AlongOptions): Float {
  const op = 'logsumexp'
  checkOptions(op, options, reduceNames)
  checkFloat(op, 'x', x)
  const dim = dimOf(op, 'dim', options.dim, x.shape.length)
  const none = (x.shape[dim] ?? 1) === 0
  if (none) {
    checkShape(
      op,
      x.shape.map((n, d) => (d === dim ? 1 : n)),
    )
  }
  const top = reduceOver(x, x.shape.length === 0 ? [] : [dim], 'max')
  const finite = applyFunction<number>('clamp', x.device, top.shape, top, none ? 0 : -LARGE, none ? 0 : LARGE)
  top.dispose()
  const keepdim = options.keepdim === true || x.shape.length === 0
  const y = scope(() => {
    const total = add(log(sum(exp(sub(x, finite)), { dim, keepdim: true })), finite)
    return keepdim ? total : withoutDim(total, dim)
  })
  finite.dispose()
  return y
}

/** Returns a tensor without a dimension of size 1, on the tape. */
function withoutDim(x: Float, dim: number): Float {
  const y = x.as(x.shape.filter((_, d) => d !== dim))
  const from: Float['shape'] = x.shape
  record('squeeze', [x], [y], () => ([dY]) => [dY ? dY.as(from) : null])
  return y
}

/** Options of `norm`. */
export interface NormOptions extends ReduceOptions {
  /** The kind of norm: 1, 2 or Infinity; default 2. */
  p?: number
}
const normNames: OptionNames<NormOptions> = { p: true, ...reduceNames }

/**
 * Returns the 1-, 2- or ∞-norm over dimensions. The gradient at 0 is 0.
 * @example
 * ```ts
 * import { norm, tensor } from 'packed-rnn'
 *
 * const x = tensor([3, -4, 0, 2], [2, 2])
 * console.log(await norm(x, { dim: 1 }).toArray(), await norm(x, { p: Infinity }).item()) // Float32Array(2) [5, 2] 4
 * ```
 */
export function norm(x: Float, options: NormOptions = {}): Float {
  const op = 'norm'
  checkOptions(op, options, normNames)
  const { p = 2, ...rest } = options
  if (p !== 1 && p !== 2 && p !== Infinity) throw badArgument(op, 'p', '1, 2 or Infinity', p)
  const { dims, shape, kept, count } = over(op, x, rest)
  if (p !== 2) return scope(() => (p === 1 || count === 0 ? sum(abs(x), rest) : amax(abs(x), rest)))
  const squares = reduceOver(x, dims, 'sumOfSquares')
  const root = applyFunction<number>('sqrt', x.device, squares.shape, squares)
  const y = root.as(shape)
  squares.dispose()
  root.dispose()
  record(op, [x], [y], keeper => {
    const [heldX, heldY] = [keeper.hold(x), keeper.hold(y)]
    return ([dY]) => {
      if (!dY) return [null]
      const [wideY, wideD] = [heldY.as(kept), dY.as(kept)]
      const rate = applyFunction<number>('div', x.device, kept, wideD, wideY)
      const finite = applyFunction<number>('where', x.device, kept, wideY, rate, 0)
      const dX = applyFunction<number>('mul', x.device, heldX.shape, heldX, finite)
      for (const part of [wideY, wideD, rate, finite]) part.dispose()
      return [dX]
    }
  })
  return y
}
