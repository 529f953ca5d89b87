/** The ops around the recurrence in float64, written for reading; matrices are flat and row-major. */

/** Rows of `table` [V, width] at `ids` [N]: [N, width]. */
export function embeddingReference(table: Float64Array, ids: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from({ length: ids.length * width }, (_, n) => {
    return table[ids[Math.floor(n / width)]! * width + (n % width)]!
  })
}

/** dTable [V, width]: the rows of `dOutput` [N, width] summed by id. */
export function embeddingReferenceBackward(
  dOutput: Float64Array,
  ids: ArrayLike<number>,
  width: number,
  tableRows: number,
): Float64Array {
  const dTable = new Float64Array(tableRows * width)
  for (const [n, d] of dOutput.entries()) dTable[ids[Math.floor(n / width)]! * width + (n % width)]! += d
  return dTable
}

/** `x` [N, in] times the transpose of `weight` [out, in], plus `bias` [out]: [N, out]. */
export function linearReference(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const O = bias.length
  const I = weight.length / O
  return Float64Array.from({ length: (x.length / I) * O }, (_, n) => {
    const row = Math.floor(n / O)
    const out = n % O
    let total = bias[out]!
    for (let k = 0; k < I; k++) total += x[row * I + k]! * weight[out * I + k]!
    return total
  })
}

/** Gradients of `linearReference`, given `dOutput` [N, out]. */
export function linearReferenceBackward(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  dOutput: Float64Array,
): { dX: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const O = bias.length
  const I = weight.length / O
  const dX = new Float64Array(x.length)
  const dWeight = new Float64Array(weight.length)
  const dBias = new Float64Array(O)
  for (const [n, d] of dOutput.entries()) {
    const row = Math.floor(n / O)
    const out = n % O
    dBias[out]! += d
    for (let k = 0; k < I; k++) {
      dX[row * I + k]! += d * weight[out * I + k]!
      dWeight[out * I + k]! += d * x[row * I + k]!
    }
  }
  return { dX, dWeight, dBias }
}

export interface CrossEntropyCase {
  reduction?: 'mean' | 'sum'
  /** One for each class; the mean then divides by the weights of the labels. */
  weight?: Float64Array
  /** Rows with this label count for nothing. */
  ignoreIndex?: number
  labelSmoothing?: number
}

/** Cross entropy of `logits` [N, C] and `labels` [N], with its gradient [N, C]. */
export function crossEntropyReference(
  logits: Float64Array,
  labels: ArrayLike<number>,
  { reduction = 'mean', weight, ignoreIndex = -100, labelSmoothing = 0 }: CrossEntropyCase = {},
): { loss: number; dLogits: Float64Array } {
  const C = logits.length / labels.length
  const dLogits = new Float64Array(logits.length)
  let loss = 0
  let divisor = 0
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n]!
    if (label === ignoreIndex) continue
    const row = logits.subarray(n * C, (n + 1) * C)
    const highest = Math.max(...row)
    const logSum = highest + Math.log(row.reduce((total, z) => total + Math.exp(z - highest), 0))
    // What each class's log-probability is multiplied by: the smoothed target times the class weight.
    const targets = Array.from(row, (_, c) => {
      const smoothed = labelSmoothing / C + (c === label ? 1 - labelSmoothing : 0)
      return smoothed * (weight?.[c] ?? 1)
    })
    const total = targets.reduce((a, b) => a + b, 0)
    for (const [c, z] of row.entries()) {
      loss -= targets[c]! * (z - logSum)
      dLogits[n * C + c] = total * Math.exp(z - logSum) - targets[c]!
    }
    divisor += weight?.[label] ?? 1
  }
  if (reduction === 'sum') return { loss, dLogits }
  return { loss: loss / divisor, dLogits: dLogits.map(d => d / divisor) }
}

/** Scales `gradients` in place so that their common 2-norm is at most `maxNorm`; returns the norm before. */
export function clipGradNormReference(gradients: Float64Array[], maxNorm: number): number {
  const squares = gradients.map(gradient => gradient.reduce((total, g) => total + g * g, 0))
  const norm = Math.sqrt(squares.reduce((total, square) => total + square, 0))
  const scale = Math.min(1, maxNorm / (norm + 1e-6))
  for (const gradient of gradients) gradient.set(gradient.map(g => g * scale))
  return norm
}
