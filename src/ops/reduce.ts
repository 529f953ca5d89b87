import { isRecorded, record } from '../autograd.js'
import { checkInteger, checkList, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, broadcastStrides, walkOf } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, emptyIntegers, type Float, Tensor } from '../tensor.js'
import { contiguous } from './blocks.js'
import { around, checkFloat, dimOf, LARGE, largestPlaces, reduceOver } from './dims.js'
import { abs, add, exp, log, sub } from './elementwise.js'
import { transpose } from './shape.js'

export { logSoftmax, softmax } from './softmax.js'

/**
 * From many numbers to few, in an order that depends on the shape alone. Dimensions are counted from the end where they
 * are negative. Every op throws ERR_OUT_OF_RANGE for a dimension that x has not, and ERR_DTYPE, ERR_DISPOSED or
 * ERR_INVALID_ARGUMENT for another tensor or an unknown option.
 */

/** Over which dimensions. */
export interface ReduceOptions {
  /** One or several; default all. */
  dim?: number | readonly number[]
  /** Whether they stay, as 1; default false. */
  keepdim?: boolean
}
/** Over which one dimension. */
export interface AlongOptions {
  /** Counted from the end where it is negative. */
  dim: number
  /** Whether it stays, as 1; default false. */
  keepdim?: boolean
}
const reduceNames: OptionNames<ReduceOptions> = { dim: true, keepdim: true }

interface Over {
  /** Ascending. */
  dims: readonly number[]
  /** Of the result. */
  shape: readonly number[]
  /** With every dimension that goes as 1. */
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
  // Of nothing there may be more results than numbers.
  if (x.size === 0) checkShape(op, kept)
  const shape = keepdim ? kept : x.shape.filter((_, d) => !dims.includes(d))
  const count = dims.reduce((product, d) => product * (x.shape[d] ?? 1), 1)
  // The gradient broadcasts.
  if (rank > 4 && isRecorded([x])) walkOf(op, x.shape, [contiguous(x.shape), broadcastStrides(kept, x.shape)])
  return { dims: dims.filter(d => d < rank), shape, kept, count }
}

/** A gradient in the result, repeated over what was reduced, times a number. */
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

/** All threads share a sum of all. */
function sumOfAll(x: Float): Float {
  const y = empty<0>(x.device, [])
  native.sum(x.device.queue, { count: x.size, values: x.buffer, out: y.buffer })
  return y
}

/**
 * The sum over dimensions; of nothing it is 0.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function sum(x: Float, options?: Record<string, never>): Tensor<'float32', 0>
export function sum(x: Float, options: ReduceOptions): Float
export function sum(x: Float, options: ReduceOptions = {}): Float {
  return summed('sum', x, options, () => 1)
}

/**
 * The mean over dimensions; of nothing it is NaN.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function mean(x: Float, options?: Record<string, never>): Tensor<'float32', 0>
export function mean(x: Float, options: ReduceOptions): Float
export function mean(x: Float, options: ReduceOptions = {}): Float {
  return summed('mean', x, options, count => 1 / count)
}

function extreme(op: string, x: Float, options: ReduceOptions, reduction: 'max' | 'min'): Float {
  const { dims, shape, kept, count } = over(op, x, options)
  if (count === 0) throw badArgument(op, 'x', 'at least one number to choose from', x.shape, 'ERR_SHAPE')
  const reduced = reduceOver(x, dims, reduction)
  const y = reduced.as(shape)
  reduced.dispose()
  record(op, [x], [y], keeper => {
    const [heldX, heldY] = [keeper.hold(x), keeper.hold(y)]
    return ([dY]) => {
      if (!dY) return [null]
      // Equals share the gradient.
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

/** The largest over dimensions; a NaN wins, and equals share the gradient. @throws PackedRnnError ERR_SHAPE of nothing. */
export function amax(x: Float, options: ReduceOptions = {}): Float {
  return extreme('amax', x, options, 'max')
}

/** The smallest over dimensions; a NaN wins, and equals share the gradient. @throws PackedRnnError ERR_SHAPE of nothing. */
export function amin(x: Float, options: ReduceOptions = {}): Float {
  return extreme('amin', x, options, 'min')
}

/**
 * The place of the largest along a dimension, or among all numbers; of equals the first, and a NaN wins. No gradient.
 * @throws PackedRnnError ERR_SHAPE of nothing.
 */
export function argmax(x: Float, options: Partial<AlongOptions> = {}): Tensor<'int32'> {
  const op = 'argmax'
  checkOptions(op, options, reduceNames)
  checkFloat(op, 'x', x)
  const { keepdim = false } = options
  const whole = options.dim === undefined
  const dim = options.dim === undefined ? 0 : dimOf(op, 'dim', options.dim, x.shape.length)
  if ((whole ? x.size : (x.shape[dim] ?? 1)) === 0)
    throw badArgument(op, 'x', 'at least one number to choose from', x.shape, 'ERR_SHAPE')
  const flat = whole ? x.as([x.size]) : x
  const places = largestPlaces(flat, dim)
  if (whole) flat.dispose()
  const shape = whole
    ? keepdim
      ? x.shape.map(() => 1)
      : []
    : x.shape.flatMap((n, d) => (d !== dim ? [n] : keepdim ? [1] : []))
  const result = places.as(shape)
  places.dispose()
  return result
}

/**
 * log Σ exp x along a dimension, without overflow; of nothing it is −∞.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
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

/** A tensor without a dimension of 1, on the tape. */
function withoutDim(x: Float, dim: number): Float {
  const y = x.as(x.shape.filter((_, d) => d !== dim))
  const from: Float['shape'] = x.shape
  record('squeeze', [x], [y], () => ([dY]) => [dY ? dY.as(from) : null])
  return y
}

/** Which norm, over which dimensions. */
export interface NormOptions extends ReduceOptions {
  /** 1, 2 or Infinity; default 2. */
  p?: number
}
const normNames: OptionNames<NormOptions> = { p: true, ...reduceNames }

/**
 * The 1-, 2- or ∞-norm over dimensions; the gradient at 0 is 0.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for another p.
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

function cumulated(x: Float, dim: number, reversed: boolean): Float {
  const y = empty<number>(x.device, x.shape)
  native.cumulativeSum(x.device.queue, { ...around(x.shape, dim), reversed, x: x.buffer, y: y.buffer })
  return y
}

/**
 * Running sums along a dimension.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function cumsum<R extends number>(x: Tensor<'float32', R>, dim: number): Tensor<'float32', R>
export function cumsum(x: Float, dim: number): Float {
  const op = 'cumsum'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const y = cumulated(x, along, false)
  record(op, [x], [y], () => ([dY]) => [dY ? cumulated(dY, along, true) : null])
  return y
}

/** Along which dimension, and from which end. */
export interface TopkOptions {
  /** Default −1, the last. */
  dim?: number
  /** Whether the largest come, or else the smallest; default true. */
  largest?: boolean
}
const topkNames: OptionNames<TopkOptions> = { dim: true, largest: true }

/**
 * The k largest along a dimension, sorted, and their places; of equals the first comes first, and a NaN is the largest.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a k outside [0, n].
 */
export function topk(
  x: Float,
  k: number,
  options: TopkOptions = {},
): { values: Float; indices: Tensor<'int32'> } {
  const op = 'topk'
  checkOptions(op, options, topkNames)
  checkFloat(op, 'x', x)
  const { largest = true } = options
  const rank = x.shape.length
  const dim = dimOf(op, 'dim', options.dim ?? -1, rank)
  checkInteger(op, 'k', k, rank === 0 ? 1 : 0, x.shape[dim] ?? 1)
  if (rank > 1 && dim !== rank - 1) {
    return scope(() => {
      const { values, indices } = topk(transpose(x, dim, -1), k, { largest })
      return { values: transpose(values, dim, -1), indices: transposedIntegers(indices, dim) }
    })
  }
  const columns = x.shape[rank - 1] ?? 1
  const rows = columns === 0 ? 0 : x.size / columns
  const shape = rank === 0 ? [] : [...x.shape.slice(0, -1), k]
  const values = empty<number>(x.device, shape)
  const indices = emptyIntegers<number>(x.device, shape)
  native.topK(x.device.queue, {
    rows: columns === 0 ? values.size / Math.max(k, 1) : rows,
    columns,
    k,
    largest,
    x: x.buffer,
    values: values.buffer,
    places: indices.buffer,
  })
  record(op, [x], [values], keeper => {
    const places = keeper.hold(indices)
    const from: Float['shape'] = x.shape
    return ([dValues]) => {
      if (!dValues) return [null]
      const dX = applyFunction<number>('copy', x.device, from, 0)
      native.addAlong(x.device.queue, {
        outer: rows,
        n: columns,
        inner: 1,
        count: k,
        each: true,
        x: dValues.buffer,
        index: places.buffer,
        y: dX.buffer,
      })
      return [dX]
    }
  })
  return { values, indices }
}

/** An int32 tensor with a dimension and the last one exchanged: its bits are copied as those of numbers. */
function transposedIntegers(x: Tensor<'int32'>, dim: number): Tensor<'int32'> {
  const bits = new Tensor<'float32', number>(x.device, 'float32', x.shape, x.storage.retain())
  const moved = transpose(bits, dim, -1)
  const y = new Tensor<'int32', number>(x.device, 'int32', moved.shape, moved.storage.retain())
  for (const part of [bits, moved]) part.dispose()
  return y
}
