import { expect, test } from 'vitest'

/** `toEqual` of typed arrays, which setup.ts shortens. */

test.each<[string, unknown, unknown]>([
  ['elements', Float32Array.of(1, 2), Float32Array.of(1, 2)],
  ['NaN', Float32Array.of(Number.NaN), Float32Array.of(Number.NaN)],
  ['parts of longer arrays', Int32Array.of(7, 1, 2).subarray(1), Int32Array.of(1, 2, 8).subarray(0, 2)],
  ['inside an object', { a: [Float32Array.of(1)] }, { a: [Float32Array.of(1)] }],
])('equal: %s', (_, a, b) => {
  expect(a).toEqual(b)
})

test.each<[string, unknown, unknown]>([
  ['an element', Float32Array.of(1, 2), Float32Array.of(1, 3)],
  ['the length', Float32Array.of(1), Float32Array.of(1, 0)],
  ['the sign of 0', Float32Array.of(0), Float32Array.of(-0)],
  ['the type, with equal bits', Int32Array.of(1), Uint32Array.of(1)],
  ['inside an object', { a: [Float32Array.of(1)] }, { a: [Float32Array.of(2)] }],
])('different: %s', (_, a, b) => {
  expect(a).not.toEqual(b)
})
