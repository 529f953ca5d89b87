import { attended, type Rows, type Score } from './arraySequences.js'
import type { NdArray } from './arrays.js'

/** Attention in float64, a query at a time. */

/** The context of each query, and the weights of all pairs: sequence after sequence, a query's together. */
export interface Attended {
  context: Rows
  weights: number[]
}

const product = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

/** softmax_j(scale · q_i · k_j); with `causal` over the keys 0 to i. */
export function dotAttention(
  query: Rows,
  keys: Rows,
  values: Rows,
  { scale = 1, causal = false }: { scale?: number; causal?: boolean } = {},
): Attended {
  const score: Score = (q, k, i, j) => (causal && j > i ? -Infinity : scale * product(q, k))
  return attended(query, keys, values, score)
}

/** softmax_j(Σ v tanh(q_i + k_j)) */
export function additiveAttention(query: Rows, keys: Rows, values: Rows, v: NdArray): Attended {
  const own = [...v.data]
  return attended(query, keys, values, (q, k) =>
    product(
      own,
      q.map((x, a) => Math.tanh(x + k[a]!)),
    ),
  )
}
