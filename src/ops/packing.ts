import { anySize, checkInteger, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { PackedSequence, Sequences } from '../packed.js'
import type { Tensor } from '../tensor.js'
import { emptyIndex, packedRows, selectRows } from './rows.js'

/**
 * Conversions between packed sequences, padded batches and PyTorch's time-major layout. All of them are on
 * the tape.
 */

/** Options of `packPaddedSequence`. */
export interface PackPaddedOptions {
  /** Whether the input is [B, T, I] rather than [T, B, I]; default false, as in PyTorch. */
  batchFirst?: boolean
  /** Whether to check that lengths don't increase; default true, as in PyTorch. The order is kept either way. */
  enforceSorted?: boolean
}

/**
 * Packs a padded batch. Rows beyond a sequence's length are dropped, and their gradient is 0. Unlike
 * PyTorch's `pack_padded_sequence` it accepts length 0 and never sorts.
 *
 * @param input [T, B, I], or [B, T, I] with `batchFirst`.
 * @param lengths [B], each from 0 to T, in tokens.
 * @returns rows [N, I], sequence after sequence.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for increasing lengths with `enforceSorted`.
 * @example
 * ```ts
 * import { packPaddedSequence, tensor } from 'packed-rnn'
 *
 * const padded = tensor([1, 0, 2, 3], [2, 2, 1]) // [B, T, I]
 * const options = { batchFirst: true, enforceSorted: false }
 * const x = packPaddedSequence(padded, [1, 2], options)
 * console.log(x.data.shape, await x.data.toArray()) // [3, 1] Float32Array(3) [1, 2, 3]
 * console.log(x.sequences.offsets) // [0, 1, 3]
 * ```
 */
export function packPaddedSequence(
  input: Tensor<'float32', 3>,
  lengths: ArrayLike<number>,
  options: PackPaddedOptions = {},
): PackedSequence {
  const op = 'packPaddedSequence'
  checkOptions(op, options, { batchFirst: true, enforceSorted: true })
  const { batchFirst = false, enforceSorted = true } = options
  checkTensor(op, 'input', input, { dtype: 'float32', shape: [anySize, anySize, anySize] })
  const [batchSize, steps] = batchFirst ? input.shape : [input.shape[1], input.shape[0]]
  if (batchSize === 0) throw badArgument(op, 'input', 'at least one sequence', input.shape, 'ERR_SHAPE')
  if (lengths.length !== batchSize) {
    throw badArgument(op, 'lengths', `${batchSize} lengths`, lengths.length, 'ERR_SHAPE')
  }
  for (let b = 0; b < batchSize; b++) {
    checkInteger(op, `lengths[${b}]`, lengths[b]!, 0, steps)
    if (enforceSorted && b > 0 && lengths[b]! > lengths[b - 1]!) {
      throw badArgument(
        op,
        'lengths',
        'lengths that do not increase, or enforceSorted: false',
        Array.from(lengths),
      )
    }
  }
  const sequences = new Sequences(lengths, op)
  const index = new Int32Array(sequences.rows)
  eachToken(sequences, (row, b, t) => {
    index[row] = batchFirst ? b * steps + t : t * batchSize + b
  })
  const width = input.shape[2]
  return new PackedSequence(selectRows<2>(op, input, index, width, [sequences.rows, width]), sequences)
}

/** Options of `padPackedSequence`. */
export interface PadPackedOptions {
  /** Whether the result is [B, T, I] rather than [T, B, I]; default false, as in PyTorch. */
  batchFirst?: boolean
  /** The value beyond the end of a sequence; default 0. */
  paddingValue?: number
  /** T of the result, at least the longest length, which is the default. */
  totalLength?: number
}

/**
 * Pads a packed batch, in its own order, as PyTorch's `pad_packed_sequence`.
 *
 * @returns `output` [T, B, I], or [B, T, I] with `batchFirst`, and `lengths` [B].
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a `totalLength` below the longest length, or a result of 2³¹
 * rows or more.
 * @example
 * ```ts
 * import { packSequence, padPackedSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1), Float32Array.of(2, 3)], { inputSize: 1 })
 * const { output, lengths } = padPackedSequence(x, { batchFirst: true, paddingValue: -1 })
 * console.log(output.shape, await output.toArray()) // [2, 2, 1] Float32Array(4) [1, -1, 2, 3]
 * console.log(lengths) // Int32Array(2) [1, 2]
 * ```
 */
export function padPackedSequence(
  sequence: PackedSequence,
  options: PadPackedOptions = {},
): { output: Tensor<'float32', 3>; lengths: Int32Array } {
  const op = 'padPackedSequence'
  checkOptions(op, options, { batchFirst: true, paddingValue: true, totalLength: true })
  const rows = packedRows(sequence, op, 'sequence')
  const { sequences, width } = sequence
  const { batchFirst = false, paddingValue = 0, totalLength = sequences.longest() } = options
  checkInteger(op, 'totalLength', totalLength, sequences.longest())
  const batchSize = sequences.batchSize
  const index = emptyIndex(op, batchSize * totalLength)
  eachToken(sequences, (row, b, t) => {
    index[batchFirst ? b * totalLength + t : t * batchSize + b] = row
  })
  const shape = batchFirst
    ? ([batchSize, totalLength, width] as const)
    : ([totalLength, batchSize, width] as const)
  const output = selectRows<3>(op, rows, index, width, shape, paddingValue)
  return { output, lengths: sequences.lengths() }
}

/**
 * PyTorch's `PackedSequence`: the first tokens of all sequences, longest sequence first, then the second
 * tokens, and so on.
 */
export interface TimeMajor {
  /** [N, I] */
  data: Tensor<'float32', 2>
  /** The number of sequences longer than t, for each t. */
  batchSizes: Int32Array
  /** The sequence at each position of the sorted order; equal lengths keep their order. */
  sortedIndices: Int32Array
  /** The inverse of `sortedIndices`. */
  unsortedIndices: Int32Array
}

const timeMajorNames: OptionNames<TimeMajor> = {
  data: true,
  batchSizes: true,
  sortedIndices: true,
  unsortedIndices: true,
}

/**
 * Converts a packed batch to PyTorch's time-major layout.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if a sequence is empty: that layout cannot represent it.
 * @example
 * ```ts
 * import { packSequence, toTimeMajor } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1), Float32Array.of(2, 3)], { inputSize: 1 })
 * const { data, batchSizes, sortedIndices } = toTimeMajor(x)
 * console.log(await data.toArray()) // Float32Array(3) [2, 1, 3]
 * console.log(batchSizes, sortedIndices) // Int32Array(2) [2, 1] Int32Array(2) [1, 0]
 * ```
 */
export function toTimeMajor(sequence: PackedSequence): TimeMajor {
  const op = 'toTimeMajor'
  const rows = packedRows(sequence, op, 'sequence')
  const { sequences, width } = sequence
  const lengths = sequences.lengths()
  const empty = lengths.indexOf(0)
  if (empty >= 0) throw badArgument(op, `sequence ${empty}`, 'at least one token', 'none')
  const sortedIndices = Int32Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const batchSizes = batchSizesOf(sequences)
  const index = new Int32Array(sequences.rows)
  eachTimeMajorRow(batchSizes, (row, place, t) => {
    index[row] = sequences.offsets[sortedIndices[place]!]! + t
  })
  const data = selectRows<2>(op, rows, index, width, [sequences.rows, width])
  return { data, batchSizes, sortedIndices, unsortedIndices: inverse(sortedIndices) }
}

/**
 * Converts PyTorch's time-major layout to a packed batch in the original order.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if `batchSizes` increase or `sortedIndices` is not a
 * permutation; ERR_SHAPE if the numbers of rows or sequences disagree.
 * @example
 * ```ts
 * import { fromTimeMajor, tensor } from 'packed-rnn'
 *
 * const data = tensor([2, 1, 3], [3, 1])
 * const x = fromTimeMajor({ data, batchSizes: [2, 1], sortedIndices: [1, 0] })
 * console.log(await x.data.toArray(), x.sequences.offsets) // Float32Array(3) [1, 2, 3] [0, 1, 3]
 * ```
 */
export function fromTimeMajor(packed: {
  data: Tensor<'float32', 2>
  batchSizes: ArrayLike<number>
  sortedIndices?: ArrayLike<number> | null
}): PackedSequence {
  const op = 'fromTimeMajor'
  checkOptions(op, packed, timeMajorNames, 'packed')
  const { data } = packed
  checkTensor(op, 'data', data, { dtype: 'float32', shape: [anySize, anySize] })
  const batchSizes = integers(op, 'batchSizes', packed.batchSizes, 1)
  batchSizes.forEach((size, t) => {
    if (t > 0 && size > batchSizes[t - 1]!)
      throw badArgument(op, 'batchSizes', 'sizes that do not increase', Array.from(batchSizes))
  })
  const batchSize = batchSizes[0] ?? 0
  const total = batchSizes.reduce((sum, size) => sum + size, 0)
  if (total !== data.shape[0]) throw badArgument(op, 'data', `${total} rows`, data.shape, 'ERR_SHAPE')
  const identity = Array.from({ length: batchSize }, (_, b) => b)
  const sorted = integers(op, 'sortedIndices', packed.sortedIndices ?? identity, 0)
  if (sorted.length !== batchSize) {
    throw badArgument(op, 'sortedIndices', `${batchSize} indices`, sorted.length, 'ERR_SHAPE')
  }
  const places = inverse(sorted)
  if (places.includes(-1)) throw badArgument(op, 'sortedIndices', 'a permutation', Array.from(sorted))
  const lengths = new Int32Array(batchSize)
  eachTimeMajorRow(batchSizes, (_, place) => {
    lengths[sorted[place]!]!++
  })
  const sequences = new Sequences(lengths, op)
  const index = new Int32Array(total)
  eachTimeMajorRow(batchSizes, (row, place, t) => {
    index[sequences.offsets[sorted[place]!]! + t] = row
  })
  return new PackedSequence(selectRows<2>(op, data, index, data.shape[1], [total, data.shape[1]]), sequences)
}

function integers(op: string, name: string, values: ArrayLike<number>, low: number): Int32Array {
  for (let i = 0; i < values.length; i++) checkInteger(op, `${name}[${i}]`, values[i]!, low)
  return Int32Array.from(values)
}

function batchSizesOf(sequences: Sequences): Int32Array {
  const sizes = new Int32Array(sequences.longest())
  eachToken(sequences, (_, __, t) => {
    sizes[t]!++
  })
  return sizes
}

function eachToken(sequences: Sequences, visit: (row: number, b: number, t: number) => void): void {
  for (let b = 0; b < sequences.batchSize; b++) {
    const first = sequences.offsets[b]!
    for (let t = 0; t < sequences.length(b); t++) visit(first + t, b, t)
  }
}

function eachTimeMajorRow(
  batchSizes: Int32Array,
  visit: (row: number, place: number, t: number) => void,
): void {
  let row = 0
  batchSizes.forEach((size, t) => {
    for (let place = 0; place < size; place++) visit(row++, place, t)
  })
}

/** Returns the inverse of a permutation; -1 where nothing maps to. */
function inverse(permutation: Int32Array): Int32Array {
  const inverted = new Int32Array(permutation.length).fill(-1)
  permutation.forEach((to, from) => {
    if (to >= 0 && to < inverted.length) inverted[to] = from
  })
  return inverted
}
