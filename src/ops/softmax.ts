import { record } from '../autograd.js'
import { checkOptions, type OptionNames } from '../check.js'
import { native } from '../native.js'
import type { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { empty, type Float, type Tensor } from '../tensor.js'
import { dimOf, onRows } from './dims.js'
import { transpose } from './shape.js'

/** Along which dimension. */
export interface SoftmaxOptions {
  /** Default −1, the last. */
  dim?: number
}
const softmaxNames: OptionNames<SoftmaxOptions> = { dim: true }

function softmaxOf(op: string, given: Float | PackedSequence, options: SoftmaxOptions, logarithm: boolean) {
  checkOptions(op, options, softmaxNames)
  return onRows(op, given, x => {
    const rank = x.shape.length
    const dim = dimOf(op, 'dim', options.dim ?? -1, rank)
    if (rank > 1 && dim !== rank - 1) {
      return scope(() => transpose(alongLast(op, transpose(x, dim, -1), logarithm), dim, -1))
    }
    return alongLast(op, x, logarithm)
  })
}

function alongLast(op: string, x: Float, logarithm: boolean): Float {
  const columns = x.shape.at(-1) ?? 1
  const sizes = { rows: columns === 0 ? 0 : x.size / columns, columns, logarithm }
  const y = empty<number>(x.device, x.shape)
  native.softmax(x.device.queue, { ...sizes, x: x.buffer, y: y.buffer })
  record(op, [x], [y], keeper => {
    const held = keeper.hold(y)
    return ([dY]) => {
      if (!dY) return [null]
      const dX = empty<number>(dY.device, dY.shape)
      const buffers = { y: held.buffer, dY: dY.buffer, dX: dX.buffer }
      native.softmaxBackward(dY.device.queue, { ...sizes, ...buffers })
      return [dX]
    }
  })
  return y
}

/**
 * exp x / Σ exp x along a dimension; of a batch, along its rows.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function softmax<R extends number>(
  x: Tensor<'float32', R>,
  options?: SoftmaxOptions,
): Tensor<'float32', R>
export function softmax(x: PackedSequence, options?: SoftmaxOptions): PackedSequence
export function softmax(x: Float | PackedSequence, options: SoftmaxOptions = {}): Float | PackedSequence {
  return softmaxOf('softmax', x, options, false)
}

/**
 * x − log Σ exp x along a dimension; of a batch, along its rows.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function logSoftmax<R extends number>(
  x: Tensor<'float32', R>,
  options?: SoftmaxOptions,
): Tensor<'float32', R>
export function logSoftmax(x: PackedSequence, options?: SoftmaxOptions): PackedSequence
export function logSoftmax(x: Float | PackedSequence, options: SoftmaxOptions = {}): Float | PackedSequence {
  return softmaxOf('logSoftmax', x, options, true)
}
