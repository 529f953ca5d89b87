import { record } from '../autograd.js'
import { checkNumber, checkTensor } from '../check.js'
import { applyFunction } from '../elements.js'
import { native } from '../native.js'
import { empty, type Tensor } from '../tensor.js'

type Function = 'tanh' | 'sigmoid' | 'relu'

/** The gradient of all three is a function of their result. */
function unary<R extends number>(name: Function, x: Tensor<'float32', R>): Tensor<'float32', R> {
  checkTensor(name, 'x', x, { dtype: 'float32' })
  const y = applyFunction<R>(name, x.device, x.shape, x)
  record(name, [x], [y], keeper => {
    const result = keeper.hold(y)
    return ([dY]) => [dY ? applyFunction<number>(`${name}Backward`, dY.device, dY.shape, result, dY) : null]
  })
  return y
}

/** tanh x, element by element, to 4 units in the last place. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED. */
export function tanh<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  return unary('tanh', x)
}

/** 1 / (1 + e⁻ˣ), element by element, to 4 units in the last place. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED. */
export function sigmoid<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  return unary('sigmoid', x)
}

/** max(x, 0), element by element; the gradient at 0 is 0. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED. */
export function relu<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  return unary('relu', x)
}

/**
 * a + b, element by element.
 * @throws PackedRnnError ERR_SHAPE unless the shapes are the same; ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function add<R extends number>(
  a: Tensor<'float32', R>,
  b: Tensor<'float32', R>,
): Tensor<'float32', R> {
  checkTensor('add', 'a', a, { dtype: 'float32' })
  checkTensor('add', 'b', b, { dtype: 'float32', shape: a.shape, device: a.device })
  const y = applyFunction<R>('add', a.device, a.shape, a, b)
  record('add', [a, b], [y], () => ([dY]) => [dY?.alias() ?? null, dY?.alias() ?? null])
  return y
}

/**
 * a · b, element by element.
 * @throws PackedRnnError ERR_SHAPE unless the shapes are the same; ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function multiply<R extends number>(
  a: Tensor<'float32', R>,
  b: Tensor<'float32', R>,
): Tensor<'float32', R> {
  checkTensor('multiply', 'a', a, { dtype: 'float32' })
  checkTensor('multiply', 'b', b, { dtype: 'float32', shape: a.shape, device: a.device })
  const y = applyFunction<R>('mul', a.device, a.shape, a, b)
  record('multiply', [a, b], [y], keeper => {
    const left = keeper.hold(a)
    const right = keeper.hold(b)
    return ([dY], [wantsA, wantsB]) => [
      dY && wantsA ? applyFunction<number>('mul', dY.device, dY.shape, right, dY) : null,
      dY && wantsB ? applyFunction<number>('mul', dY.device, dY.shape, left, dY) : null,
    ]
  })
  return y
}

/**
 * factor · x
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a factor that is not finite; ERR_DTYPE, ERR_DISPOSED.
 */
export function scale<R extends number>(x: Tensor<'float32', R>, factor: number): Tensor<'float32', R> {
  checkTensor('scale', 'x', x, { dtype: 'float32' })
  checkNumber('scale', 'factor', factor, -Infinity)
  const times = <Q extends number>(values: Tensor<'float32', Q>) =>
    applyFunction<Q>('mul', values.device, values.shape, values, factor)
  const y = times(x)
  record('scale', [x], [y], () => ([dY]) => [dY ? times(dY) : null])
  return y
}

/**
 * The sum of all elements, in a fixed order, as a tensor of no dimensions.
 * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED.
 */
export function sum(x: Tensor<'float32'>): Tensor<'float32', 0> {
  checkTensor('sum', 'x', x, { dtype: 'float32' })
  const y = empty<0>(x.device, [])
  native.sum(x.device.queue, { count: x.size, values: x.buffer, out: y.buffer })
  record('sum', [x], [y], () => {
    const { device, shape, size } = x
    return ([dY]) => {
      if (!dY) return [null]
      const dX = empty(device, shape)
      native.fill(device.queue, { count: size, value: 0, from: dY.buffer, out: dX.buffer })
      return [dX]
    }
  })
  return y
}
