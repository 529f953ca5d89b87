import { record } from '../autograd.js'
import { anySize, checkInteger, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { empty, type Matrix, type Tensor } from '../tensor.js'

/** Copies columns between matrices with the same number of rows; an offset is the first column on that side. */
function copyColumns(
  source: Tensor<'float32'>,
  destination: Matrix,
  sourceStride: number,
  at: { sourceOffset: number; destinationOffset: number; columns: number },
): void {
  const [rows, destinationStride] = destination.shape
  // Without rows, the number of columns may exceed what the device can count.
  const of = (columns: number) => (rows === 0 ? 0 : columns)
  native.copyStrided(destination.device.queue, {
    shape: [1, 1, rows, of(at.columns)],
    sourceStrides: [0, 0, of(sourceStride), 1],
    destinationStrides: [0, 0, of(destinationStride), 1],
    sourceFirst: of(at.sourceOffset),
    destinationFirst: of(at.destinationOffset),
    sourceCount: source.size,
    destinationCount: destination.size,
    source: source.buffer,
    destination: destination.buffer,
  })
}

/**
 * Joins matrices side by side, as torch.cat(tensors, 1).
 *
 * @param tensors [N, C₁], [N, C₂], …; at least one.
 * @returns [N, C₁ + C₂ + …]
 * @example
 * ```ts
 * import { concatColumns, tensor } from 'packed-rnn'
 *
 * const y = concatColumns(tensor([1, 2], [2, 1]), tensor([3, 4, 5, 6], [2, 2]))
 * console.log(y.shape, await y.toArray()) // [2, 3] Float32Array(6) [1, 3, 4, 2, 5, 6]
 * ```
 */
export function concatColumns(...tensors: readonly Matrix[]): Matrix {
  const op = 'concatColumns'
  const [first] = tensors
  if (first === undefined) throw badArgument(op, 'tensors', 'at least one tensor', tensors)
  tensors.forEach((tensor, i) => {
    const like =
      i === 0 ? { shape: [anySize, anySize] } : { shape: [first.shape[0], anySize], device: first.device }
    checkTensor(op, `tensors[${i}]`, tensor, { dtype: 'float32', ...like })
  })
  const { device } = first
  const rows = first.shape[0]
  const widths = tensors.map(tensor => tensor.shape[1])
  const offsets = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0))
  const total = widths.reduce((sum, width) => sum + width, 0)
  checkInteger(op, 'columns of all tensors', total, 0, Number.MAX_SAFE_INTEGER)
  const y = empty<2>(device, [rows, total])
  tensors.forEach((tensor, i) => {
    const columns = widths[i]!
    copyColumns(tensor, y, columns, { sourceOffset: 0, destinationOffset: offsets[i]!, columns })
  })
  record(op, tensors, [y], () => ([dY], wanted) => {
    return widths.map((columns, i) => {
      if (!dY || !wanted[i]) return null
      const part = empty<2>(device, [rows, columns])
      copyColumns(dY, part, total, { sourceOffset: offsets[i]!, destinationOffset: 0, columns })
      return part
    })
  })
  return y
}
