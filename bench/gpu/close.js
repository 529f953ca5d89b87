/**
 * How far results may be from each other, relative to the largest number of an array. The most that a product of float32,
 * tf32 or bfloat16 operands is off, with room for sums over many rows; what was found is written beside each result.
 */
const TOLERANCES = { float32: 1e-4, tf32: 1e-2, bfloat16: 6e-2 }

export function toleranceOf(precision) {
  return TOLERANCES[precision]
}

/** The largest difference, relative to the largest number that is wanted. NaN where there is one. */
export function relativeError(actual, expected) {
  let error = 0
  let scale = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i])
    if (!(difference <= error)) error = difference
    if (Number.isNaN(error)) return error
    scale = Math.max(scale, Math.abs(expected[i]))
  }
  return error === 0 ? 0 : error / scale
}

/**
 * Compares everything that `expected` names.
 * @returns the largest error
 * @throws Error where one is above the tolerance
 */
export function checkClose(actual, expected, tolerance, about) {
  let largest = 0
  for (const [name, values] of Object.entries(expected)) {
    if (actual[name].length !== values.length) {
      throw new Error(`${about}: ${name}: wanted ${values.length} numbers, got ${actual[name].length}`)
    }
    const error = relativeError(actual[name], values)
    if (!(error <= tolerance)) {
      throw new Error(
        `${about}: ${name}: off by ${error.toExponential(1)}, allowed ${tolerance.toExponential(1)}`,
      )
    }
    largest = Math.max(largest, error)
  }
  return largest
}
