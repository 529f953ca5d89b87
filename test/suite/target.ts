import type { Device, Precision } from '../../src/device.js'

/**
 * The device that the suite runs on. A device's test file passes a target to every family of tests; nothing else in the
 * suite depends on the device.
 */
export interface Target {
  readonly name: string
  readonly precision: Precision
  /** The numbers of worker threads that must give the same bits: one number if the device has no threads. */
  readonly threads: readonly number[]
  /** Opens a device of this kind, with the given number of worker threads if it has any. */
  open(threads?: number): Device
}

/**
 * The largest error that a case allows on a device of each precision, relative as in `expectClose`. It is written next to the
 * case.
 */
export type Tolerance = Readonly<Record<Precision, number>>

/** The largest relative error of rounding to float32: the unit of tolerances. */
export const UNIT = 2 ** -24

/** The tolerance of a case without matrix products, which has the same arithmetic at every precision. */
export function everywhere(tolerance: number): Tolerance {
  return { float32: tolerance, tf32: tolerance, bfloat16: tolerance }
}

/**
 * The tolerance of a case with matrix products: as given in float32, and some roundings of an operand more at other precisions.
 * tf32 keeps 11 bits and bfloat16 8, so one rounding is at most 2⁻¹¹ or 2⁻⁸. In a thousand random cases, the reference with
 * rounded operands differed by at most 4.3 roundings, and in half of the cases by at most 0.7.
 */
export function products(float32: number, roundings = 8): Tolerance {
  return { float32, tf32: float32 + roundings * 2 ** -11, bfloat16: float32 + roundings * 2 ** -8 }
}

/** Why known gradients of relu are compared only in float32. */
export const AT_THE_KINK = 'a rounded operand puts units on the other side of the kink of relu'
