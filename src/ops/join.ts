import { record } from '../autograd.js'
import { checkFloat, checkInteger, checkList } from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Shape, type Tensor } from '../tensor.js'
import { block, blockOf, contiguous, copyBlock, viewed } from './blocks.js'
import { dimOf } from './dims.js'

/** Joining tensors along a dimension, and taking parts of one. Every op copies. */

/** Checks that tensors agree in all dimensions but `dim`; in all dimensions if `dim` is −1. */
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
 * Joins tensors along a dimension.
 * @throws PackedRnnError ERR_SHAPE if they differ in another dimension.
 * @example
 * ```ts
 * import { cat, tensor } from 'packed-rnn'
 *
 * const a = tensor([1, 2], [1, 2])
 * const b = tensor([3, 4, 5, 6], [2, 2])
 * const y = cat([a, b])
 * console.log(y.shape, await y.toArray()) // [3, 2] Float32Array(6) [1, 2, 3, 4, 5, 6]
 * ```
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
  const y = joined(op, tensors, along)
  const shapes = tensors.map((each): Shape => each.shape)
  record(op, tensors, [y], () => ([dY], wanted) => {
    let start = 0
    return shapes.map((own, i) => {
      const starts = own.map((_, d) => (d === along ? start : 0))
      start += own[along]!
      return dY && wanted[i] ? blockOf(op, dY, starts, own) : null
    })
  })
  return y
}

/** Joins tensors along a dimension, without recording it. */
function joined(op: string, tensors: readonly Float[], along: number): Float {
  const first = tensors[0]!
  const sizes = tensors.map(each => each.shape[along]!)
  const total = sizes.reduce((sum, n) => sum + n, 0)
  const shape = first.shape.map((n, d) => (d === along ? total : n))
  checkShape(op, shape)
  const y = empty<number>(first.device, shape)
  const strides = contiguous(shape)
  let start = 0
  tensors.forEach((each, i) => {
    const from = { of: each, first: 0, strides: contiguous(each.shape) }
    copyBlock(op, each.shape, from, { of: y, first: each.size === 0 ? 0 : start * strides[along]!, strides })
    start += sizes[i]!
  })
  return y
}

/**
 * Joins tensors of one shape along a new dimension.
 * @throws PackedRnnError ERR_SHAPE if their shapes differ.
 * @example
 * ```ts
 * import { stack, tensor } from 'packed-rnn'
 *
 * const y = stack([tensor([1, 2]), tensor([3, 4])], 1)
 * console.log(y.shape, await y.toArray()) // [2, 2] Float32Array(4) [1, 3, 2, 4]
 * ```
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
 * Returns `length` entries of a dimension, from `start` on.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for entries outside of x.
 * @example
 * ```ts
 * import { narrow, tensor } from 'packed-rnn'
 *
 * const y = narrow(tensor([1, 2, 3, 4]), 0, 1, 2)
 * console.log(await y.toArray()) // Float32Array(2) [2, 3]
 * ```
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

/** More parts would take minutes; they are only possible for tensors without elements. */
const MOST_PARTS = 2 ** 24

/**
 * Splits x along a dimension: into parts of one size, the last of which may be smaller, or into parts of the
 * listed sizes.
 * @throws PackedRnnError ERR_SHAPE if the sizes don't add up.
 * @example
 * ```ts
 * import { split, tensor } from 'packed-rnn'
 *
 * const parts = split(tensor([1, 2, 3, 4, 5]), 2)
 * console.log(await Promise.all(parts.map(part => part.toArray().then(String)))) // ['1,2', '3,4', '5']
 * console.log(split(tensor([1, 2, 3]), [1, 2]).map(part => part.size)) // [1, 2]
 * ```
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
  const shapeOf = (size: number): Shape => x.shape.map((n, d) => (d === along ? size : n))
  const made = parts.map(size => {
    const starts = x.shape.map((_, d) => (d === along ? start : 0))
    start += size
    return blockOf(op, x, starts, shapeOf(size))
  })
  const { device } = x
  // One node for all parts: the gradients are joined once, where a `narrow` each would add up tensors of x's size.
  record(op, [x], made, () => given => {
    if (given.every(each => each === null)) return [null]
    const all = given.map((each, i) => each ?? applyFunction<number>('copy', device, shapeOf(parts[i]!), 0))
    const whole = joined(op, all, along)
    all.forEach((each, i) => {
      if (given[i] === null) each.dispose()
    })
    return [whole]
  })
  return made
}
