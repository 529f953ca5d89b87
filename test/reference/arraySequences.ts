import { logOfSum, reduce } from './arrayReductions.js'
import { cat, flip as flipAlong, narrow } from './arrayShapes.js'
import { at, build, type NdArray, nd } from './arrays.js'

/** Packed sequences in float64. */

/** The rows [N, C] of sequences of these lengths, back to back. */
export interface Rows {
  readonly rows: NdArray
  readonly lengths: readonly number[]
}

/** The rows of each sequence: arrays [length, C]. */
function each({ rows, lengths }: Rows): NdArray[] {
  let start = 0
  return lengths.map(length => {
    start += length
    return narrow(rows, 0, start - length, length)
  })
}

function joined(sequences: readonly NdArray[], width: number): Rows {
  return {
    rows: cat([...sequences, nd([0, width], [])], 0),
    lengths: sequences.map(sequence => sequence.shape[0]!),
  }
}

/** Each sequence through a function of its rows; `width` is how many columns come back. */
function map(x: Rows, f: (sequence: NdArray) => NdArray, width = x.rows.shape[1]!): Rows {
  return joined(each(x).map(f), width)
}

/** One row for each sequence: a function of its columns. */
function reduceEach(x: Rows, f: (column: readonly number[]) => number): NdArray {
  const sequences = each(x)
  const columns = sequences.map(sequence => reduce(sequence, { dim: 0, keepdim: true }, f))
  return cat([...columns, nd([0, x.rows.shape[1]!], [])], 0)
}

const total = (column: readonly number[]) => column.reduce((sum, value) => sum + value, 0)

export const segmentSum = (x: Rows) => reduceEach(x, total)
export const segmentMean = (x: Rows) => reduceEach(x, column => total(column) / Math.max(column.length, 1))
export const segmentMax = (x: Rows) =>
  reduceEach(x, column => (column.length === 0 ? 0 : column.reduce((a, b) => Math.max(a, b))))
export const segmentLogsumexp = (x: Rows) => reduceEach(x, logOfSum)

export function segmentSoftmax(x: Rows): Rows {
  return map(x, sequence => {
    const sums = reduce(sequence, { dim: 0 }, logOfSum)
    return build(sequence.shape, place => Math.exp(at(sequence, place) - sums.data[place[1]!]!))
  })
}

/** Row b of `x` [B, C] at every token of sequence b. */
export function repeatRows(x: NdArray, lengths: readonly number[]): Rows {
  const sequences = lengths.map((length, b) => build([length, x.shape[1]!], place => at(x, [b, place[1]!])))
  return joined(sequences, x.shape[1]!)
}

export const flipSequences = (x: Rows) => map(x, sequence => flipAlong(sequence, 0))

/** Token t takes that of t − by; outside it is `fill`. */
export function shift(x: Rows, by: number, fill = 0): Rows {
  return map(x, sequence =>
    build(sequence.shape, ([t = 0, c = 0]) => {
      const from = t - by
      return from >= 0 && from < sequence.shape[0]! ? at(sequence, [from, c]) : fill
    }),
  )
}

export interface Window {
  kernelSize: number
  dilation?: number
  padding?: 'causal' | 'same' | 'valid'
}

/** At each token the rows that a convolution sees there, the earliest first; outside a sequence they are 0. */
export function unfold(x: Rows, { kernelSize, dilation = 1, padding = 'causal' }: Window): Rows {
  const C = x.rows.shape[1]!
  const reach = (kernelSize - 1) * dilation
  const before = { causal: reach, same: Math.floor(reach / 2), valid: 0 }[padding]
  const shorter = padding === 'valid' ? reach : 0
  const seen = (sequence: NdArray) => {
    const length = sequence.shape[0]!
    return build([Math.max(0, length - shorter), kernelSize * C], ([t = 0, column = 0]) => {
      const from = t - before + Math.floor(column / C) * dilation
      return from >= 0 && from < length ? at(sequence, [from, column % C]) : 0
    })
  }
  return map(x, seen, kernelSize * C)
}

export function concatSequences(...batches: readonly Rows[]): Rows {
  return joined(batches.flatMap(each), batches[0]!.rows.shape[1]!)
}

/** Batches of `counts` sequences. */
export function splitSequences(x: Rows, counts: readonly number[]): Rows[] {
  const sequences = each(x)
  return counts.map(count => joined(sequences.splice(0, count), x.rows.shape[1]!))
}

/** Of query i and key j of a sequence. */
export type Score = (query: readonly number[], key: readonly number[], i: number, j: number) => number

function rowsOf(x: NdArray): number[][] {
  const [rows = 0, columns = 0] = x.shape
  return Array.from({ length: rows }, (_, r) => [...x.data.slice(r * columns, (r + 1) * columns)])
}

/** The means of each sequence's values with the softmax of its scores; 0 without keys. And all weights. */
export function attended(query: Rows, keys: Rows, values: Rows, score: Score) {
  const [allKeys, allValues] = [each(keys).map(rowsOf), each(values).map(rowsOf)]
  const columns = values.rows.shape[1]!
  const weights: number[] = []
  const contexts = each(query).map((queries, b) => {
    const rows = rowsOf(queries).map((q, i) => {
      const scores = allKeys[b]!.map((k, j) => score(q, k, i, j))
      const all = logOfSum(scores)
      const own = scores.map(s => Math.exp(s - all))
      weights.push(...own)
      return Array.from({ length: columns }, (_, c) =>
        own.reduce((sum, weight, j) => sum + weight * allValues[b]![j]![c]!, 0),
      )
    })
    return nd([rows.length, columns], rows.flat())
  })
  return { context: joined(contexts, columns), weights }
}
