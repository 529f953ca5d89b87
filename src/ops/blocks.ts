import { record } from '../autograd.js'
import { applyFunction, type Walk, walkOf } from '../elements.js'
import { native } from '../native.js'
import { checkShape, empty, type Float, type Shape, sizeOf } from '../tensor.js'

/** Copies of blocks of elements by strides, and views. */

/** Returns the strides of a contiguous tensor. @internal */
export function contiguous(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let next = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = next
    next *= shape[d]!
  }
  return strides
}

/** Where a block of elements begins in a tensor, and its strides. */
interface Lying {
  of: Float
  first: number
  strides: readonly number[]
}

/** Copies a block of elements. @internal */
export function copyBlock(op: string, shape: readonly number[], from: Lying, to: Lying): void {
  copyWalk(walkOf(op, shape, [from.strides, to.strides]), from, to)
}

function copyWalk(walk: Walk, from: Lying, to: Lying): void {
  const [sourceStrides = [], destinationStrides = []] = walk.strides
  native.copyStrided(to.of.device.queue, {
    shape: walk.shape,
    sourceStrides,
    destinationStrides,
    sourceFirst: from.first,
    destinationFirst: to.first,
    sourceCount: from.of.size,
    destinationCount: to.of.size,
    source: from.of.buffer,
    destination: to.of.buffer,
  })
}

/** Returns the elements of x in the order of other strides, as a contiguous tensor. @internal */
export function reordered(
  op: string,
  x: Float,
  shape: readonly number[],
  strides: readonly number[],
  first = 0,
): Float {
  checkShape(op, shape)
  const own = contiguous(shape)
  const walk = walkOf(op, shape, [strides, own])
  const y = empty<number>(x.device, shape)
  copyWalk(
    walk,
    { of: x, first: sizeOf(shape) === 0 ? 0 : first, strides },
    { of: y, first: 0, strides: own },
  )
  return y
}

function firstOf(strides: readonly number[], starts: readonly number[]): number {
  return starts.reduce((first, start, d) => first + start * strides[d]!, 0)
}

/** Returns the block of x of the given shape at `starts`, without recording it. @internal */
export function blockOf(op: string, x: Float, starts: readonly number[], shape: readonly number[]): Float {
  const strides = contiguous(x.shape)
  return reordered(op, x, shape, strides, firstOf(strides, starts))
}

/** Returns zeros of the given shape with x at `starts`, without recording it. @internal */
export function placed(op: string, x: Float, starts: readonly number[], shape: readonly number[]): Float {
  const y = applyFunction<number>('copy', x.device, shape, 0)
  const strides = contiguous(shape)
  const first = x.size === 0 ? 0 : firstOf(strides, starts)
  copyBlock(op, x.shape, { of: x, first: 0, strides: contiguous(x.shape) }, { of: y, first, strides })
  return y
}

/** Returns a block of x, on the tape. @internal */
export function block(op: string, x: Float, starts: readonly number[], shape: readonly number[]): Float {
  const y = blockOf(op, x, starts, shape)
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? placed(op, dY, starts, from) : null])
  return y
}

/** Returns x in another shape, sharing its memory, on the tape. @internal */
export function viewed(op: string, x: Float, shape: readonly number[]): Float {
  const y = x.as<number>(shape)
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? dY.as(from) : null])
  return y
}
