import { at, axisOf, broadcastAt, build, flatten, type NdArray, nd, sizeOf } from './arrays.js'

/** Shapes and indices, in float64: numbers are copied, and added in `scatterAdd` alone. */

/** One dimension may be −1: as long as the number of elements asks for. */
export function reshape(x: NdArray, shape: readonly number[]): NdArray {
  const others = sizeOf(shape.filter(n => n !== -1))
  return nd(
    shape.map(n => (n === -1 ? x.data.length / others : n)),
    x.data,
  )
}

/** Dimension d of the result is dimension dims[d] of `x`. */
export function permute(x: NdArray, dims: readonly number[]): NdArray {
  const axes = dims.map(dim => axisOf(x.shape.length, dim))
  const shape = axes.map(axis => x.shape[axis]!)
  return build(shape, place =>
    at(
      x,
      [...x.shape.keys()].map(axis => place[axes.indexOf(axis)]!),
    ),
  )
}

export function transpose(x: NdArray, dim0: number, dim1: number): NdArray {
  const [a, b] = [axisOf(x.shape.length, dim0), axisOf(x.shape.length, dim1)]
  return permute(
    x,
    x.shape.map((_, d) => (d === a ? b : d === b ? a : d)),
  )
}

/** Without the dimensions of 1, or without `dim` where that is one. */
export function squeeze(x: NdArray, dim?: number): NdArray {
  const axis = dim === undefined ? null : axisOf(x.shape.length, dim)
  return nd(
    x.shape.filter((n, d) => n !== 1 || (axis !== null && d !== axis)),
    x.data,
  )
}

export function unsqueeze(x: NdArray, dim: number): NdArray {
  return nd(x.shape.toSpliced(axisOf(x.shape.length + 1, dim), 0, 1), x.data)
}

export function narrow(x: NdArray, dim: number, start: number, length: number): NdArray {
  const axis = axisOf(x.shape.length, dim)
  return build(x.shape.with(axis, length), place => at(x, place.with(axis, place[axis]! + start)))
}

export function cat(arrays: readonly NdArray[], dim = 0): NdArray {
  const { shape } = arrays[0]!
  const axis = axisOf(shape.length, dim)
  const lengths = arrays.map(x => x.shape[axis]!)
  const total = lengths.reduce((sum, n) => sum + n, 0)
  return build(shape.with(axis, total), place => {
    let [k, from] = [0, place[axis]!]
    while (from >= lengths[k]!) from -= lengths[k++]!
    return at(arrays[k]!, place.with(axis, from))
  })
}

export function stack(arrays: readonly NdArray[], dim = 0): NdArray {
  return cat(
    arrays.map(x => unsqueeze(x, dim)),
    dim,
  )
}

/** Parts of the given sizes, or of one size, the last of which may be smaller. */
export function split(x: NdArray, sizes: number | readonly number[], dim = 0): NdArray[] {
  const length = x.shape[axisOf(x.shape.length, dim)]!
  const parts: NdArray[] = []
  let start = 0
  while (typeof sizes === 'number' ? start < length : parts.length < sizes.length) {
    const size = typeof sizes === 'number' ? Math.min(sizes, length - start) : sizes[parts.length]!
    parts.push(narrow(x, dim, start, size))
    start += size
  }
  return parts
}

/** Element i comes from i − shift, around the end. */
export function roll(x: NdArray, shift: number, dim: number): NdArray {
  const axis = axisOf(x.shape.length, dim)
  const n = x.shape[axis]!
  return build(x.shape, place => at(x, place.with(axis, (((place[axis]! - shift) % n) + n) % n)))
}

export function flip(x: NdArray, dim: number): NdArray {
  const axis = axisOf(x.shape.length, dim)
  return build(x.shape, place => at(x, place.with(axis, x.shape[axis]! - 1 - place[axis]!)))
}

// Indices -----------------------------------------------------------------------------------------------------

export function indexSelect(x: NdArray, dim: number, index: ArrayLike<number>): NdArray {
  const axis = axisOf(x.shape.length, dim)
  return build(x.shape.with(axis, index.length), place => at(x, place.with(axis, index[place[axis]!]!)))
}

/** Of the shape of `index`, which says where along `dim` an element is taken from. */
export function gather(x: NdArray, dim: number, index: NdArray): NdArray {
  const axis = axisOf(x.shape.length, dim)
  return build(index.shape, place => at(x, place.with(axis, at(index, place))))
}

/** `x`, to which the elements of `source` are added where `index` says along `dim`. */
export function scatterAdd(x: NdArray, dim: number, index: NdArray, source: NdArray): NdArray {
  const axis = axisOf(x.shape.length, dim)
  const y = nd(x.shape, x.data)
  build(index.shape, place => {
    const to = place.with(axis, at(index, place))
    y.data[flatten(x.shape, to)]! += at(source, place)
    return 0
  })
  return y
}

/** `value` where `mask`, broadcast to `x`, is not 0. */
export function maskedFill(x: NdArray, mask: NdArray, value: number): NdArray {
  return build(x.shape, place => (broadcastAt(mask, place) === 0 ? at(x, place) : value))
}

/** [.., classes]: 1 at the label, 0 elsewhere. */
export function oneHot(labels: NdArray, classes: number): NdArray {
  return build([...labels.shape, classes], place =>
    Number(at(labels, place.slice(0, -1)) === place[place.length - 1]),
  )
}
