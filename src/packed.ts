import { anySize, checkInteger, checkOptions, checkTensor } from './check.js'
import { type Device, deviceOr } from './device.js'
import { badArgument } from './errors.js'
import { type Tensor, tensor } from './tensor.js'

/**
 * Returns the offsets [B + 1] for the kernels, which read memory by them without a check. Callers must
 * not return this array to users.
 */
let kernelOffsets: (sequences: Sequences) => Int32Array
let isSequences: (value: unknown) => boolean

export { kernelOffsets }

/**
 * The sequences of a batch, stored back to back: sequence b is rows `offsets[b]` to `offsets[b + 1]`. There
 * is no padding and no sorting, and a sequence may be empty. Immutable.
 *
 * @example
 * ```ts
 * import { Sequences } from 'packed-rnn'
 *
 * const sequences = new Sequences([2, 0, 3])
 * console.log(sequences.offsets, sequences.batchSize, sequences.rows) // [0, 2, 2, 5] 3 5
 * console.log(sequences.length(2), sequences.longest()) // 3 3
 * ```
 */
export class Sequences {
  readonly #offsets: Int32Array
  #shown: readonly number[] | null = null

  static {
    kernelOffsets = sequences => sequences.#offsets
    isSequences = value => typeof value === 'object' && value !== null && #offsets in value
  }

  /** Takes the tokens of each sequence: integers of at least 0, fewer than 2^31 in total. */
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

  /** B, the number of sequences. */
  get batchSize(): number {
    return this.#offsets.length - 1
  }

  /** N, the tokens of all sequences. */
  get rows(): number {
    return this.#offsets[this.batchSize]!
  }

  /** Returns the tokens of sequence b. */
  length(b: number): number {
    return this.#offsets[b + 1]! - this.#offsets[b]!
  }

  /** Returns the tokens of each sequence [B], in a new array. */
  lengths(): Int32Array {
    return Int32Array.from({ length: this.batchSize }, (_, b) => this.length(b))
  }

  /** Returns T, the tokens of the longest sequence; 0 without sequences. */
  longest(): number {
    let longest = 0
    for (let b = 0; b < this.batchSize; b++) longest = Math.max(longest, this.length(b))
    return longest
  }
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT unless the value is an instance of `Sequences`. */
export function checkSequences(op: string, value: Sequences): void {
  if (!isSequences(value)) throw badArgument(op, 'sequences', 'Sequences', value)
}

/**
 * Which of U distinct rows each of N rows is, and where each distinct row is used. All tensors are on one
 * device.
 */
export interface RowIndex {
  /** [N], each from 0 to U - 1. */
  readonly index: Tensor<'int32', 1>
  /** [U + 1]. Distinct row u is used at rows order[starts[u]] to order[starts[u + 1]], ascending. */
  readonly starts: Tensor<'int32', 1>
  /** [N] */
  readonly order: Tensor<'int32', 1>
}

/**
 * A packed batch of token ids, on the host. Made by `packIds` and by batches of documents; `embedding` takes it.
 *
 * @example
 * ```ts
 * import { PackedIds } from 'packed-rnn'
 *
 * const ids = new PackedIds([[4, 2], [], [2, 2, 7]])
 * console.log(ids.ids, ids.sequences.offsets) // Int32Array(5) [4, 2, 2, 2, 7] [0, 2, 2, 5]
 * ```
 */
export class PackedIds {
  readonly sequences: Sequences
  /** [N] */
  readonly ids: Int32Array

  /** Packs the token ids of documents: integers from 0 to 2³¹ − 1. */
  constructor(documents: readonly ArrayLike<number>[], op = 'PackedIds') {
    this.sequences = new Sequences(
      documents.map(document => document.length),
      op,
    )
    this.ids = new Int32Array(this.sequences.rows)
    documents.forEach((document, b) => {
      const first = this.sequences.offsets[b]!
      if (document instanceof Int32Array) {
        this.ids.set(document, first)
        return
      }
      for (let t = 0; t < document.length; t++) {
        checkInteger(op, `documents[${b}][${t}]`, document[t]!, 0)
        this.ids[first + t] = document[t]!
      }
    })
    Object.freeze(this)
  }
}

/**
 * A packed batch: `data` has a row for each token [N, I]. Or, indexed, `data` has the distinct rows [U, I],
 * and `index` says which of them each of the N tokens is; `embedding` returns this form.
 *
 * @example
 * ```ts
 * import { PackedSequence, Sequences, tensor } from 'packed-rnn'
 *
 * const rows = tensor([1, 2, 3, 4, 5, 6], [3, 2])
 * const x = new PackedSequence(rows, new Sequences([1, 2]))
 * console.log(x.width, x.data.shape, x.sequences.offsets, x.index) // 2 [3, 2] [0, 1, 3] null
 * ```
 */
export class PackedSequence {
  /** [N, I], or [U, I] if `index` is not null. */
  readonly data: Tensor<'float32', 2>
  /** Where each sequence begins and ends. */
  readonly sequences: Sequences
  /** A frozen copy of the index, or null if `data` has a row for each token. `packedRows` returns such rows in both cases. */
  readonly index: RowIndex | null

  /**
   * @throws PackedRnnError ERR_SHAPE if the rows and the sequences disagree; ERR_OUT_OF_RANGE if the two
   * directions of an index disagree.
   */
  constructor(data: Tensor<'float32', 2>, sequences: Sequences, index: RowIndex | null = null) {
    checkSequences('PackedSequence', sequences)
    // A copy that cannot change, before it is checked.
    const own = index === null || agreed.has(index) ? index : frozen(index)
    const rows = own === null ? sequences.rows : anySize
    checkTensor('PackedSequence', 'data', data, { dtype: 'float32', shape: [rows, anySize] })
    if (own !== null) {
      const { device, shape } = data
      checkTensor('PackedSequence', 'index.index', own.index, {
        dtype: 'int32',
        shape: [sequences.rows],
        device,
      })
      checkTensor('PackedSequence', 'index.starts', own.starts, {
        dtype: 'int32',
        shape: [shape[0] + 1],
        device,
      })
      checkTensor('PackedSequence', 'index.order', own.order, {
        dtype: 'int32',
        shape: [sequences.rows],
        device,
      })
      if (!agreed.has(own)) checkIndex(own)
      agreed.add(own)
    }
    this.data = data
    this.sequences = sequences
    this.index = own
    Object.freeze(this)
  }

  /** I, the numbers in a row. */
  get width(): number {
    return this.data.shape[1]
  }

  /** Releases the rows and their index. */
  dispose(): void {
    this.data.dispose()
    this.index?.index.dispose()
    this.index?.starts.dispose()
    this.index?.order.dispose()
  }

  /** Calls `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** Frozen indices whose two directions agree. */
const agreed = new WeakSet<RowIndex>()

/** Makes an index whose two directions agree, without the check of `PackedSequence`. @internal */
export function agreedIndex(given: RowIndex): RowIndex {
  const made = frozen(given)
  agreed.add(made)
  return made
}

const frozen = ({ index, starts, order }: RowIndex): RowIndex => Object.freeze({ index, starts, order })

/** Checks that the two directions of an index agree: the ops read memory by it without a check. */
function checkIndex(given: RowIndex): void {
  const [index, starts, order] = [given.index.host, given.starts.host, given.order.host]
  if (index === null || starts === null || order === null) {
    throw badArgument('PackedSequence', 'index', 'integers from the host', 'results of ops')
  }
  let at = 0
  for (let u = 0; u + 1 < starts.length; u++) {
    for (const first = at; at < starts[u + 1]!; at++) {
      const row = order[at]!
      if (index[row] === u && (at === first || row > order[at - 1]!)) continue
      throw badArgument(
        'PackedSequence',
        `index.order[${at}]`,
        `the next row that uses distinct row ${u}`,
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
 * Packs the token ids of documents, in the given order. The ids are copied, and stay on the host.
 *
 * @param documents for each document its ids: integers from 0 to 2³¹ − 1.
 * @returns ids [N], which `embedding` takes.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE for an id that is not such an integer.
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 *
 * const ids = packIds([[5, 3], [3]])
 * console.log(ids.ids, ids.sequences.offsets) // Int32Array(3) [5, 3, 3] [0, 2, 3]
 * ```
 */
export function packIds(documents: readonly ArrayLike<number>[]): PackedIds {
  return new PackedIds(documents, 'packIds')
}

/**
 * Packs rows of numbers, in the given order. The input is copied.
 *
 * @param sequences for each sequence a Float32Array of length · inputSize, row-major.
 * @param options `inputSize` I is the size of a row; `device` is where the rows go, default `device()`.
 * @returns rows [N, I] on the device.
 * @throws PackedRnnError ERR_SHAPE if a Float32Array is not a whole number of rows.
 * @example
 * ```ts
 * import { packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6)], { inputSize: 2 })
 * console.log(x.data.shape, x.sequences.offsets) // [3, 2] [0, 2, 3]
 * ```
 */
export function packSequence(
  sequences: readonly Float32Array[],
  options: { inputSize: number; device?: Device },
): PackedSequence
/** @deprecated Use `packIds`. */
export function packSequence(sequences: readonly (Int32Array | readonly number[])[]): PackedIds
export function packSequence(
  sequences: readonly (Float32Array | Int32Array | readonly number[])[],
  options?: { inputSize: number; device?: Device },
): PackedSequence | PackedIds {
  if (options === undefined) return new PackedIds(sequences, 'packSequence')
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
