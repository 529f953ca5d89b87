import { describe, expect, test } from 'vitest'
import { cummax } from '../../src/index.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'
import type { Target } from './target.js'

export function cumulativeTapeSuite(target: Target): void {
  describe(`cumulative maximum on ${target.name}`, () => {
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
