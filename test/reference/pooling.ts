/** One row for each sequence, and matrices side by side, in float64; matrices are flat and row-major. */

/** Of `rows` [N, width], whose sequences are `lengths` long: each sequence's columns, from its first row to its last. */
function columnsOf(rows: Float64Array, lengths: readonly number[], width: number): number[][][] {
  let row = 0
  return lengths.map(length => {
    const first = row
    row += length
    return Array.from({ length: width }, (_, c) =>
      Array.from({ length }, (_, t) => rows[(first + t) * width + c]!),
    )
  })
}

/** The largest number of each column of a sequence, 0 of an empty one: [B, width]. */
export function maxPoolReference(
  rows: Float64Array,
  lengths: readonly number[],
  width: number,
): Float64Array {
  return Float64Array.from(
    columnsOf(rows, lengths, width).flatMap(columns =>
      columns.map(column => (column.length === 0 ? 0 : Math.max(...column))),
    ),
  )
}

/** The mean of each column of a sequence, 0 of an empty one: [B, width]. */
export function meanPoolReference(
  rows: Float64Array,
  lengths: readonly number[],
  width: number,
): Float64Array {
  return Float64Array.from(
    columnsOf(rows, lengths, width).flatMap(columns =>
      columns.map(column => column.reduce((total, x) => total + x, 0) / Math.max(1, column.length)),
    ),
  )
}

/** `parts` [rows, *], side by side. */
export function concatColumnsReference(parts: readonly Float64Array[], rows: number): Float64Array {
  return Float64Array.from(
    Array.from({ length: rows }, (_, r) =>
      parts.flatMap(part => [...part.subarray((r * part.length) / rows, ((r + 1) * part.length) / rows)]),
    ).flat(),
  )
}
