import { anySize, checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { checkPacked, selectRows } from '../ops/rows.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence, Sequences } from '../packed.js'
import { type Float, type Matrix, Tensor } from '../tensor.js'

/** A batch of sequences of the same length T: [T, B, C], or [B, T, C] with `batchFirst`. */
export type PaddedBatch = Tensor<'float32', 3>

/**
 * The input of a recurrent module; its output has the same form. One of:
 *
 * - packed sequences;
 * - a padded batch [T, B, I], or [B, T, I] with `batchFirst`, in which every sequence has length T;
 * - a single sequence [T, I].
 *
 * States have the shape [L·D, B, R], with or without `batchFirst`; those of a single sequence have the shape [L·D, R].
 */
export type SequenceBatch = PackedSequence | PaddedBatch | Matrix

/** The rank of a batch's states: 2 for a single sequence, else 3. */
export type StateRank<X extends SequenceBatch> = X extends Matrix ? 2 : 3

/** @throws PackedRnnError if x is not a batch of rows of size `width` on `device`. */
export function checkBatch(op: string, x: SequenceBatch, width: number, device: Device): void {
  if (x instanceof PackedSequence) {
    checkPacked(op, 'x', x)
    checkTensor(op, 'x.data', x.data, { dtype: 'float32', shape: [anySize, width], device })
    return
  }
  if (!(x instanceof Tensor)) throw badArgument(op, 'x', 'a packed sequence or a tensor', x)
  const rank: number = x.shape.length
  if (rank !== 2 && rank !== 3) throw badArgument(op, 'x', '2 or 3 dimensions', x.shape, 'ERR_SHAPE')
  const shape = rank === 3 ? [anySize, anySize, width] : [anySize, width]
  checkTensor(op, 'x', x, { dtype: 'float32', shape, device })
  // Applies to batches without tokens, too: int32 counts the sequences.
  if (x.shape.some(n => n >= 2 ** 31))
    throw badArgument(op, 'x', 'dimensions below 2^31', x.shape, 'ERR_SHAPE')
}

function isCube(x: Float): x is Tensor<'float32', 3> {
  return x.shape.length === 3
}

/** Whether a batch is a single sequence, without a batch dimension. */
export function isAlone(x: SequenceBatch): boolean {
  return !(x instanceof PackedSequence || isCube(x))
}

export function batchSizeOf(x: SequenceBatch, batchFirst: boolean): number {
  if (x instanceof PackedSequence) return x.sequences.batchSize
  return isCube(x) ? x.shape[batchFirst ? 0 : 1] : 1
}

/** The order of rows that transposes a [rows, columns] arrangement. */
function transposed(rows: number, columns: number): Int32Array {
  return Int32Array.from({ length: rows * columns }, (_, n) => (n % columns) * rows + Math.floor(n / columns))
}

/** Calls `run` with the packed form of x. Rows in another order are copied first; the copy is disposed afterwards. */
export function withPacked<T>(x: SequenceBatch, batchFirst: boolean, run: (packed: PackedSequence) => T): T {
  if (x instanceof PackedSequence) return run(x)
  if (!isCube(x)) return run(new PackedSequence(x, new Sequences([x.shape[0]])))
  const [first, second, width] = x.shape
  const [batchSize, steps] = batchFirst ? [first, second] : [second, first]
  const shape = [batchSize * steps, width] as const
  using rows = batchFirst
    ? reshape(x, shape)
    : selectRows<2>('pack', x, transposed(batchSize, steps), width, shape)
  return run(new PackedSequence(rows, new Sequences(new Int32Array(batchSize).fill(steps))))
}

/** Converts a packed output to the form of the input x. The result takes over the memory of `output`. */
export function inFormOf(x: SequenceBatch, batchFirst: boolean, output: PackedSequence): SequenceBatch {
  if (x instanceof PackedSequence) return output
  if (!isCube(x)) return output.data
  using rows = output.data
  const [first, second] = x.shape
  const shape = [first, second, output.width] as const
  return batchFirst
    ? reshape(rows, shape)
    : selectRows<3>('pad', rows, transposed(first, second), output.width, shape)
}

/** Converts states [L·D, B, R] to the form of the input x: without B for a single sequence. Takes over their memory. */
export function statesInFormOf(x: SequenceBatch, states: Tensor<'float32', 3>): Tensor<'float32', 2 | 3> {
  if (!isAlone(x)) return states
  using given = states
  return reshape(given, [states.shape[0], states.shape[2]])
}

/** Returns states of either rank as [L·D, B, R], in a new handle. */
export function batchedStates(states: Tensor<'float32', 2 | 3>): Tensor<'float32', 3> {
  const { shape } = states
  return reshape(states, shape.length === 2 ? [shape[0], 1, shape[1]] : shape)
}
