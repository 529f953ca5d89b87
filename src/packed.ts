import { anySize, checkInteger, checkOptions, checkTensor } from './check.js'
import { type Device, deviceOr } from './device.js'
import { badArgument } from './errors.js'
import { type Tensor, tensor } from './tensor.js'

/** The offsets [B + 1] for the kernels, which read memory by them without a check: nobody else gets this array. */
let kernelOffsets: (sequences: Sequences) => Int32Array
let isSequences: (value: unknown) => boolean

export { kernelOffsets }

/**
 * Sequences back to back: sequence b is rows `offsets[b]` to `offsets[b + 1]`. No padding, no sorting; a sequence may
 * be empty. They never change.
 */
export class Sequences {
  readonly #offsets: Int32Array
  #shown: readonly number[] | null = null

  static {
    kernelOffsets = sequences => sequences.#offsets
    isSequences = value => typeof value === 'object' && value !== null && #offsets in value
  }

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a length that is no integer of at least 0, or 2^31 rows and more. */
  constructor(lengths: ArrayLike<number>, op = 'Sequences') {
    this.#offsets = new Int32Array(lengths.length + 1)
    let total = 0
    for (let b = 0; b < lengths.length; b++) {
      const length = lengths[b]!
      checkInteger(op, `lengths[${b}]`, length, 0)
      total += length
      checkInteger(op, 'the sum of lengths', total, 0)
      this.#offsets[b + 1] = total
    }
    Object.freeze(this)
  }

  /** [B + 1], from 0 to the number of rows; frozen. */
  get offsets(): readonly number[] {
    this.#shown ??= Object.freeze(Array.from(this.#offsets))
    return this.#shown
  }

  /** B */
  get batchSize(): number {
    return this.#offsets.length - 1
  }

  /** N: tokens of all sequences. */
  get rows(): number {
    return this.#offsets[this.batchSize]!
  }

  /** Tokens of sequence b. */
  length(b: number): number {
    return this.#offsets[b + 1]! - this.#offsets[b]!
  }

  /** Tokens of each sequence [B], in a new array. */
  lengths(): Int32Array {
    return Int32Array.from({ length: this.batchSize }, (_, b) => this.length(b))
  }

  /** T: tokens of the longest sequence, 0 where there is none. */
  longest(): number {
    let longest = 0
    for (let b = 0; b < this.batchSize; b++) longest = Math.max(longest, this.length(b))
    return longest
  }
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT unless the constructor of `Sequences` made it. */
export function checkSequences(op: string, value: Sequences): void {
  if (!isSequences(value)) throw badArgument(op, 'sequences', 'Sequences', value)
}

/** Which of U distinct rows each of N rows is, and, the other way, where each distinct row stands. All on one device. */
export interface RowIndex {
  /** [N], from 0 to U - 1 */
  readonly index: Tensor<'int32', 1>
  /** [U + 1] and [N]: distinct row u stands at rows order[starts[u]] to order[starts[u + 1]], ascending. */
  readonly starts: Tensor<'int32', 1>
  readonly order: Tensor<'int32', 1>
}

/** The host's part of a batch of ids, packed: documents as token ids, with nothing on a device yet. */
export class PackedIds {
  readonly sequences: Sequences
  /** [N] */
  readonly ids: Int32Array

  /** @throws PackedRnnError ERR_OUT_OF_RANGE where an id is no integer from 0 to 2³¹ − 1. */
  constructor(documents: readonly ArrayLike<number>[]) {
    this.sequences = new Sequences(
      documents.map(document => document.length),
      'packSequence',
    )
    this.ids = new Int32Array(this.sequences.rows)
    documents.forEach((document, b) => {
      const first = this.sequences.offsets[b]!
      if (document instanceof Int32Array) {
        this.ids.set(document, first)
        return
      }
      for (let t = 0; t < document.length; t++) {
        checkInteger('packSequence', `documents[${b}][${t}]`, document[t]!, 0)
        this.ids[first + t] = document[t]!
      }
    })
    Object.freeze(this)
  }
}

/**
 * Rows of a batch of sequences: `data` [N, I], or, indexed, the distinct rows [U, I] and `index`, which of them each of
 * the N rows is. `embedding` of ids gives the latter.
 */
export class PackedSequence {
  /** [N, I], or [U, I] where `index` is not null. */
  readonly data: Tensor<'float32', 2>
  /** Where each sequence begins and ends. */
  readonly sequences: Sequences
  /** Null where `data` has a row for each token; `packedRows` makes them. */
  readonly index: RowIndex | null

  /**
   * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE or ERR_DISPOSED for a tensor that does not fit; ERR_OUT_OF_RANGE
   * for an index whose two sides disagree; ERR_INVALID_ARGUMENT for `sequences` that are none.
   */
  constructor(data: Tensor<'float32', 2>, sequences: Sequences, index: RowIndex | null = null) {
    checkSequences('PackedSequence', sequences)
    const rows = index === null ? sequences.rows : anySize
    checkTensor('PackedSequence', 'data', data, { dtype: 'float32', shape: [rows, anySize] })
    if (index !== null) {
      const { device, shape } = data
      checkTensor('PackedSequence', 'index.index', index.index, {
        dtype: 'int32',
        shape: [sequences.rows],
        device,
      })
      checkTensor('PackedSequence', 'index.starts', index.starts, {
        dtype: 'int32',
        shape: [shape[0] + 1],
        device,
      })
      checkTensor('PackedSequence', 'index.order', index.order, {
        dtype: 'int32',
        shape: [sequences.rows],
        device,
      })
      checkIndex(index)
    }
    this.data = data
    this.sequences = sequences
    this.index = index
    Object.freeze(this)
  }

  /** I: numbers in a row. */
  get width(): number {
    return this.data.shape[1]
  }

  /** Lets go of the rows and their index. */
  dispose(): void {
    this.data.dispose()
    this.index?.index.dispose()
    this.index?.starts.dispose()
    this.index?.order.dispose()
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** That an index says the same both ways: the ops read memory by it without looking again. */
function checkIndex(given: RowIndex): void {
  const [index, starts, order] = [given.index.host, given.starts.host, given.order.host]
  if (index === null || starts === null || order === null) {
    throw badArgument('PackedSequence', 'index', 'integers given by the host', 'results of ops')
  }
  let at = 0
  for (let u = 0; u + 1 < starts.length; u++) {
    for (const first = at; at < starts[u + 1]!; at++) {
      const row = order[at]!
      if (index[row] === u && (at === first || row > order[at - 1]!)) continue
      throw badArgument(
        'PackedSequence',
        `index.order[${at}]`,
        `the next row of ${u}`,
        row,
        'ERR_OUT_OF_RANGE',
      )
    }
    if (at !== starts[u + 1] || (u === 0 && starts[0] !== 0)) {
      throw badArgument(
        'PackedSequence',
        'index.starts',
        'ascending numbers from 0',
        starts,
        'ERR_OUT_OF_RANGE',
      )
    }
  }
  if (at !== order.length) {
    throw badArgument('PackedSequence', 'index.starts', `${order.length} at its end`, at, 'ERR_OUT_OF_RANGE')
  }
}

/**
 * Packs a batch.
 *
 * @param sequences ids of documents (integers: arrays, Int32Arrays), for an embedding; or rows of numbers: for each
 * sequence a Float32Array of length · inputSize, row-major.
 * @param options `inputSize`: I, numbers in a row, wanted with rows of numbers; `device`: where they go, default
 * `device()`. Ids stay on the host.
 * @returns rows [N, I] on the device, or for ids `PackedIds` [N]; copied, in the given order.
 * @throws PackedRnnError ERR_SHAPE where a Float32Array is no whole number of rows; ERR_DTYPE where rows are no
 * Float32Array; ERR_OUT_OF_RANGE for an id that is no non-negative integer, or an `inputSize` below 1;
 * ERR_DEVICE for a `device` that is none; ERR_INVALID_ARGUMENT for an unknown option.
 */
export function packSequence(
  sequences: readonly Float32Array[],
  options: { inputSize: number; device?: Device },
): PackedSequence
export function packSequence(sequences: readonly (Int32Array | readonly number[])[]): PackedIds
export function packSequence(
  sequences: readonly (Float32Array | Int32Array | readonly number[])[],
  options?: { inputSize: number; device?: Device },
): PackedSequence | PackedIds {
  if (options === undefined) return new PackedIds(sequences)
  checkOptions('packSequence', options, { inputSize: true, device: true })
  const { inputSize } = options
  checkInteger('packSequence', 'inputSize', inputSize, 1)
  const lengths = sequences.map((rows, b) => {
    if (!(rows instanceof Float32Array)) {
      throw badArgument('packSequence', `sequences[${b}]`, 'a Float32Array', rows, 'ERR_DTYPE')
    }
    if (rows.length % inputSize !== 0) {
      const wanted = `a multiple of inputSize ${inputSize} values`
      throw badArgument('packSequence', `sequences[${b}]`, wanted, rows.length, 'ERR_SHAPE')
    }
    return rows.length / inputSize
  })
  const packed = new Sequences(lengths, 'packSequence')
  const data = new Float32Array(packed.rows * inputSize)
  sequences.forEach((rows, b) => {
    data.set(rows, packed.offsets[b]! * inputSize)
  })
  const device = deviceOr(options.device, 'packSequence')
  return new PackedSequence(tensor(data, [packed.rows, inputSize], { device }), packed)
}
