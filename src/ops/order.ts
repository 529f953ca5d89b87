import { record } from '../autograd.js'
import { checkFloat, checkInteger, checkOptions, type OptionNames } from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { empty, emptyIntegers, type Float, type Tensor } from '../tensor.js'
import { viaBits } from './bits.js'
import { type AlongOptions, dimOf, largestPlaces, reduceNames } from './dims.js'
import { transpose } from './shape.js'

/** The largest values of a dimension and where they are. */

/**
 * Returns the index of the largest value along a dimension, or of all elements; the first among equals. A NaN
 * counts as the largest. No gradient.
 * @throws PackedRnnError ERR_SHAPE for no elements.
 * @example
 * ```ts
 * import { argmax, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 5, 3, 4, 4, 0], [2, 3])
 * console.log(await argmax(x).item(), await argmax(x, { dim: 1 }).toArray()) // 1 Int32Array(2) [1, 0]
 * ```
 */
export function argmax(x: Float, options: Partial<AlongOptions> = {}): Tensor<'int32'> {
  const op = 'argmax'
  checkOptions(op, options, reduceNames)
  checkFloat(op, 'x', x)
  const { keepdim = false } = options
  const whole = options.dim === undefined
  const dim = options.dim === undefined ? 0 : dimOf(op, 'dim', options.dim, x.shape.length)
  if ((whole ? x.size : (x.shape[dim] ?? 1)) === 0)
    throw badArgument(op, 'x', 'at least one element', x.shape, 'ERR_SHAPE')
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

/** Options of `topk`. */
export interface TopkOptions {
  /** The dimension, counted from the end if negative; default −1, the last. */
  dim?: number
  /** Whether to return the largest, rather than the smallest, values; default true. */
  largest?: boolean
}
const topkNames: OptionNames<TopkOptions> = { dim: true, largest: true }

/**
 * Returns the k largest values along a dimension, sorted, and their indices. The first among equals comes
 * first, and a NaN counts as the largest.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if k is outside [0, n].
 * @example
 * ```ts
 * import { tensor, topk } from 'packed-rnn'
 *
 * const { values, indices } = topk(tensor([1, 5, 3, 4]), 2)
 * console.log(await values.toArray(), await indices.toArray()) // Float32Array(2) [5, 4] Int32Array(2) [1, 3]
 * ```
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
      return {
        values: transpose(values, dim, -1),
        indices: viaBits(indices, bits => transpose(bits, dim, -1)),
      }
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
