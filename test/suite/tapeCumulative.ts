import { describe, expect, test } from 'vitest'
import { cummax } from '../../src/index.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'
import { testOp } from './op.js'
import { everywhere, type Target } from './target.js'

const EXACT = everywhere(0)
/** A finite difference of numbers below 1. */
const COPIED = everywhere(1e-7)

/** Along the middle of [2, n, 3]. */
function largestSoFar(x: Float64Array, n: number): Float64Array {
  return x.map((_, i) => {
    const [o, j, inner] = [Math.floor(i / 3 / n), Math.floor(i / 3) % n, i % 3]
    return Math.max(...Array.from({ length: j + 1 }, (_, k) => x[(o * n + k) * 3 + inner]!))
  })
}

export function cumulativeTapeSuite(target: Target): void {
  describe(`cumulative maximum on ${target.name}`, () => {
    for (const n of [1, 2, 7]) {
      testOp(target, {
        name: `cummax over ${n}`,
        run: input => cummax(input('x', [2, n, 3]), 1).values,
        // So far apart that the step of a finite difference does not pass another number.
        draw: generator => generator.below(4096) / 4 - 512,
        differences: 1e-3,
        reference: value => largestSoFar(value('x'), n),
        value: EXACT,
        gradient: COPIED,
      })
    }

    test('indices: the last of equal numbers, and NaN from its position on', () =>
      scope(async () => {
        const x = tensor([2, 2, 1, Number.NaN, 3], [5], { device: target.open() })
        const { values, indices } = cummax(x, 0)
        expect([...(await values.toArray())]).toEqual([2, 2, 2, Number.NaN, Number.NaN])
        expect([...(await indices.toArray())]).toEqual([0, 1, 1, 3, 3])
        const nothing = cummax(zeros([0, 3], { device: target.open() }), 0)
        expect([await nothing.values.toArray(), await nothing.indices.toArray()]).toEqual([
          new Float32Array(0),
          new Int32Array(0),
        ])
      }))
  })
}
