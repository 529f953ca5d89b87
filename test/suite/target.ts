import type { Device, Precision } from '../../src/device.js'

/**
 * What the suite runs on. A device's test file gives one of these to every family of tests; nothing else in the suite
 * knows which device it is.
 */
export interface Target {
  readonly name: string
  readonly precision: Precision
  /** A device of this kind, with that many worker threads where it has any. */
  open(threads?: number): Device
}

/**
 * The largest error that a case allows, relative as `expectClose` says, on a device of each precision. It stands beside
 * the case.
 */
export type Tolerance = Readonly<Record<Precision, number>>

/** A float32 number is within this of the real one, relatively: the unit that tolerances are derived in. */
export const UNIT = 2 ** -24

/** Of a case without products of matrices, which is the same arithmetic at every precision. */
export function everywhere(tolerance: number): Tolerance {
  return { float32: tolerance, tf32: tolerance, bfloat16: tolerance }
}

/**
 * Of a case with products of matrices: at float32 as given, elsewhere as many roundings of an operand more. tf32 keeps
 * 11 bits of it and bfloat16 8, so that one rounding is 2⁻¹¹ or 2⁻⁸ at most. Where layers of the reference were run with
 * rounded operands, the results of a thousand random cases were off by 4.3 roundings at most, half of them by 0.7.
 */
export function products(float32: number, roundings = 8): Tolerance {
  return { float32, tf32: float32 + roundings * 2 ** -11, bfloat16: float32 + roundings * 2 ** -8 }
}

/** Why known gradients of relu are compared at float32 alone. */
export const AT_THE_KINK = 'a rounded operand puts units on the other side of the kink of relu'
