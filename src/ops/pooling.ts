import { any, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import type { Tensor } from '../tensor.js'
import { packedRows, selectRows } from './rows.js'

/**
 * The last states of the last layer, both directions side by side: the state after a sequence's last token, and for
 * the reverse direction after its first.
 *
 * @param hN [L·D, B, H] @param directions D
 * @returns [B, D·H]
 */
export function lastHidden(hN: Tensor<'float32', 3>, directions: 1 | 2): Tensor<'float32', 2> {
  const op = 'lastHidden'
  checkTensor(op, 'hN', hN, { dtype: 'float32', shape: [any, any, any] })
  const [states, batchSize, hiddenSize] = hN.shape
  if (states % directions !== 0 || states === 0) {
    throw badArgument(op, 'hN', `states of ${directions} directions`, hN.shape, 'ERR_SHAPE')
  }
  const index = new Int32Array(batchSize * directions)
  for (let b = 0; b < batchSize; b++) {
    for (let d = 0; d < directions; d++) index[b * directions + d] = (states - directions + d) * batchSize + b
  }
  return selectRows<2>(op, hN, index, hiddenSize, [batchSize, directions * hiddenSize])
}

/**
 * The output row of each sequence's last token; zeros for an empty sequence. Of a bidirectional layer the reverse half
 * of it has seen that one token only: `lastHidden` is what a classifier wants.
 *
 * @returns [B, D·H]
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
