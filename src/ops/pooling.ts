import { anySize, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'
import { emptyIndex, packedRows, selectRows } from './rows.js'
import { segmentReduce } from './segments.js'

/** From the outputs of a recurrent layer to one row for each sequence. An empty sequence's row is zeros. */

/**
 * The last states of the last layer, both directions side by side: the state after a sequence's last token, and for
 * the reverse direction after its first.
 *
 * @param hN [L·D, B, H]
 * @param directions D
 * @returns [B, D·H]
 * @throws PackedRnnError ERR_SHAPE for another rank or number of states; ERR_OUT_OF_RANGE for 2³¹ rows and more;
 * ERR_DTYPE, ERR_DISPOSED.
 */
export function lastHidden(hN: Tensor<'float32', 3>, directions: 1 | 2): Tensor<'float32', 2> {
  const op = 'lastHidden'
  checkTensor(op, 'hN', hN, { dtype: 'float32', shape: [anySize, anySize, anySize] })
  const [states, batchSize, hiddenSize] = hN.shape
  if (states % directions !== 0 || states === 0) {
    throw badArgument(op, 'hN', `states of ${directions} directions`, hN.shape, 'ERR_SHAPE')
  }
  const index = emptyIndex(op, batchSize * directions)
  for (let b = 0; b < batchSize; b++) {
    for (let d = 0; d < directions; d++) index[b * directions + d] = (states - directions + d) * batchSize + b
  }
  return selectRows<2>(op, hN, index, hiddenSize, [batchSize, directions * hiddenSize])
}

/**
 * The output row of each sequence's last token; zeros for an empty sequence. Of a bidirectional layer the reverse half
 * of it has seen that one token only: `lastHidden` is what a classifier wants.
 *
 * @param output rows of D·H numbers.
 * @returns [B, D·H]
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for something else, ERR_DISPOSED.
 */
export function lastOutput(output: PackedSequence): Tensor<'float32', 2> {
  const op = 'lastOutput'
  const rows = packedRows(output, op, 'output')
  const { sequences, width } = output
  const index = Int32Array.from({ length: sequences.batchSize }, (_, b) =>
    sequences.length(b) === 0 ? -1 : sequences.offsets[b + 1]! - 1,
  )
  return selectRows<2>(op, rows, index, width, [sequences.batchSize, width])
}

/**
 * The largest number of each column over a sequence's rows. The gradient goes to the row that it was taken from, of
 * equals to the first; a NaN is larger than every number.
 *
 * @param output rows of C numbers.
 * @returns [B, C]
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for something else, ERR_DISPOSED.
 */
export function maxPool(output: PackedSequence): Matrix {
  return segmentReduce('maxPool', 'output', 'max', output)
}

/**
 * The mean of a sequence's rows.
 *
 * @param output rows of C numbers.
 * @returns [B, C]
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for something else, ERR_DISPOSED.
 */
export function meanPool(output: PackedSequence): Matrix {
  return segmentReduce('meanPool', 'output', 'mean', output)
}
