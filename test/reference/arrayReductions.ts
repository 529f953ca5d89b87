import { at, axisOf, build, flatten, type NdArray } from './arrays.js'

/** Reductions and functions of whole lines, in float64. */

export interface Reduced {
  /** All dimensions without. */
  dim?: number | readonly number[]
  keepdim?: boolean
}

/** `f` of the elements along `dim`, in row-major order, for each place of the other dimensions. */
export function reduce(
  x: NdArray,
  { dim, keepdim = false }: Reduced,
  f: (values: readonly number[]) => number,
): NdArray {
  const rank = x.shape.length
  const dims = dim === undefined ? x.shape.map((_, d) => d) : [dim].flat().map(d => axisOf(rank, d))
  const kept = x.shape.map((n, d) => (dims.includes(d) ? 1 : n))
  const groups: number[][] = Array.from(build(kept, () => 0).data, () => [])
  build(x.shape, place => {
    const group = flatten(
      kept,
      place.map((p, d) => (dims.includes(d) ? 0 : p)),
    )
    return groups[group]!.push(at(x, place))
  })
  const shape = keepdim ? kept : x.shape.filter((_, d) => !dims.includes(d))
  return { shape, data: Float64Array.from(groups, values => f(values)) }
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
const largest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity)
const smallest = (values: readonly number[]) => -largest(values.map(value => -value))

/** log Σ eˣ; of nothing, and of −∞ alone, −∞. */
export function logOfSum(values: readonly number[]): number {
  const highest = largest(values)
  if (!Number.isFinite(highest)) return highest
  return highest + Math.log(total(values.map(value => Math.exp(value - highest))))
}

/** The place of the first largest number, or of the first NaN. */
export function firstLargest(values: readonly number[]): number {
  const nan = values.findIndex(Number.isNaN)
  return nan >= 0 ? nan : values.indexOf(largest(values))
}

export const sum = (x: NdArray, options: Reduced = {}) => reduce(x, options, total)
export const mean = (x: NdArray, options: Reduced = {}) =>
  reduce(x, options, values => total(values) / values.length)
export const amax = (x: NdArray, options: Reduced = {}) => reduce(x, options, largest)
export const amin = (x: NdArray, options: Reduced = {}) => reduce(x, options, smallest)
export const argmax = (x: NdArray, options: Reduced = {}) => reduce(x, options, firstLargest)
export const logsumexp = (x: NdArray, options: Reduced) => reduce(x, options, logOfSum)

export function norm(x: NdArray, { p = 2, ...options }: Reduced & { p?: number } = {}): NdArray {
  return reduce(x, options, values => {
    const sizes = values.map(Math.abs)
    if (p === Infinity) return Math.max(0, largest(sizes))
    return p === 1 ? total(sizes) : Math.sqrt(total(sizes.map(size => size * size)))
  })
}

/** What `f` makes of each line along `dim`: as many numbers as it has, or `length` of them. */
export function along(
  x: NdArray,
  dim: number,
  f: (line: readonly number[]) => readonly number[],
  length?: number,
): NdArray {
  const axis = axisOf(x.shape.length, dim)
  const lines = new Map<number, readonly number[]>()
  return build(x.shape.with(axis, length ?? x.shape[axis]!), place => {
    const first = flatten(
      x.shape,
      place.map((p, d) => (d === axis ? 0 : p)),
    )
    let line = lines.get(first)
    if (line === undefined) {
      const step = x.shape.slice(axis + 1).reduce((product, n) => product * n, 1)
      line = f(Array.from({ length: x.shape[axis]! }, (_, k) => x.data[first + k * step]!))
      lines.set(first, line)
    }
    return line[place[axis]!]!
  })
}

export function cumsum(x: NdArray, dim: number): NdArray {
  return along(x, dim, line => {
    let sum = 0
    return line.map(value => {
      sum += value
      return sum
    })
  })
}

/** A NaN stays from where it stands. */
export function cummax(x: NdArray, dim: number): NdArray {
  return along(x, dim, line => {
    let largest = -Infinity
    return line.map(value => {
      largest = Math.max(largest, value)
      return largest
    })
  })
}

/** The last of equal numbers, and the first NaN. */
export function cummaxIndices(x: NdArray, dim: number): NdArray {
  return along(x, dim, line => {
    let at = 0
    return line.map((value, i) => {
      if (!(value < line[at]!) && !Number.isNaN(line[at]!)) at = i
      return at
    })
  })
}

export function softmax(x: NdArray, dim = -1): NdArray {
  return along(x, dim, line => {
    const logSum = logOfSum(line)
    return line.map(value => Math.exp(value - logSum))
  })
}

export function logSoftmax(x: NdArray, dim = -1): NdArray {
  return along(x, dim, line => {
    const logSum = logOfSum(line)
    return line.map(value => value - logSum)
  })
}

/** The k largest, or smallest, of each line in order; of equals the lower index comes first. A NaN is the largest. */
export function topk(
  x: NdArray,
  k: number,
  { dim = -1, largest: fromLargest = true }: { dim?: number; largest?: boolean } = {},
): { values: NdArray; indices: NdArray } {
  const order = (line: readonly number[]) => {
    const rank = (i: number) => (Number.isNaN(line[i]!) ? [1, 0] : [0, line[i]!])
    const compare = (i: number, j: number) => {
      const [a, b] = [rank(i), rank(j)]
      return a[0]! - b[0]! || (a[1] === b[1] ? 0 : a[1]! - b[1]!)
    }
    const places = line.map((_, i) => i)
    return places.sort((i, j) => (fromLargest ? compare(j, i) : compare(i, j)) || i - j).slice(0, k)
  }
  return {
    values: along(x, dim, line => order(line).map(i => line[i]!), k),
    indices: along(x, dim, order, k),
  }
}
