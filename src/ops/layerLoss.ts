import { anySize, checkIntegers, checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import type { Matrix, Vector } from '../tensor.js'

/** The sizes of an output layer with its rows. */
export interface LayerSizes {
  rows: number
  classes: number
  device: Device
}

/**
 * Checks the arguments of a loss of an output layer: x [N, in], weight [V, in], bias [V], and as many labels on the host.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE; ERR_INVALID_ARGUMENT for labels on a device.
 */
export function checkLayer(
  op: string,
  x: Matrix,
  weight: Matrix,
  bias: Vector | null,
  labels: Int32Array | readonly number[],
): LayerSizes {
  checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [anySize, anySize] })
  const [classes, inputs] = weight.shape
  const { device } = weight
  checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, inputs], device })
  if (bias !== null) checkTensor(op, 'bias', bias, { dtype: 'float32', shape: [classes], device })
  const [rows] = x.shape
  if (rows === 0 || classes === 0)
    throw badArgument(op, 'x', 'at least one row and one class', x.shape, 'ERR_SHAPE')
  checkIntegers(op, 'labels', labels)
  if ('dtype' in labels) throw badArgument(op, 'labels', 'labels on the host', 'a tensor')
  if (labels.length !== rows) throw badArgument(op, 'labels', `${rows} labels`, labels.length, 'ERR_SHAPE')
  return { rows, classes, device }
}
