/** Functions of rows of logits on the host. */

/** Returns the softmax of each row. @internal */
export function softmaxRows(logits: Float32Array, rows: number): number[] {
  const classes = logits.length / rows
  const result: number[] = []
  for (let r = 0; r < rows; r++) {
    const row = logits.subarray(r * classes, (r + 1) * classes)
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity)
    const powers = Array.from(row, z => Math.exp(z - largest))
    const total = powers.reduce((a, b) => a + b, 0)
    for (const power of powers) result.push(power / total)
  }
  return result
}

/** Returns the index of each row's largest number: the first one of equals, and 0 for a row with a NaN. @internal */
export function argmaxRows(values: Float32Array, rows: number): Int32Array {
  const columns = values.length / rows
  return Int32Array.from({ length: rows }, (_, r) => {
    const row = values.subarray(r * columns, (r + 1) * columns)
    return Math.max(0, row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity)))
  })
}

/** Returns the number of correct predictions. */
export function countRight(predicted: Int32Array, labels: Int32Array): number {
  return predicted.reduce((sum, category, i) => sum + (category === labels[i] ? 1 : 0), 0)
}
