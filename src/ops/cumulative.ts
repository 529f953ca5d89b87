import { record } from '../autograd.js'
import { checkFloat } from '../check.js'
import { applyFunction } from '../elements.js'
import { native } from '../native.js'
import { empty, emptyIntegers, type Float, type Tensor } from '../tensor.js'
import { around, dimOf } from './dims.js'

/**
 * Returns the largest value so far along a dimension and its index, as torch.cummax. Among equal values the
 * last one counts; a NaN counts as the largest. The gradient goes to the elements at the indices.
 *
 * @returns `values` and `indices`, both of x's shape.
 * @example
 * ```ts
 * import { cummax, tensor } from 'packed-rnn'
 *
 * const { values, indices } = cummax(tensor([1, 3, 2, 5]), 0)
 * console.log(await values.toArray()) // Float32Array(4) [1, 3, 3, 5]
 * console.log(await indices.toArray()) // Int32Array(4) [0, 1, 1, 3]
 * ```
 */
export function cummax<R extends number>(
  x: Tensor<'float32', R>,
  dim: number,
): { values: Tensor<'float32', R>; indices: Tensor<'int32', R> } {
  const op = 'cummax'
  checkFloat(op, 'x', x)
  const sizes = around(x.shape, dimOf(op, 'dim', dim, x.shape.length))
  const values = empty<R>(x.device, x.shape)
  const indices = emptyIntegers<R>(x.device, x.shape)
  const buffers = { x: x.buffer, y: values.buffer, places: indices.buffer }
  native.cumulativeMax(x.device.queue, { ...sizes, ...buffers })
  record(op, [x], [values], keeper => {
    const places = keeper.hold(indices)
    return ([dValues]) => {
      if (!dValues) return [null]
      const dX = applyFunction<number>('copy', dValues.device, dValues.shape, 0)
      const at = { count: sizes.n, each: true, x: dValues.buffer, index: places.buffer, y: dX.buffer }
      native.addAlong(dValues.device.queue, { ...sizes, ...at })
      return [dX]
    }
  })
  return { values, indices }
}

function cumulated(x: Float, dim: number, reversed: boolean): Float {
  const y = empty<number>(x.device, x.shape)
  native.cumulativeSum(x.device.queue, { ...around(x.shape, dim), reversed, x: x.buffer, y: y.buffer })
  return y
}

/**
 * Returns the running sums along a dimension.
 * @example
 * ```ts
 * import { cumsum, tensor } from 'packed-rnn'
 *
 * const y = cumsum(tensor([1, 2, 3, 4]), 0)
 * console.log(await y.toArray()) // Float32Array(4) [1, 3, 6, 10]
 * ```
 */
export function cumsum<R extends number>(x: Tensor<'float32', R>, dim: number): Tensor<'float32', R>
export function cumsum(x: Float, dim: number): Float {
  const op = 'cumsum'
  checkFloat(op, 'x', x)
  const along = dimOf(op, 'dim', dim, x.shape.length)
  const y = cumulated(x, along, false)
  record(op, [x], [y], () => ([dY]) => [dY ? cumulated(dY, along, true) : null])
  return y
}
