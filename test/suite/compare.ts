import { expect } from 'vitest'
import type { Device } from '../../src/device.js'
import type { Target } from './target.js'

/** Results by name. */
export type Numbers<A extends ArrayLike<number> = Float32Array> = Record<string, A>

/**
 * Returns the largest |actual - expected| relative to the largest |expected|. An array has a single scale, because an
 * element that cancels to almost 0 has no correct digits. If a whole array may cancel, the scale is at least `leastScale`.
 * Returns NaN if an error is NaN.
 */
export function relativeError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  leastScale = 0,
): number {
  let [error, scale] = [0, leastScale]
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    // Not Math.max, because NaN must be kept.
    if (!(difference <= error)) error = difference
    scale = Math.max(scale, Math.abs(expected[i]!))
    if (Number.isNaN(error)) return error
  }
  return error === 0 ? 0 : error / scale
}

export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  name = 'values',
  leastScale = 0,
): void {
  expect(actual.length, `${name}: how many`).toBe(expected.length)
  expect(relativeError(actual, expected, leastScale), `${name}: relative error`).toBeLessThanOrEqual(
    tolerance,
  )
}

/** Compares every result that `expected` names. */
export function expectAllClose(
  actual: Numbers,
  expected: Numbers<ArrayLike<number>>,
  tolerance: number,
  leastScale: (name: string) => number = () => 0,
): void {
  for (const [name, values] of Object.entries(expected)) {
    expect(actual, name).toHaveProperty([name])
    expectClose(actual[name]!, values, tolerance, name, leastScale(name))
  }
}

export function expectSameBits(actual: Float32Array, expected: Float32Array, name = 'values'): void {
  expect(actual.length, `${name}: how many`).toBe(expected.length)
  const [a, e] = [bits(actual), bits(expected)]
  expect(
    a.findIndex((word, i) => word !== e[i]),
    `${name}: the first index where bits differ`,
  ).toBe(-1)
}

export function expectAllSameBits(actual: Numbers, expected: Numbers): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, values] of Object.entries(expected)) expectSameBits(actual[name]!, values, name)
}

function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

/** Checks that two runs, and the target's numbers of threads, have the same bits. */
export async function expectReproducible(
  target: Target,
  run: (device: Device) => Promise<Numbers>,
): Promise<void> {
  const first = await run(target.open(target.threads[0]))
  for (const threads of target.threads) expectAllSameBits(await run(target.open(threads)), first)
}
