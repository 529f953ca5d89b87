import { record } from '../autograd.js'
import { checkOptions, type OptionNames } from '../check.js'
import { native } from '../native.js'
import type { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { empty, type Float, type Tensor } from '../tensor.js'
import { dimOf, onRows } from './dims.js'
import { transpose } from './shape.js'

/** Options of `softmax` and `logSoftmax`. */
export interface SoftmaxOptions {
  /** The dimension, counted from the end if negative; default −1, the last. */
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
 * Returns exp x / Σ exp x along a dimension; for a packed sequence, along its rows.
 * @example
 * ```ts
 * import { softmax, tensor } from 'packed-rnn'
 *
 * const y = await softmax(tensor([0, 0, 100, 0], [2, 2])).toArray()
 * console.log([...y].map(value => value.toFixed(4)).join(' ')) // 0.5000 0.5000 1.0000 0.0000
 * ```
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
 * Returns x − log Σ exp x along a dimension; for a packed sequence, along its rows.
 * @example
 * ```ts
 * import { logSoftmax, tensor } from 'packed-rnn'
 *
 * const y = await logSoftmax(tensor([0, 0])).toArray()
 * console.log(y[0]?.toFixed(4), y[1]?.toFixed(4)) // -0.6931 -0.6931
 * ```
 */
export function logSoftmax<R extends number>(
  x: Tensor<'float32', R>,
  options?: SoftmaxOptions,
): Tensor<'float32', R>
export function logSoftmax(x: PackedSequence, options?: SoftmaxOptions): PackedSequence
export function logSoftmax(x: Float | PackedSequence, options: SoftmaxOptions = {}): Float | PackedSequence {
  return softmaxOf('logSoftmax', x, options, true)
}
