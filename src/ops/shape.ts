import { record } from '../autograd.js'
import { checkFloat, checkInteger, checkList } from '../check.js'
import { broadcastStrides, copyOf } from '../elements.js'
import { badArgument } from '../errors.js'
import { checkShape, empty, type Float, type Shape, sizeOf, type Tensor } from '../tensor.js'
import { contiguous, copyBlock, reordered, viewed } from './blocks.js'
import { dimOf, sumTo } from './dims.js'

export { cat, narrow, split, stack } from './join.js'

/**
 * Tensors in other shapes and orders. Tensors are always contiguous: all ops but `reshape`, `squeeze` and
 * `unsqueeze` copy.
 */

/**
 * Returns x in another shape, row-major. Nothing is copied: both tensors share the memory, until the last of
 * them is disposed.
 *
 * @param shape a shape with as many elements. One size may be −1: it is computed from the others.
 * @throws PackedRnnError ERR_SHAPE for another number of elements.
 * @example
 * ```ts
 * import { reshape, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
 * console.log(reshape(x, [3, 2]).shape, reshape(x, [-1]).shape) // [3, 2] [6]
 * ```
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

/**
 * Returns a copy of x in other memory, as torch.clone.
 * @example
 * ```ts
 * import { clone, tensor } from 'packed-rnn'
 *
 * using x = tensor([1, 2, 3])
 * console.log(await clone(x).toArray()) // Float32Array(3) [1, 2, 3]
 * ```
 */
export function clone<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  const op = 'clone'
  checkFloat(op, 'x', x)
  const y = copyOf(x)
  record(op, [x], [y], () => ([dY]) => [dY ? dY.alias() : null])
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
 * Returns x with two dimensions exchanged.
 * @example
 * ```ts
 * import { tensor, transpose } from 'packed-rnn'
 *
 * const y = transpose(tensor([1, 2, 3, 4, 5, 6], [2, 3]), 0, 1)
 * console.log(y.shape, await y.toArray()) // [3, 2] Float32Array(6) [1, 4, 2, 5, 3, 6]
 * ```
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
 * Returns x with its dimensions in another order.
 * @param dims each dimension once.
 * @example
 * ```ts
 * import { permute, zeros } from 'packed-rnn'
 *
 * console.log(permute(zeros([2, 3, 4]), [2, 0, 1]).shape) // [4, 2, 3]
 * ```
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
 * Returns x without a dimension if its size is 1, or without all dimensions of size 1. Shares the memory.
 * @example
 * ```ts
 * import { squeeze, zeros } from 'packed-rnn'
 *
 * const x = zeros([1, 3, 1])
 * console.log(squeeze(x).shape, squeeze(x, 0).shape, squeeze(x, 1).shape) // [3] [3, 1] [1, 3, 1]
 * ```
 */
export function squeeze(x: Float, dim?: number): Float {
  const op = 'squeeze'
  checkFloat(op, 'x', x)
  const only = dim === undefined ? undefined : dimOf(op, 'dim', dim, x.shape.length)
  const shape = x.shape.filter((n, d) => n !== 1 || (only !== undefined && d !== only))
  return viewed(op, x, shape)
}

/**
 * Returns x with another dimension of size 1, before `dim`. Shares the memory.
 * @example
 * ```ts
 * import { unsqueeze, zeros } from 'packed-rnn'
 *
 * const x = zeros([2, 3])
 * console.log(unsqueeze(x, 0).shape, unsqueeze(x, -1).shape) // [1, 2, 3] [2, 3, 1]
 * ```
 */
export function unsqueeze(x: Float, dim: number): Float {
  const op = 'unsqueeze'
  checkFloat(op, 'x', x)
  const at = dimOf(op, 'dim', dim, x.shape.length + 1)
  return viewed(op, x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

/**
 * Returns x repeated along dimensions of size 1, and along new dimensions before its own.
 * @param shape a shape that x broadcasts to; −1 keeps the size of x.
 * @throws PackedRnnError ERR_SHAPE if x doesn't broadcast to the shape.
 * @example
 * ```ts
 * import { expand, tensor } from 'packed-rnn'
 *
 * const y = expand(tensor([1, 2], [2, 1]), [2, 3])
 * console.log(await y.toArray()) // Float32Array(6) [1, 1, 1, 2, 2, 2]
 * ```
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
    throw badArgument(op, 'shape', `a shape that [${x.shape.join(', ')}] broadcasts to`, shape, 'ERR_SHAPE')
  const y = reordered(op, x, wanted, broadcastStrides(x.shape, wanted))
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? sumTo(dY.alias(), from) : null])
  return y
}

/**
 * Returns x with its entries along a dimension moved by `shift`. Entries that leave at the end come in at the
 * beginning.
 * @example
 * ```ts
 * import { roll, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4])
 * console.log(await roll(x, 1, 0).toArray()) // Float32Array(4) [4, 1, 2, 3]
 * console.log(await roll(x, -1, 0).toArray()) // Float32Array(4) [2, 3, 4, 1]
 * ```
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

/** Returns x with a dimension reversed. */
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
