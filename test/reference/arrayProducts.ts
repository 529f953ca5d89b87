import { type Reduced, sum } from './arrayReductions.js'
import { broadcastAt, broadcastShape, build, combine, mul, type NdArray, nd, sizeOf } from './arrays.js'

/** Products in float64. */

/** [.., m, k] · [.., k, n]; the dimensions before broadcast. */
export function matmul(a: NdArray, b: NdArray): NdArray {
  const [[m = 0, k = 0], [inner = 0, n = 0]] = [a.shape.slice(-2), b.shape.slice(-2)]
  if (k !== inner) throw new Error(`[${a.shape}] times [${b.shape}]`)
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const [first, second] = [matrices(a), matrices(b)]
  const y = new Float64Array(sizeOf(batch) * m * n)
  let at = 0
  build(batch, place => {
    const [left, right] = [broadcastAt(first, place) * m * k, broadcastAt(second, place) * k * n]
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let total = 0
        for (let i = 0; i < k; i++) total += a.data[left + row * k + i]! * b.data[right + i * n + column]!
        y[at++] = total
      }
    }
    return 0
  })
  return nd([...batch, m, n], y)
}

/** The number of each matrix, in the order of the memory. */
function matrices(x: NdArray): NdArray {
  let count = 0
  return build(x.shape.slice(0, -2), () => count++)
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
