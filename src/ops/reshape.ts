import { record } from '../autograd.js'
import { checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { type Shape, sizeOf, Tensor } from '../tensor.js'

/** The same memory in another shape, without a record. */
function view<R extends number>(x: Tensor<'float32'>, shape: Shape<R>): Tensor<'float32', R> {
  return new Tensor(x.device, 'float32', shape, x.storage.retain())
}

/**
 * The same numbers, row-major, in another shape. Nothing is copied: both tensors hold the memory, until the last of
 * them is disposed.
 *
 * @param shape of as many elements.
 * @throws PackedRnnError ERR_SHAPE for another number of elements; ERR_DTYPE, ERR_DISPOSED.
 */
export function reshape<const S extends Shape>(x: Tensor<'float32'>, shape: S): Tensor<'float32', S['length']>
export function reshape<R extends number>(x: Tensor<'float32'>, shape: Shape<R>): Tensor<'float32', R>
export function reshape(x: Tensor<'float32'>, shape: Shape): Tensor<'float32'> {
  const op = 'reshape'
  checkTensor(op, 'x', x, { dtype: 'float32' })
  const whole = shape.every(n => Number.isInteger(n) && n >= 0)
  if (!whole || sizeOf(shape) !== x.size) {
    throw badArgument(op, 'shape', `${x.size} elements`, shape, 'ERR_SHAPE')
  }
  const y = view(x, [...shape])
  const from: Shape = x.shape
  record(op, [x], [y], () => ([dY]) => [dY ? view(dY, from) : null])
  return y
}
