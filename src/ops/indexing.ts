import { record } from '../autograd.js'
import { checkFloat, checkIndices, checkInteger, checkIntegers, checkNumber, checkTensor } from '../check.js'
import { type Device, deviceOr } from '../device.js'
import { applyFunction, broadcastShape } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, integers, type Shape, type Tensor } from '../tensor.js'
import { block, placed } from './blocks.js'
import { around, dimOf } from './dims.js'
import { add } from './elementwise.js'

/**
 * Elements by index. The call checks indices that are on the host; the op checks indices that were computed
 * on the device. The gradient of an element that is taken several times is a sum in a fixed order.
 */

/** Integers [K]: a tensor, or numbers on the host. */
export type Index = Tensor<'int32'> | Int32Array | readonly number[]

/** Calls `f` with an index on the device: the given tensor, or a new one that is disposed afterwards. */
function withIndex<T>(
  op: string,
  index: Index,
  below: number,
  device: Device,
  f: (index: Tensor<'int32'>) => T,
): T {
  if ('dtype' in index) {
    checkIndex(op, index, device)
    if (index.host !== null) checkIndices(op, 'index', index.host, below)
    return f(index)
  }
  checkIndices(op, 'index', index, below)
  const made = integers(Int32Array.from(index), device)
  try {
    return f(made)
  } finally {
    made.dispose()
  }
}

function checkIndex(op: string, index: Tensor<'int32'>, device: Device): void {
  checkTensor(op, 'index', index, { dtype: 'int32', device })
}

interface Along {
  outer: number
  n: number
  inner: number
  count: number
  each: boolean
}

function take(x: Float, index: Tensor<'int32'>, along: Along, shape: Shape): Float {
  const y = empty<number>(x.device, shape)
  native.takeAlong(x.device.queue, { ...along, x: x.buffer, index: index.buffer, y: y.buffer })
  return y
}

/** Returns zeros of the given shape with x added at the indices. */
function scatter(x: Float, index: Tensor<'int32'>, along: Along, shape: Shape): Float {
  const y = applyFunction<number>('copy', x.device, shape, 0)
  native.addAlong(x.device.queue, { ...along, x: x.buffer, index: index.buffer, y: y.buffer })
  return y
}

/**
 * Returns entries of a dimension by index, as torch.index_select. An entry may be taken several times.
 *
 * @param index [K], each from 0 to n − 1.
 * @returns x's shape, with K in that dimension.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an index outside [0, n).
 * @example
 * ```ts
 * import { indexSelect, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [3, 2])
 * const y = indexSelect(x, 0, [2, 0])
 * console.log(y.shape, await y.toArray()) // [2, 2] Float32Array(4) [5, 6, 1, 2]
 * ```
 */
export function indexSelect<R extends number>(
  x: Tensor<'float32', R>,
  dim: number,
  index: Index,
): Tensor<'float32', R>
export function indexSelect(x: Float, dim: number, index: Index): Float {
  const op = 'indexSelect'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  checkIntegers(op, 'index', index)
  if ('dtype' in index && index.shape.length !== 1) {
    throw badArgument(op, 'index', 'shape [*]', index.shape, 'ERR_SHAPE')
  }
  const n = x.shape[along] ?? 1
  return withIndex(op, index, n, x.device, onDevice => {
    const count = onDevice.size
    const sizes = { ...around(x.shape, along), count, each: false }
    const y = take(
      x,
      onDevice,
      sizes,
      x.shape.length === 0 ? [count] : x.shape.map((size, d) => (d === along ? count : size)),
    )
    record(op, [x], [y], keeper => {
      const held = keeper.hold(onDevice)
      const from: Shape = x.shape
      return ([dY]) => [dY ? scatter(dY, held, sizes, from) : null]
    })
    return y
  })
}

function checkFull(op: string, x: Float, dim: number, index: Tensor<'int32'>): number {
  const along = dimOf(op, 'dim', dim, x.shape.length)
  checkIndex(op, index, x.device)
  const fits =
    index.shape.length === x.shape.length && index.shape.every((n, d) => d === along || n <= x.shape[d]!)
  if (!fits) {
    const wanted = x.shape.map((n, d) => (d === along ? '*' : `at most ${n}`)).join(', ')
    throw badArgument(op, 'index', `shape [${wanted}]`, index.shape, 'ERR_SHAPE')
  }
  if (index.host !== null) checkIndices(op, 'index', index.host, x.shape[along] ?? 1)
  return along
}

/** Returns the part of x that a smaller index reaches, on the tape; x itself if that is all of it. */
function within(op: string, x: Float, shape: readonly number[]): Float {
  if (x.shape.every((n, d) => n === shape[d])) return x
  return block(
    op,
    x,
    x.shape.map(() => 0),
    shape,
  )
}

/**
 * Returns y[.., j, ..] = x[.., index[.., j, ..], ..] along a dimension, as torch.gather.
 *
 * @param index of x's rank, and in the other dimensions no larger than x.
 * @returns the index's shape.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an index outside x's dimension.
 * @example
 * ```ts
 * import { gather, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
 * const y = gather(x, 1, tensor(Int32Array.of(2, 0), [2, 1]))
 * console.log(y.shape, await y.toArray()) // [2, 1] Float32Array(2) [3, 4]
 * ```
 */
export function gather<R extends number>(
  x: Tensor<'float32', R>,
  dim: number,
  index: Tensor<'int32'>,
): Tensor<'float32', R>
export function gather(x: Float, dim: number, index: Tensor<'int32'>): Float {
  const op = 'gather'
  checkFloat(op, 'x', x)
  const along = checkFull(op, x, dim, index)
  const reached = within(
    op,
    x,
    index.shape.map((n, d) => (d === along ? x.shape[d]! : n)),
  )
  const sizes = { ...around(reached.shape, along), count: index.shape[along] ?? 1, each: true }
  const y = take(reached, index, sizes, index.shape)
  record(op, [reached], [y], keeper => {
    const held = keeper.hold(index)
    const from: Shape = reached.shape
    return ([dY]) => [dY ? scatter(dY, held, sizes, from) : null]
  })
  if (reached !== x) reached.dispose()
  return y
}

/**
 * Returns x with `source` added at the indices along a dimension, in a fixed order, as torch.scatter_add.
 *
 * @param index of x's rank, in no dimension larger than the source, and in the other dimensions no larger
 * than x.
 * @returns x's shape.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an index outside x's dimension.
 * @example
 * ```ts
 * import { scatterAdd, tensor, zeros } from 'packed-rnn'
 *
 * const index = tensor(Int32Array.of(0, 2, 0))
 * const y = scatterAdd(zeros([3]), 0, index, tensor([1, 2, 3]))
 * console.log(await y.toArray()) // Float32Array(3) [4, 0, 2]
 * ```
 */
export function scatterAdd<R extends number>(
  x: Tensor<'float32', R>,
  dim: number,
  index: Tensor<'int32'>,
  source: Float,
): Tensor<'float32', R>
export function scatterAdd(x: Float, dim: number, index: Tensor<'int32'>, source: Float): Float {
  const op = 'scatterAdd'
  checkFloat(op, 'x', x)
  const along = checkFull(op, x, dim, index)
  checkFloat(op, 'source', source, x.device)
  const fits =
    source.shape.length === x.shape.length && index.shape.every((n, d) => n <= (source.shape[d] ?? 0))
  if (!fits) {
    const wanted = `at least shape [${index.shape.join(', ')}]`
    throw badArgument(op, 'source', wanted, source.shape, 'ERR_SHAPE')
  }
  return scope(() => {
    const from = within(op, source, index.shape)
    const reached = index.shape.map((n, d) => (d === along ? x.shape[d]! : n))
    const sizes = { ...around(reached, along), count: index.shape[along] ?? 1, each: true }
    const part = scatter(from, index, sizes, reached)
    const whole = x.shape.every((n, d) => n === reached[d])
    const added = whole
      ? part
      : placed(
          op,
          part,
          reached.map(() => 0),
          x.shape,
        )
    record(op, [from], [added], keeper => {
      const held = keeper.hold(index)
      return ([dAdded]) => {
        if (!dAdded) return [null]
        const own = within(op, dAdded, reached)
        const dFrom = take(own, held, sizes, held.shape)
        if (own !== dAdded) own.dispose()
        return [dFrom]
      }
    })
    return add(x, added)
  })
}

/**
 * Returns x with `value` where the mask is not 0. The gradient there is 0; the mask has none.
 *
 * @param mask a shape that broadcasts to x's.
 * @throws PackedRnnError ERR_SHAPE if the mask doesn't broadcast to x's shape.
 * @example
 * ```ts
 * import { lt, maskedFill, tensor } from 'packed-rnn'
 *
 * const x = tensor([3, -1, 2])
 * console.log(await maskedFill(x, lt(x, 0), -Infinity).toArray()) // Float32Array(3) [3, -Infinity, 2]
 * ```
 */
export function maskedFill<R extends number>(
  x: Tensor<'float32', R>,
  mask: Float,
  value: number,
): Tensor<'float32', R>
export function maskedFill(x: Float, mask: Float, value: number): Float {
  const op = 'maskedFill'
  checkFloat(op, 'x', x)
  checkFloat(op, 'mask', mask, x.device)
  if (typeof value !== 'number') checkNumber(op, 'value', value, -Infinity)
  const shape = broadcastShape(op, 'mask', x.shape, mask.shape)
  if (shape.length !== x.shape.length || shape.some((n, d) => n !== x.shape[d])) {
    throw badArgument(
      op,
      'mask',
      `a shape that broadcasts to [${x.shape.join(', ')}]`,
      mask.shape,
      'ERR_SHAPE',
    )
  }
  const y = applyFunction<number>('where', x.device, x.shape, mask, value, x)
  record(op, [x], [y], keeper => {
    const held = keeper.hold(mask)
    return ([dY]) => [dY ? applyFunction<number>('where', dY.device, dY.shape, held, 0, dY) : null]
  })
  return y
}

/**
 * Returns a row for each label: 1 in its class, and 0 elsewhere; no gradient.
 *
 * @param labels [..], each from 0 to classes − 1; numbers on the host, or a tensor.
 * @param device the device of the result if the labels are on the host; default `device()`.
 * @returns [.., classes]
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a label outside [0, classes).
 * @example
 * ```ts
 * import { oneHot } from 'packed-rnn'
 *
 * const y = oneHot([2, 0], 3)
 * console.log(y.shape, await y.toArray()) // [2, 3] Float32Array(6) [0, 0, 1, 1, 0, 0]
 * ```
 */
export function oneHot(labels: Index, classes: number, device?: Device): Float {
  const op = 'oneHot'
  checkInteger(op, 'classes', classes, 0)
  checkIntegers(op, 'labels', labels)
  const given = 'dtype' in labels ? labels : null
  if (given !== null) checkTensor(op, 'labels', given, { dtype: 'int32' })
  const host = 'dtype' in labels ? labels.host : labels
  if (host !== null) checkIndices(op, 'labels', host, classes)
  const shape = [...(given?.shape ?? [host?.length ?? 0]), classes]
  checkShape(op, shape)
  const onDevice = given ?? integers(Int32Array.from(host ?? []), deviceOr(device, op))
  const y = applyFunction<number>('copy', onDevice.device, shape, 0)
  const ones = applyFunction<number>('copy', onDevice.device, onDevice.shape, 1)
  const sizes = { outer: onDevice.size, n: classes, inner: 1, count: 1, each: true }
  native.addAlong(y.device.queue, { ...sizes, x: ones.buffer, index: onDevice.buffer, y: y.buffer })
  ones.dispose()
  if (given === null) onDevice.dispose()
  return y
}
