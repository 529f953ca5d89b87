import { record } from '../autograd.js'
import { applyFunction } from '../elements.js'
import { native } from '../native.js'
import { empty, emptyIntegers, type Tensor } from '../tensor.js'
import { around, checkFloat, dimOf } from './dims.js'

/**
 * The largest so far along a dimension and its place, as torch.cummax; of equals the last, and a NaN wins. The gradient goes
 * to the places.
 *
 * @returns `values` and `indices`, both of x's shape.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
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
