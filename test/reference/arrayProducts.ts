import { type Reduced, sum } from './arrayReductions.js'
import { at, broadcastShape, build, combine, mul, type NdArray } from './arrays.js'

/** Products in float64. */

/** [.., m, k] · [.., k, n]; the dimensions before broadcast. */
export function matmul(a: NdArray, b: NdArray): NdArray {
  const [[m = 0, k = 0], [inner = 0, n = 0]] = [a.shape.slice(-2), b.shape.slice(-2)]
  if (k !== inner) throw new Error(`[${a.shape}] times [${b.shape}]`)
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  return build([...batch, m, n], place => {
    const [row = 0, column = 0] = place.slice(-2)
    const before = place.slice(0, -2)
    let total = 0
    for (let i = 0; i < k; i++) {
      total += broadcastMatrix(a, before, row, i) * broadcastMatrix(b, before, i, column)
    }
    return total
  })
}

/** An element of the matrix at a place of the batch; a matrix of one row is not broadcast. */
function broadcastMatrix(x: NdArray, batch: readonly number[], row: number, column: number): number {
  const own = x.shape.length - 2
  const before = batch.slice(batch.length - own).map((p, d) => (x.shape[d] === 1 ? 0 : p))
  return at(x, [...before, row, column])
}

/** Σ ab / (max(|a|, eps) · max(|b|, eps)) along `dim` */
export function cosineSimilarity(
  a: NdArray,
  b: NdArray,
  { dim = 1, eps = 1e-8 }: { dim?: number; eps?: number } = {},
): NdArray {
  const along: Reduced = { dim }
  return combine(
    (product = NaN, aSquares = NaN, bSquares = NaN) =>
      product / (Math.max(Math.sqrt(aSquares), eps) * Math.max(Math.sqrt(bSquares), eps)),
    sum(mul(a, b), along),
    sum(mul(a, a), along),
    sum(mul(b, b), along),
  )
}
