import { record } from '../autograd.js'
import { checkInteger, checkList, checkNumber, checkOptions, checkWord, type OptionNames } from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { native, poolings } from '../native.js'
import { checkSequences, kernelOffsets, PackedSequence, Sequences } from '../packed.js'
import { scope } from '../scope.js'
import type { Tensor } from '../tensor.js'
import { checkShape, empty, type Matrix, ranked } from '../tensor.js'
import { checkFloat, LARGE } from './dims.js'
import { add, exp, log, sub } from './elementwise.js'
import { checkPacked, emptyIndex, packedRows, selectRows, withRows } from './rows.js'
import { gathered, segmentReduce, spread } from './segments.js'
import { cat, flip as flipDim, narrow } from './shape.js'

/**
 * Ops over the tokens of each sequence. Between a row for each sequence and a row for each token the call is always
 * explicit, `repeatRows`: shapes alone are ambiguous where there are as many sequences as tokens. Every op throws
 * ERR_INVALID_ARGUMENT for something that is no batch, or an unknown option, and ERR_DISPOSED.
 */

/**
 * A row for each sequence, repeated for each of its tokens.
 * @param x [B, C]
 * @throws PackedRnnError ERR_SHAPE for another number of rows; ERR_DTYPE.
 */
export function repeatRows(x: Matrix, sequences: Sequences): PackedSequence {
  const op = 'repeatRows'
  checkFloat(op, 'x', x)
  checkSequences(op, sequences)
  if (x.shape.length !== 2 || x.shape[0] !== sequences.batchSize) {
    throw badArgument(op, 'x', `shape [${sequences.batchSize}, *]`, x.shape, 'ERR_SHAPE')
  }
  const rows = spread(x, sequences)
  record(op, [x], [rows], () => ([dRows]) => [dRows ? gathered(ranked(dRows, 2), sequences) : null])
  return new PackedSequence(rows, sequences)
}

/**
 * The sum of each sequence's rows [B, C]; 0 of an empty one.
 * @throws PackedRnnError ERR_DISPOSED; ERR_INVALID_ARGUMENT for something that is no batch.
 */
export function segmentSum(x: PackedSequence): Matrix {
  return segmentReduce('segmentSum', 'x', 'sum', x)
}
/**
 * The mean of each sequence's rows [B, C]; 0 of an empty one.
 * @throws PackedRnnError ERR_DISPOSED; ERR_INVALID_ARGUMENT for something that is no batch.
 */
export function segmentMean(x: PackedSequence): Matrix {
  return segmentReduce('segmentMean', 'x', 'mean', x)
}
/**
 * The largest of each sequence's rows, column by column [B, C]; 0 of an empty one. See `maxPool`.
 * @throws PackedRnnError ERR_DISPOSED; ERR_INVALID_ARGUMENT for something that is no batch.
 */
export function segmentMax(x: PackedSequence): Matrix {
  return segmentReduce('segmentMax', 'x', 'max', x)
}

/**
 * log Σ exp over each sequence's rows, column by column [B, C]; −∞ of an empty one.
 * @throws PackedRnnError ERR_DISPOSED; ERR_INVALID_ARGUMENT for something that is no batch.
 */
export function segmentLogsumexp(x: PackedSequence): Matrix {
  return scope(() => {
    const rows = packedRows(x, 'segmentLogsumexp')
    const { sequences } = x
    const top = largest(rows, sequences)
    // An infinity may not be subtracted.
    const finite = applyFunction<2>('clamp', top.device, top.shape, top, -LARGE, LARGE)
    const raised = exp(sub(rows, spread(finite, sequences)))
    return add(log(segmentSum(new PackedSequence(raised, sequences))), finite)
  })
}

function largest(rows: Matrix, sequences: Sequences): Matrix {
  const out = empty<2>(rows.device, [sequences.batchSize, rows.shape[1]])
  native.segmentReduce(rows.device.queue, {
    pooling: poolings.max,
    sequences: kernelOffsets(sequences),
    columns: rows.shape[1],
    rows: rows.buffer,
    out: out.buffer,
    places: null,
  })
  return out
}

/**
 * exp x / Σ exp x over each sequence's tokens, column by column.
 * @throws PackedRnnError ERR_DISPOSED; ERR_INVALID_ARGUMENT for something that is no batch.
 */
export function segmentSoftmax(x: PackedSequence): PackedSequence {
  const op = 'segmentSoftmax'
  return withRows(op, x, rows => new PackedSequence(softmaxOf(op, rows, x.sequences), x.sequences))
}

function softmaxOf(op: string, rows: Matrix, sequences: Sequences): Matrix {
  const columns = rows.shape[1]
  const sizes = { sequences: kernelOffsets(sequences), columns }
  const y = empty<2>(rows.device, [sequences.rows, columns])
  native.segmentSoftmax(rows.device.queue, { ...sizes, x: rows.buffer, y: y.buffer })
  record(op, [rows], [y], keeper => {
    const held = keeper.hold(y)
    return ([dY]) => {
      if (!dY) return [null]
      const dX = empty<number>(dY.device, dY.shape)
      const buffers = { y: held.buffer, dY: dY.buffer, dX: dX.buffer }
      native.segmentSoftmaxBackward(dY.device.queue, { ...sizes, ...buffers })
      return [dX]
    }
  })
  return y
}

/** Rows of a batch by the place of a token in its sequence: `from(t, length)` is another place, or −1. */
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
 * Each sequence from its last token to its first; of a tensor, a dimension from its end.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a dimension that x has not; ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function flip(x: PackedSequence): PackedSequence
export function flip<R extends number>(x: Tensor<'float32', R>, dim: number): Tensor<'float32', R>
export function flip(
  x: PackedSequence | Tensor<'float32'>,
  dim?: number,
): PackedSequence | Tensor<'float32'> {
  if (dim !== undefined && !(x instanceof PackedSequence)) return flipDim<number>(x, dim)
  if (!(x instanceof PackedSequence)) throw badArgument('flip', 'x', 'a packed sequence, or a dimension', x)
  const { sequences } = x
  return withRows('flip', x, rows => {
    const turned = rearranged('flip', rows, sequences, (t, length) => length - 1 - t)
    return new PackedSequence(turned, sequences)
  })
}

/** What comes in. */
export interface ShiftOptions {
  /** Where no token is; default 0. */
  fill?: number
}
const shiftNames: OptionNames<ShiftOptions> = { fill: true }

/**
 * Token t takes the row of token t − by of its sequence.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a `by` that is no integer, or a `fill` that is not finite.
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

/** Each is an op of its own. */
const MOST_TAPS = 2 ** 16

/** A window over tokens. */
export interface UnfoldOptions {
  /** k: rows that a window has. */
  kernelSize: number
  /** d: tokens from one to the next; default 1. */
  dilation?: number
  /**
   * Where a token's window lies: it ends there (causal, the default), lies around it with ⌊(k − 1) d / 2⌋ tokens before it
   * (same), or begins there, and only where it fits (valid): sequences are (k − 1) d tokens shorter. A number p adds p zeros on both
   * sides, and then only windows that fit are taken: sequences are (k − 1) d − 2p tokens shorter.
   */
  padding?: 'causal' | 'same' | 'valid' | number
}
const unfoldNames: OptionNames<UnfoldOptions> = { kernelSize: true, dilation: true, padding: true }

/**
 * For each token the rows of its window side by side, the first in time first; zeros outside of the sequence.
 * @returns rows of k · C numbers.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1, or more than 2¹⁶ rows.
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
 * The sequences of several batches, one batch after the other.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for none; ERR_SHAPE where rows differ in width; ERR_DEVICE.
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
 * A batch as several, of so many sequences each.
 * @throws PackedRnnError ERR_SHAPE for counts that do not add up; ERR_OUT_OF_RANGE for one below 0.
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
