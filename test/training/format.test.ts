import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatFixed } from '../../src/training/format.js'

describe('formatDuration', () => {
  test.each([
    [0, '0:00:00'],
    [59.999, '0:00:59'],
    [61, '0:01:01'],
    [4200, '1:10:00'],
    [360_000, '100:00:00'],
    [-1, '-:--:--'],
    [Number.NaN, '-:--:--'],
    [Number.POSITIVE_INFINITY, '-:--:--'],
  ])('%d s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })
})

describe('formatFixed', () => {
  test.each([
    [0.125, 2, '0.12'],
    [0.625, 2, '0.62'],
    [0.375, 2, '0.38'],
    [-0.125, 2, '-0.12'],
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [9.5, 0, '10'],
    [0.0625, 3, '0.062'],
    // Written with a 5 at the end, but the binary value lies below or above the half.
    [0.145, 2, '0.14'],
    [0.285, 2, '0.28'],
    [0.045, 2, '0.04'],
    [1.005, 2, '1.00'],
    [0.015, 2, '0.01'],
    [1e20, 1, '100000000000000000000.0'],
    [Number.NaN, 2, 'NaN'],
  ])('%d with %d digits', (value, digits, text) => {
    expect(formatFixed(value, digits)).toBe(text)
  })

  test('differs from toFixed only at exact halves, where the last digit is even', () => {
    const eighths = fc.integer({ min: -80_000, max: 80_000 }).map(n => n / 8)
    const numbers = fc.oneof(eighths, fc.double({ min: -1e6, max: 1e6, noNaN: true }))
    fc.assert(
      fc.property(numbers, fc.nat(4), (value, digits) => {
        const text = formatFixed(value, digits)
        if (text === value.toFixed(digits)) return
        expect(Math.abs(value - Number(text)) * 10 ** digits).toBeCloseTo(0.5, 6)
        expect(Number(text.at(-1)) % 2).toBe(0)
      }),
      { seed: 1, numRuns: 2000 },
    )
  })

  test('rejects numbers of digits that toFixed does not support', () => {
    expect(() => formatFixed(1, 100)).toThrow('formatFixed: digits: wanted an integer from 0 to 99, got 100')
    expect(() => formatFixed(1, 1.5)).toThrow('got 1.5')
  })
})
