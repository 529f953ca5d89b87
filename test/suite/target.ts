import type { Device } from '../../src/device.js'

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

/** A device's arithmetic: the column of a tolerance that applies to it. */
export type Precision = 'float32'

/** The largest error that a case allows, relative as `expectClose` says. It stands beside the case. */
export type Tolerance = Readonly<Record<Precision, number>>

/** A float32 number is within this of the real one, relatively: the unit that tolerances are derived in. */
export const UNIT = 2 ** -24
