import { Tensor } from '../tensor.js'

/**
 * Returns the int32 tensor that `move` makes of x. `move` gets the bits of x as float32 numbers, and may only put
 * them elsewhere: ops that copy numbers copy their bits. @internal
 */
export function viaBits(
  x: Tensor<'int32'>,
  move: (bits: Tensor<'float32'>) => Tensor<'float32'>,
): Tensor<'int32'> {
  const bits = new Tensor<'float32', number>(x.device, 'float32', x.shape, x.storage.retain())
  try {
    const moved = move(bits)
    const y = new Tensor<'int32', number>(x.device, 'int32', moved.shape, moved.storage.retain())
    moved.dispose()
    return y
  } finally {
    bits.dispose()
  }
}
