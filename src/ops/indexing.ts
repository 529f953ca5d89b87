import { record } from '../autograd.js'
import { checkIndices, checkInteger, checkIntegers, checkNumber, checkTensor } from '../check.js'
import { type Device, deviceOr } from '../device.js'
import { applyFunction, broadcastShape } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Shape, type Tensor, tensor } from '../tensor.js'
import { block, placed } from './blocks.js'
import { around, checkFloat, dimOf } from './dims.js'
import { add } from './elementwise.js'

/**
 * Numbers by index. Indices that the host knows are checked by the call; those that an op computed, when its turn comes. The
 * gradient of a number that is taken several times is a sum in a fixed order.
 */

/** Integers [K]: a tensor, or numbers of the host. */
export type Index = Tensor<'int32'> | Int32Array | readonly number[]

/** An index on a device; the one that was given, or a new one that goes when `f` has returned. */
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
  const made = tensor(Int32Array.from(index), [index.length], { device })
  try {
    return f(made)
  } finally {
    made.dispose()
  }
}

function checkIndex(op: string, index: Tensor<'int32'>, device: Device): void {
  checkTensor<'int32', number>(op, 'index', index, { dtype: 'int32', device })
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

/** Zeros of that shape, to which x is added at the indices. */
function scatter(x: Float, index: Tensor<'int32'>, along: Along, shape: Shape): Float {
  const y = applyFunction<number>('copy', x.device, shape, 0)
  native.addAlong(x.device.queue, { ...along, x: x.buffer, index: index.buffer, y: y.buffer })
  return y
}

/**
 * Entries of a dimension by number, each also several times, as torch.index_select.
 *
 * @param index [K], each from 0 to n − 1.
 * @returns x's shape, with K in that dimension.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an index or a dimension; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
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

/** The part of x that an index of fewer entries reaches, on the tape; x itself where that is all. */
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
 * y[.., j, ..] = x[.., index[.., j, ..], ..] along a dimension, as torch.gather.
 *
 * @param index of x's rank, in the other dimensions no larger than x.
 * @returns the index's shape.
 * @throws PackedRnnError as `indexSelect`.
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
 * x with `source` added at the indices along a dimension, in a fixed order, as torch.scatter_add.
 *
 * @param index of x's rank, in no dimension larger than the source, and in the others no larger than x.
 * @returns x's shape.
 * @throws PackedRnnError as `indexSelect`.
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
 * x with a number where the mask is not 0; no gradient there, nor in the mask.
 * @param mask a shape that broadcasts to x's.
 * @throws PackedRnnError ERR_SHAPE where it does not; ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
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
 * A row for each label, 1 in its class and else 0.
 *
 * @param labels [..], each from 0 to classes − 1; numbers of the host, or a tensor that the host gave.
 * @param device where the rows of the host's labels go; default `device()`.
 * @returns [.., classes]
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a label or a negative number of classes; ERR_DTYPE, ERR_DISPOSED.
 */
export function oneHot(labels: Index, classes: number, device?: Device): Float {
  const op = 'oneHot'
  checkInteger(op, 'classes', classes, 0)
  checkIntegers(op, 'labels', labels)
  const given = 'dtype' in labels ? labels : null
  if (given !== null) checkTensor<'int32', number>(op, 'labels', given, { dtype: 'int32' })
  const host = 'dtype' in labels ? labels.host : labels
  if (host !== null) checkIndices(op, 'labels', host, classes)
  const shape = [...(given?.shape ?? [host?.length ?? 0]), classes]
  checkShape(op, shape)
  const onDevice =
    given ?? tensor(Int32Array.from(host ?? []), [host?.length ?? 0], { device: deviceOr(device, op) })
  const y = applyFunction<number>('copy', onDevice.device, shape, 0)
  const ones = applyFunction<number>('copy', onDevice.device, onDevice.shape, 1)
  const sizes = { outer: onDevice.size, n: classes, inner: 1, count: 1, each: true }
  native.addAlong(y.device.queue, { ...sizes, x: ones.buffer, index: onDevice.buffer, y: y.buffer })
  ones.dispose()
  if (given === null) onDevice.dispose()
  return y
}
