import {
  checkFloat,
  checkInteger,
  checkList,
  checkNumber,
  checkOptions,
  checkWord,
  type OptionNames,
} from '../check.js'
import { badArgument } from '../errors.js'
import { PackedSequence, Sequences } from '../packed.js'
import { scope } from '../scope.js'
import { checkShape, type Matrix, type Tensor } from '../tensor.js'
import { checkPacked, emptyIndex, packedRows, selectRows, withRows } from './rows.js'
import { cat, flip as flipDim, narrow } from './shape.js'

export {
  repeatRows,
  segmentLogsumexp,
  segmentMax,
  segmentMean,
  segmentSoftmax,
  segmentSum,
} from './segments.js'

/** Ops on the tokens of each sequence. */

/**
 * Returns the rows of a batch at other tokens of their sequence: `from(t, length)` is the token to take, or
 * −1.
 */
function rearranged(
  op: string,
  rows: Matrix,
  own: Sequences,
  from: (t: number, length: number) => number,
  fill = 0,
  sequences = own,
): Matrix {
  const index = emptyIndex(op, sequences.rows)
  for (let b = 0; b < sequences.batchSize; b++) {
    const [first, start] = [own.offsets[b]!, sequences.offsets[b]!]
    const length = own.length(b)
    for (let t = 0; t < sequences.length(b); t++) {
      const place = from(t, length)
      if (place >= 0 && place < length) index[start + t] = first + place
    }
  }
  const columns = rows.shape[1]
  return selectRows<2>(op, rows, index, columns, [sequences.rows, columns], fill)
}

/**
 * Reverses each sequence; reverses a dimension of a tensor.
 * @example
 * ```ts
 * import { flip, packSequence, tensor } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4, 5)], { inputSize: 1 })
 * console.log(await flip(x).data.toArray()) // Float32Array(5) [3, 2, 1, 5, 4]
 * console.log(await flip(tensor([1, 2, 3, 4], [2, 2]), 0).toArray()) // Float32Array(4) [3, 4, 1, 2]
 * ```
 */
export function flip(x: PackedSequence): PackedSequence
export function flip<R extends number>(x: Tensor<'float32', R>, dim: number): Tensor<'float32', R>
export function flip(
  x: PackedSequence | Tensor<'float32'>,
  dim?: number,
): PackedSequence | Tensor<'float32'> {
  if (dim !== undefined && !(x instanceof PackedSequence)) return flipDim<number>(x, dim)
  if (!(x instanceof PackedSequence))
    throw badArgument('flip', 'x', 'a packed sequence, or a tensor and a dimension', x)
  const { sequences } = x
  return withRows('flip', x, rows => {
    const turned = rearranged('flip', rows, sequences, (t, length) => length - 1 - t)
    return new PackedSequence(turned, sequences)
  })
}

/** Options of `shift`. */
export interface ShiftOptions {
  /** The value where no token moves to; default 0. */
  fill?: number
}
const shiftNames: OptionNames<ShiftOptions> = { fill: true }

/**
 * Moves each sequence's rows by `by` tokens: token t takes the row of token t − by of its sequence.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if `by` is not an integer or `fill` is not finite.
 * @example
 * ```ts
 * import { packSequence, shift } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4, 5)], { inputSize: 1 })
 * console.log(await shift(x, 1).data.toArray()) // Float32Array(5) [0, 1, 2, 0, 4]
 * ```
 */
export function shift(x: PackedSequence, by: number, options: ShiftOptions = {}): PackedSequence {
  const op = 'shift'
  checkOptions(op, options, shiftNames)
  const { fill = 0 } = options
  checkInteger(op, 'by', by, -(2 ** 31))
  checkNumber(op, 'fill', fill, -Infinity)
  return withRows(op, x, rows => {
    return new PackedSequence(
      rearranged(op, rows, x.sequences, t => t - by, fill),
      x.sequences,
    )
  })
}

/** The largest kernel: each of its rows is one op. */
const MOST_TAPS = 2 ** 16

/** The window of `unfold`. */
export interface UnfoldOptions {
  /** k, the rows in a window. */
  kernelSize: number
  /** d, the tokens from one row of the window to the next; default 1. */
  dilation?: number
  /**
   * Where a token's window is. `'causal'`, the default: it ends at the token. `'same'`: it lies around the
   * token, with ⌊(k − 1) d / 2⌋ tokens before it. `'valid'`: it begins at the token, and tokens whose window
   * doesn't fit are dropped, so sequences are (k − 1) d tokens shorter.
   * A number p: p zeros on both sides, so sequences are (k − 1) d − 2p tokens shorter.
   */
  padding?: 'causal' | 'same' | 'valid' | number
}
const unfoldNames: OptionNames<UnfoldOptions> = { kernelSize: true, dilation: true, padding: true }

/**
 * Returns for each token the rows of its window side by side, the earliest first; zeros outside of the
 * sequence.
 * @returns rows of k · C numbers.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1, or a window of more than 2¹⁶ rows.
 * @example
 * ```ts
 * import { packSequence, unfold } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2), Float32Array.of(3)], { inputSize: 1 })
 * const y = unfold(x, { kernelSize: 2 })
 * console.log(y.data.shape, await y.data.toArray()) // [3, 2] Float32Array(6) [0, 1, 1, 2, 0, 3]
 * ```
 */
export function unfold(x: PackedSequence, options: UnfoldOptions): PackedSequence {
  const op = 'unfold'
  checkOptions(op, options, unfoldNames)
  const { kernelSize, dilation = 1, padding = 'causal' } = options
  checkInteger(op, 'kernelSize', kernelSize, 1, MOST_TAPS)
  checkInteger(op, 'dilation', dilation, 1)
  if (typeof padding === 'number') checkInteger(op, 'padding', padding, 0, MOST_TAPS)
  else checkWord(op, 'padding', padding, ['causal', 'same', 'valid'])
  checkPacked(op, 'x', x)
  checkShape(op, [x.sequences.rows, kernelSize * x.width])
  const reach = (kernelSize - 1) * dilation
  const around = padding === 'valid' ? 0 : padding
  const before = typeof around === 'number' ? around : { causal: reach, same: Math.floor(reach / 2) }[around]
  const shorter = typeof around === 'number' ? reach - 2 * around : 0
  const sequences =
    shorter === 0
      ? x.sequences
      : new Sequences(
          x.sequences.lengths().map(length => Math.max(0, length - shorter)),
          op,
        )
  const rows = scope(() => {
    const own = packedRows(x, op)
    const taps = Array.from({ length: kernelSize }, (_, tap) => {
      return rearranged(op, own, x.sequences, t => t - before + tap * dilation, 0, sequences)
    })
    return cat(taps, 1)
  })
  return new PackedSequence(rows, sequences)
}

/**
 * Joins batches: the sequences of one batch after those of the other.
 * @throws PackedRnnError ERR_SHAPE if rows differ in width.
 * @example
 * ```ts
 * import { concatSequences, packSequence } from 'packed-rnn'
 *
 * const a = packSequence([Float32Array.of(1, 2)], { inputSize: 1 })
 * const b = packSequence([Float32Array.of(3), Float32Array.of(4, 5)], { inputSize: 1 })
 * const y = concatSequences(a, b)
 * console.log(y.sequences.offsets, await y.data.toArray()) // [0, 2, 3, 5] Float32Array(5) [1, 2, 3, 4, 5]
 * ```
 */
export function concatSequences(...batches: readonly PackedSequence[]): PackedSequence {
  const op = 'concatSequences'
  const [first] = batches
  if (first === undefined) throw badArgument(op, 'batches', 'at least one batch', batches)
  batches.forEach((each, i) => {
    const name = `batches[${i}]`
    checkPacked(op, name, each)
    checkFloat(op, name, each.data, first.data.device)
    if (each.width !== first.width) {
      throw badArgument(op, name, `rows of ${first.width} numbers`, each.width, 'ERR_SHAPE')
    }
  })
  const lengths = batches.flatMap(batch => [...batch.sequences.lengths()])
  const sequences = new Sequences(lengths, op)
  const rows = scope(() =>
    cat(
      batches.map(batch => packedRows(batch, op)),
      0,
    ),
  )
  return new PackedSequence(rows, sequences)
}

/**
 * Splits a batch into several, with the given numbers of sequences.
 * @throws PackedRnnError ERR_SHAPE if the numbers don't add up to the batch size.
 * @example
 * ```ts
 * import { packSequence, splitSequences } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2), Float32Array.of(3), Float32Array.of(4)], { inputSize: 1 })
 * const [first, rest] = splitSequences(x, [1, 2])
 * console.log(await first?.data.toArray(), await rest?.data.toArray()) // Float32Array(2) [1, 2] Float32Array(2) [3, 4]
 * ```
 */
export function splitSequences(x: PackedSequence, counts: readonly number[]): PackedSequence[] {
  const op = 'splitSequences'
  checkPacked(op, 'x', x)
  checkList(op, 'counts', counts, 'numbers')
  for (const [i, count] of counts.entries()) checkInteger(op, `counts[${i}]`, count, 0)
  const { batchSize, offsets } = x.sequences
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total !== batchSize) {
    throw badArgument(op, 'counts', `counts that add up to ${batchSize}`, counts, 'ERR_SHAPE')
  }
  const lengths = x.sequences.lengths()
  let start = 0
  return withRows(op, x, rows =>
    counts.map(count => {
      const [from, to] = [offsets[start]!, offsets[start + count]!]
      const own = new Sequences(lengths.subarray(start, start + count), op)
      start += count
      return new PackedSequence(narrow(rows, 0, from, to - from), own)
    }),
  )
}
