import { anySize, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'
import { emptyIndex, packedRows, selectRows } from './rows.js'
import { segmentReduce } from './segments.js'

/**
 * Pooling: one row for each sequence from the outputs of a recurrent layer. The row of an empty sequence is
 * zeros.
 */

/**
 * Returns the last states of the last layer, both directions side by side: the state after a sequence's last
 * token, and for the reverse direction after its first.
 *
 * @param hN [L·D, B, H]
 * @param directions D
 * @returns [B, D·H]
 * @example
 * ```ts
 * import { lastHidden, tensor } from 'packed-rnn'
 *
 * const hN = tensor([1, 2, 3, 4, 5, 6, 7, 8], [4, 2, 1]) // two layers, two directions
 * const y = lastHidden(hN, 2)
 * console.log(y.shape, await y.toArray()) // [2, 2] Float32Array(4) [5, 7, 6, 8]
 * ```
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
 * Returns the output row of each sequence's last token; zeros for an empty sequence. In a bidirectional
 * layer, the reverse half of that row has seen one token only: for a classifier use `lastHidden`.
 *
 * @param output rows of D·H numbers.
 * @returns [B, D·H]
 * @example
 * ```ts
 * import { lastOutput, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2), new Float32Array(), Float32Array.of(3)], { inputSize: 1 })
 * console.log(await lastOutput(x).toArray()) // Float32Array(3) [2, 0, 3]
 * ```
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
 * Returns the largest number in each column of a sequence's rows. The gradient goes to the row with that
 * number, the first if there are several. A NaN counts as the largest.
 *
 * @param output rows of C numbers.
 * @returns [B, C]
 * @example
 * ```ts
 * import { maxPool, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3, 0), Float32Array.of(5, 6)], { inputSize: 2 })
 * console.log(await maxPool(x).toArray()) // Float32Array(4) [3, 2, 5, 6]
 * ```
 */
export function maxPool(output: PackedSequence): Matrix {
  return segmentReduce('maxPool', 'output', 'max', output)
}

/**
 * Returns the mean of a sequence's rows.
 *
 * @param output rows of C numbers.
 * @returns [B, C]
 * @example
 * ```ts
 * import { meanPool, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3, 0), Float32Array.of(5, 6)], { inputSize: 2 })
 * console.log(await meanPool(x).toArray()) // Float32Array(4) [2, 1, 5, 6]
 * ```
 */
export function meanPool(output: PackedSequence): Matrix {
  return segmentReduce('meanPool', 'output', 'mean', output)
}
