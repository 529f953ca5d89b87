import { checkFloat, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { native, reductions } from '../native.js'
import { PackedSequence } from '../packed.js'
import { empty, emptyIntegers, type Float, ranked, type Tensor } from '../tensor.js'
import { withRows } from './rows.js'

/** Dimensions of tensors: options and checks for them, and reductions over them that are not recorded. */

/** The dimensions of a reduction. */
export interface ReduceOptions {
  /** One dimension or several, counted from the end if negative; default all. */
  dim?: number | readonly number[]
  /** Whether the reduced dimensions stay, with size 1; default false. */
  keepdim?: boolean
}
/** The dimension of a reduction. */
export interface AlongOptions {
  /** Counted from the end if negative. */
  dim: number
  /** Whether the dimension stays, with size 1; default false. */
  keepdim?: boolean
}
/** @internal */
export const reduceNames: OptionNames<ReduceOptions> = { dim: true, keepdim: true }

/**
 * A number near the largest float32, used instead of an infinity where an infinity would be subtracted.
 * @internal
 */
export const LARGE = 3.4e38

/**
 * Returns the index of a dimension, which is counted from the end if negative.
 * @throws PackedRnnError ERR_OUT_OF_RANGE. @internal
 */
export function dimOf(op: string, name: string, dim: number, rank: number): number {
  const dims = Math.max(rank, 1)
  if (Number.isInteger(dim) && dim >= -dims && dim < dims) return dim < 0 ? dim + dims : dim
  throw badArgument(op, name, `an integer from ${-dims} to ${dims - 1}`, dim, 'ERR_OUT_OF_RANGE')
}

/**
 * Applies a row-wise function to a tensor, or to the rows of a packed sequence, which it returns as one.
 * @internal
 */
export function onRows(
  op: string,
  x: Float | PackedSequence,
  f: (x: Float) => Float,
): Float | PackedSequence {
  if (!(x instanceof PackedSequence)) {
    checkFloat(op, 'x', x)
    return f(x)
  }
  return withRows(op, x, rows => new PackedSequence(ranked(f(rows), 2), x.sequences))
}

/**
 * Returns the sizes of the dimensions before `first`, from `first` to `end`, and after `end`, each
 * multiplied. @internal
 */
export function around(
  shape: readonly number[],
  first: number,
  end = first + 1,
): { outer: number; n: number; inner: number } {
  const product = (from: number, to: number) => {
    let n = 1
    for (let d = from; d < to; d++) n *= shape[d] ?? 1
    return n
  }
  return { outer: product(0, first), n: product(first, end), inner: product(end, shape.length) }
}

/**
 * Returns `scale` times the reduction over neighbouring dimensions, which become 1. `places` receives the
 * index of each largest value.
 */
function reduceOnce(
  x: Float,
  reduction: keyof typeof reductions,
  first: number,
  end: number,
  scale: number,
  places: Tensor<'int32'> | null,
): Float {
  const shape = x.shape.map((n, d) => (d >= first && d < end ? 1 : n))
  const y = empty<number>(x.device, shape)
  native.reduce(x.device.queue, {
    ...around(x.shape, first, end),
    reduction: reductions[reduction],
    scale,
    x: x.buffer,
    y: y.buffer,
    places: places?.buffer ?? null,
  })
  return y
}

/**
 * Returns `scale` times the reduction over dimensions in ascending order, each of which becomes 1.
 * @internal
 */
export function reduceOver(
  x: Float,
  dims: readonly number[],
  reduction: keyof typeof reductions,
  scale = 1,
): Float {
  if (dims.length === 0 && reduction === 'sum' && scale === 1) return x.alias()
  let y = x
  let kind = reduction
  let end = dims.length
  do {
    // Neighbouring dimensions are reduced together.
    let first = Math.max(end - 1, 0)
    while (first > 0 && dims[first - 1] === dims[first]! - 1) first--
    const last = first === 0
    const [from, to] = dims.length === 0 ? [0, 0] : [dims[first]!, dims[end - 1]! + 1]
    const reduced = reduceOnce(y, kind, from, to, last ? scale : 1, null)
    if (y !== x) y.dispose()
    y = reduced
    if (kind === 'sumOfSquares') kind = 'sum'
    end = first
  } while (end > 0)
  return y
}

/** Returns the index of the largest value along one dimension, which becomes 1. @internal */
export function largestPlaces(x: Float, dim: number): Tensor<'int32'> {
  const shape = x.shape.map((n, d) => (d === dim ? 1 : n))
  const places = emptyIntegers<number>(x.device, shape)
  reduceOnce(x, 'max', dim, dim + 1, 1, places).dispose()
  return places
}

/**
 * Returns the gradient of broadcasting: a sum over the dimensions in which `shape` was repeated. Disposes
 * `gradient`, or returns it. @internal
 */
export function sumTo(gradient: Float, shape: readonly number[]): Float {
  const added = gradient.shape.length - shape.length
  const dims: number[] = []
  for (let d = 0; d < gradient.shape.length; d++) {
    if (d < added || (shape[d - added] === 1 && gradient.shape[d] !== 1)) dims.push(d)
  }
  if (dims.length === 0) return gradient
  const sum = reduceOver(gradient, dims, 'sum')
  gradient.dispose()
  const y = sum.as(shape)
  sum.dispose()
  return y
}
