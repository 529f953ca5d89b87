import type { Precision } from '../device.js'

/**
 * The tolerance of results, relative to the largest number of an array: the largest error of a product of float32, tf32 or
 * bfloat16 operands, with a margin for sums over many rows. The measured error is reported with each result.
 */
const TOLERANCES: Record<Precision, number> = { float32: 1e-4, tf32: 1e-2, bfloat16: 6e-2 }

export function toleranceOf(precision: Precision): number {
  return TOLERANCES[precision]
}

/** The largest difference, relative to the largest expected number; NaN if a number is NaN. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0
  let scale = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    if (!(difference <= error)) error = difference
    if (Number.isNaN(error)) return error
    scale = Math.max(scale, Math.abs(expected[i]!))
  }
  return error === 0 ? 0 : error / scale
}

/**
 * Compares all arrays of `expected`.
 * @returns the largest error
 * @throws Error if an error is above the tolerance
 */
export function checkClose(
  actual: Readonly<Record<string, ArrayLike<number>>>,
  expected: Readonly<Record<string, ArrayLike<number>>>,
  tolerance: number,
  about: string,
): number {
  let largest = 0
  for (const [name, values] of Object.entries(expected)) {
    const found = actual[name] ?? []
    if (found.length !== values.length) {
      throw new Error(`${about}: ${name}: wanted ${values.length} numbers, got ${found.length}`)
    }
    const error = relativeError(found, values)
    if (!(error <= tolerance)) {
      throw new Error(
        `${about}: ${name}: off by ${error.toExponential(1)}, allowed ${tolerance.toExponential(1)}`,
      )
    }
    largest = Math.max(largest, error)
  }
  return largest
}

/** Checks that the losses of successive steps agree. The tolerance grows with the step. */
export function checkLosses(
  found: readonly number[],
  wanted: readonly number[],
  tolerance: number,
  whose: string,
): void {
  for (const [i, loss] of wanted.entries()) {
    // Adam's first steps do not depend on the gradient's size, so a rounding error that flips its sign has full effect.
    const allowed = i === 0 ? tolerance : 10 * tolerance
    if (!(Math.abs(found[i]! - loss) <= allowed * Math.abs(loss))) {
      throw new Error(`step ${i + 1}: wanted the loss of ${whose}, ${loss}, got ${found[i]}`)
    }
  }
}
