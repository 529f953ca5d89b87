import { record } from '../autograd.js'
import { checkInteger, checkList } from '../check.js'
import { broadcastStrides } from '../elements.js'
import { badArgument } from '../errors.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Shape, sizeOf, type Tensor } from '../tensor.js'
import { block, blockOf, contiguous, copyBlock, reordered } from './blocks.js'
import { checkFloat, dimOf, sumTo } from './dims.js'

/**
 * The same numbers in other shapes and orders. Tensors stay contiguous: all but `reshape`, `squeeze` and `unsqueeze` copy.
 * Every op throws ERR_OUT_OF_RANGE for a dimension that x has not, and ERR_DTYPE, ERR_DISPOSED or ERR_INVALID_ARGUMENT for
 * another tensor.
 */

/**
 * The same numbers, row-major, in another shape. Nothing is copied: both tensors hold the memory, until the last of
 * them is disposed.
 *
 * @param shape of as many elements; one size may be −1, which is what the others leave.
 * @throws PackedRnnError ERR_SHAPE for another number of elements; ERR_DTYPE, ERR_DISPOSED.
 */
export function reshape<const S extends Shape>(x: Tensor<'float32'>, shape: S): Tensor<'float32', S['length']>
export function reshape<R extends number>(x: Tensor<'float32'>, shape: Shape<R>): Tensor<'float32', R>
export function reshape(x: Tensor<'float32'>, shape: Shape): Tensor<'float32'> {
  const op = 'reshape'
  checkFloat(op, 'x', x)
  checkList(op, 'shape', shape, 'sizes')
  const open = shape.indexOf(-1)
  const others = shape.reduce((product, n, d) => (d === open ? product : product * n), 1)
  const wanted = open < 0 ? [...shape] : shape.map((n, d) => (d === open ? x.size / others : n))
  const whole = wanted.every(n => Number.isInteger(n) && n >= 0)
  if (!whole || sizeOf(wanted) !== x.size) {
    throw badArgument(op, 'shape', `${x.size} elements`, shape, 'ERR_SHAPE')
  }
  checkShape(op, wanted)
  return viewed(op, x, wanted)
}

/** A view, on the tape. */
function viewed(op: string, x: Float, shape: readonly number[]): Float {
  const y = x.as<number>(shape)
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? dY.as(from) : null])
  return y
}

function permuted(op: string, x: Float, order: readonly number[]): Float {
  const strides = contiguous(x.shape)
  const move = (from: Float, by: readonly number[]) => {
    const own = contiguous(from.shape)
    return reordered(
      op,
      from,
      by.map(d => from.shape[d]!),
      by.map(d => own[d]!),
    )
  }
  const y = reordered(
    op,
    x,
    order.map(d => x.shape[d]!),
    order.map(d => strides[d]!),
  )
  const back = order.map((_, d) => order.indexOf(d))
  record(op, [x], [y], () => ([dY]) => [dY ? move(dY, back) : null])
  return y
}

/**
 * x with two dimensions exchanged.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function transpose<R extends number>(
  x: Tensor<'float32', R>,
  dim0: number,
  dim1: number,
): Tensor<'float32', R>
export function transpose(x: Float, dim0: number, dim1: number): Float {
  const op = 'transpose'
  checkFloat(op, 'x', x)
  const rank = x.shape.length
  const [a, b] = [dimOf(op, 'dim0', dim0, rank), dimOf(op, 'dim1', dim1, rank)]
  return permuted(
    op,
    x,
    x.shape.map((_, d) => (d === a ? b : d === b ? a : d)),
  )
}

/**
 * x with its dimensions in another order.
 * @param dims each dimension once.
 * @throws PackedRnnError ERR_SHAPE for another number of them; ERR_INVALID_ARGUMENT for one that comes twice.
 */
export function permute<R extends number>(
  x: Tensor<'float32', R>,
  dims: readonly number[],
): Tensor<'float32', R>
export function permute(x: Float, dims: readonly number[]): Float {
  const op = 'permute'
  checkFloat(op, 'x', x)
  const rank = x.shape.length
  checkList(op, 'dims', dims, 'dimensions')
  if (dims.length !== rank) throw badArgument(op, 'dims', `${rank} dimensions`, dims, 'ERR_SHAPE')
  const order = dims.map(dim => dimOf(op, 'dims', dim, rank))
  if (new Set(order).size !== rank) throw badArgument(op, 'dims', 'each dimension once', dims)
  return permuted(op, x, order)
}

/**
 * x without a dimension, if it is 1, or without all that are. Shares the memory.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function squeeze(x: Float, dim?: number): Float {
  const op = 'squeeze'
  checkFloat(op, 'x', x)
  const only = dim === undefined ? undefined : dimOf(op, 'dim', dim, x.shape.length)
  const shape = x.shape.filter((n, d) => n !== 1 || (only !== undefined && d !== only))
  return viewed(op, x, shape)
}

/**
 * x with a dimension of 1 more, which comes before `dim`. Shares the memory.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function unsqueeze(x: Float, dim: number): Float {
  const op = 'unsqueeze'
  checkFloat(op, 'x', x)
  const at = dimOf(op, 'dim', dim, x.shape.length + 1)
  return viewed(op, x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

/**
 * x repeated where it is 1, and in dimensions before its own.
 * @param shape what x broadcasts to; −1 is the size that x has.
 * @throws PackedRnnError ERR_SHAPE where it does not.
 */
export function expand<const S extends Shape>(x: Float, shape: S): Tensor<'float32', S['length']>
export function expand(x: Float, shape: Shape): Float {
  const op = 'expand'
  checkFloat(op, 'x', x)
  checkList(op, 'shape', shape, 'sizes')
  const added = shape.length - x.shape.length
  const wanted = shape.map((n, d) => (n === -1 && d >= added ? x.shape[d - added]! : n))
  const fits =
    added >= 0 &&
    wanted.every(n => Number.isInteger(n) && n >= 0) &&
    x.shape.every((n, d) => n === 1 || n === wanted[d + added])
  if (!fits)
    throw badArgument(op, 'shape', `a shape that [${x.shape.join(', ')}] repeats to`, shape, 'ERR_SHAPE')
  const y = reordered(op, x, wanted, broadcastStrides(x.shape, wanted))
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? sumTo(dY.alias(), from) : null])
  return y
}

/** That tensors agree in all dimensions but `dim`; all of them where that is −1. */
function checkAlike(op: string, tensors: readonly Float[], dim: number): void {
  const first = tensors[0]!
  tensors.forEach((each, i) => {
    const name = `tensors[${i}]`
    checkFloat(op, name, each, first.device)
    const fits =
      each.shape.length === first.shape.length &&
      each.shape.every((n, d) => d === dim || n === first.shape[d])
    if (fits) return
    const wanted = first.shape.map((n, d) => (d === dim ? '*' : n)).join(', ')
    throw badArgument(op, name, `shape [${wanted}]`, each.shape, 'ERR_SHAPE')
  })
}

function firstTensor(op: string, tensors: readonly Float[]): Float {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw badArgument(op, 'tensors', 'at least one tensor', tensors)
  }
  checkFloat(op, 'tensors[0]', tensors[0])
  return tensors[0]
}

/**
 * Tensors one after the other along a dimension.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for none; ERR_SHAPE where they differ in another dimension; ERR_DEVICE.
 */
export function cat<R extends number>(
  tensors: readonly Tensor<'float32', R>[],
  dim?: number,
): Tensor<'float32', R>
export function cat(tensors: readonly Float[], dim = 0): Float {
  return joinedAlong('cat', tensors, dim)
}

function joinedAlong(op: string, tensors: readonly Float[], dim: number): Float {
  const first = firstTensor(op, tensors)
  const along = dimOf(op, 'dim', dim, first.shape.length)
  if (first.shape.length === 0) throw badArgument(op, 'tensors[0]', 'a dimension', first.shape, 'ERR_SHAPE')
  checkAlike(op, tensors, along)
  const sizes = tensors.map(each => each.shape[along]!)
  const total = sizes.reduce((sum, n) => sum + n, 0)
  const shape = first.shape.map((n, d) => (d === along ? total : n))
  checkShape(op, shape)
  const y = empty<number>(first.device, shape)
  const strides = contiguous(shape)
  let start = 0
  const starts = sizes.map(n => {
    start += n
    return start - n
  })
  tensors.forEach((each, i) => {
    const from = { of: each, first: 0, strides: contiguous(each.shape) }
    const at = each.size === 0 ? 0 : starts[i]! * strides[along]!
    copyBlock(op, each.shape, from, { of: y, first: at, strides })
  })
  const shapes = tensors.map((each): Shape => each.shape)
  record(op, tensors, [y], () => ([dY], wanted) => {
    return shapes.map((own, i) => {
      if (!dY || !wanted[i]) return null
      return blockOf(
        op,
        dY,
        own.map((_, d) => (d === along ? starts[i]! : 0)),
        own,
      )
    })
  })
  return y
}

/**
 * Tensors of one shape side by side in a dimension of their own.
 * @throws PackedRnnError as `cat`.
 */
export function stack(tensors: readonly Float[], dim = 0): Float {
  const op = 'stack'
  const first = firstTensor(op, tensors)
  const at = dimOf(op, 'dim', dim, first.shape.length + 1)
  checkAlike(op, tensors, -1)
  const own = [...first.shape.slice(0, at), 1, ...first.shape.slice(at)]
  return scope(() =>
    joinedAlong(
      op,
      tensors.map(each => viewed(op, each, own)),
      at,
    ),
  )
}

/**
 * `length` entries of a dimension from `start` on.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for entries that x has not.
 */
export function narrow<R extends number>(
  x: Tensor<'float32', R>,
  dim: number,
  start: number,
  length: number,
): Tensor<'float32', R>
export function narrow(x: Float, dim: number, start: number, length: number): Float {
  const op = 'narrow'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const n = x.shape[along] ?? 1
  checkInteger(op, 'start', start, 0, n)
  checkInteger(op, 'length', length, 0, n - start)
  return block(
    op,
    x,
    x.shape.map((_, d) => (d === along ? start : 0)),
    x.shape.map((size, d) => (d === along ? length : size)),
  )
}

/** More would take minutes, and are possible of nothing alone. */
const MOST_PARTS = 2 ** 24

/**
 * x in parts along a dimension: of one size, but for the last one, or of the sizes of a list.
 * @throws PackedRnnError ERR_SHAPE for sizes that do not add up; ERR_OUT_OF_RANGE for a size below 1, or in a list below 0.
 */
export function split<R extends number>(
  x: Tensor<'float32', R>,
  sizes: number | readonly number[],
  dim?: number,
): Tensor<'float32', R>[]
export function split(x: Float, sizes: number | readonly number[], dim = 0): Float[] {
  const op = 'split'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const n = x.shape[along] ?? 1
  if (typeof sizes === 'number') checkInteger(op, 'sizes', sizes, Math.max(1, Math.ceil(n / MOST_PARTS)))
  else checkList(op, 'sizes', sizes, 'sizes')
  const parts =
    typeof sizes === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(n / sizes)) }, (_, i) => Math.min(sizes, n - i * sizes))
      : sizes
  for (const [i, size] of parts.entries()) checkInteger(op, `sizes[${i}]`, size, 0)
  const total = parts.reduce((sum, size) => sum + size, 0)
  if (total !== n) throw badArgument(op, 'sizes', `sizes that add up to ${n}`, parts, 'ERR_SHAPE')
  let start = 0
  return parts.map(size => {
    start += size
    return narrow(x, along, start - size, size)
  })
}

/**
 * x with its entries along a dimension moved on by `shift`; what leaves at the end comes in at the beginning.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function roll<R extends number>(
  x: Tensor<'float32', R>,
  shift: number,
  dim: number,
): Tensor<'float32', R>
export function roll(x: Float, shift: number, dim: number): Float {
  const op = 'roll'
  checkFloat(op, 'x', x)
  checkInteger(op, 'shift', shift, -(2 ** 31))
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const n = x.shape[along] ?? 1
  const by = n === 0 ? 0 : ((shift % n) + n) % n
  const rolled = (from: Float, distance: number) => {
    const y = empty<number>(from.device, from.shape)
    const strides = contiguous(from.shape)
    const copy = (start: number, to: number, length: number) => {
      const shape = from.shape.map((size, d) => (d === along ? length : size))
      const at = (entry: number) => (sizeOf(shape) === 0 ? 0 : entry * (strides[along] ?? 0))
      copyBlock(op, shape, { of: from, first: at(start), strides }, { of: y, first: at(to), strides })
    }
    copy(0, distance, n - distance)
    if (distance > 0) copy(n - distance, 0, distance)
    return y
  }
  const y = rolled(x, by)
  record(op, [x], [y], () => ([dY]) => [dY ? rolled(dY, by === 0 ? 0 : n - by) : null])
  return y
}

/** x with its entries along a dimension from the last to the first. */
export function flip<R extends number>(x: Tensor<'float32', R>, dim: number): Tensor<'float32', R>
export function flip(x: Float, dim: number): Float {
  const op = 'flip'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const flipped = (from: Float) => {
    const strides = contiguous(from.shape)
    const n = from.shape[along] ?? 1
    const turned = strides.map((stride, d) => (d === along ? -stride : stride))
    return reordered(op, from, from.shape, turned, (n - 1) * (strides[along] ?? 0))
  }
  const y = flipped(x)
  record(op, [x], [y], () => ([dY]) => [dY ? flipped(dY) : null])
  return y
}
