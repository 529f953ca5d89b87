import { describe, expect, test } from 'vitest'
import { type DropoutPlace, dropout, dropoutForward } from '../../src/ops/dropout.js'
import { Sequences } from '../../src/packed.js'
import { philox } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { expectSameBits } from './compare.js'
import { expectOpReproducible, testOp } from './op.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** A product that is rounded once, of a factor that was rounded once. */
const ROUNDED: Tolerance = everywhere(2 * UNIT)

const WIDE_SEED = 2 ** 52 + 12_345

/**
 * Computes the mask [rows, columns] from the definition: an element is kept if its random integer is at least p · 2³²,
 * and a block of four integers serves four neighbouring units.
 */
function expectedMask(rows: number, columns: number, p: number, place: DropoutPlace): Float32Array {
  const { seed, step, stream = 0, directions = 1, sequences } = place
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const
  const units = columns / directions
  const threshold = Math.floor(Math.fround(p) * 2 ** 32)
  const scale = Math.fround(1 / Math.fround(1 - Math.fround(p)))
  return Float32Array.from({ length: rows * columns }, (_, n) => {
    const row = Math.floor(n / columns)
    const direction = Math.floor((n % columns) / units)
    const unit = n % units
    const sequence = sequences ? sequences.offsets.findLastIndex(offset => offset <= row) : row
    const t = sequences ? row - sequences.offsets[sequence]! : 0
    const where = ((stream * directions + direction) * 2 ** 22 + Math.floor(unit / 4)) % 2 ** 32
    return philox(key, [where, t, sequence, step])[unit % 4]! >= threshold ? scale : 0
  })
}

export function dropoutSuite(target: Target): void {
  const mask = (rows: number, columns: number, p: number, place: DropoutPlace) =>
    scope(() => dropoutForward(full<2>([rows, columns], 1, { device: target.open() }), p, place).toArray())

  describe(`dropout on ${target.name}`, () => {
    const sequences = new Sequences([3, 0, 0, 2, 1])
    const places: [string, DropoutPlace][] = [
      ['rows of no sequence', { seed: 1, step: 0 }],
      ['a wide seed and the last step', { seed: WIDE_SEED, step: 2 ** 32 - 1, stream: 511 }],
      ['sequences', { seed: 3, step: 7, stream: 2, sequences }],
      ['sequences and two directions', { seed: 3, step: 7, stream: 2, sequences, directions: 2 }],
      ['the last stream of two directions', { seed: 3, step: 7, stream: 511, sequences, directions: 2 }],
    ]
    test.each(places)(
      'the mask is the philox number at the position of the element: %s',
      async (_, place) => {
        for (const columns of [2, 10, 34]) {
          expectSameBits(await mask(6, columns, 0.3, place), expectedMask(6, columns, 0.3, place))
        }
      },
    )

    testOp(target, {
      name: 'dropout',
      run: input => dropout(input('x', [6, 10]), 0.3, { seed: 9, step: 1, sequences, directions: 2 }),
      reference: value => {
        const kept = expectedMask(6, 10, 0.3, { seed: 9, step: 1, sequences, directions: 2 })
        return value('x').map((x, i) => (kept[i] === 0 ? 0 : x / 0.7))
      },
      value: ROUNDED,
      gradient: ROUNDED,
    })

    test('keeps the right share of elements, in every corner of the counter', async () => {
      const [rows, columns] = [400, 250]
      const count = rows * columns
      for (const p of [0.01, 0.2, 0.5, 0.9]) {
        for (const place of [
          { seed: 4, step: 0 },
          { seed: WIDE_SEED, step: 9, sequences: new Sequences([rows]) },
        ]) {
          const kept = (await mask(rows, columns, p, place)).filter(value => value !== 0).length
          const sigma = Math.sqrt(count * p * (1 - p))
          expect(Math.abs(kept - count * (1 - p)), `p ${p}`).toBeLessThan(4 * sigma)
        }
      }
    })

    test('masks of different seeds, steps, streams and directions are independent', async () => {
      const [rows, columns] = [100, 200]
      const place = { seed: 5, step: 5, stream: 5 }
      const masks = [
        await mask(rows, columns, 0.5, place),
        await mask(rows, columns, 0.5, { ...place, seed: 6 }),
        await mask(rows, columns, 0.5, { ...place, step: 6 }),
        await mask(rows, columns, 0.5, { ...place, stream: 6 }),
        await mask(rows, columns, 0.5, { ...place, sequences: new Sequences([rows]) }),
      ]
      const halves = await mask(rows, 2 * columns, 0.5, { ...place, directions: 2 })
      for (const d of [0, 1]) {
        masks.push(halves.filter((_, i) => Math.floor((i % (2 * columns)) / columns) === d))
      }
      const sigma = Math.sqrt(rows * columns) / 2
      for (const [i, a] of masks.entries()) {
        for (const b of masks.slice(i + 1)) {
          const same = a.filter((value, n) => value === b[n]).length
          expect(Math.abs(same - (rows * columns) / 2)).toBeLessThan(4 * sigma)
        }
      }
    })

    test('p = 0 keeps every element, p = 1 drops every element', async () => {
      const device = target.open()
      const x = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i) * 10 ** (i % 9))
      const [all, none] = await scope(() => {
        const given = tensor<2>(x, [6, 10], { device })
        return Promise.all([0, 1].map(p => dropoutForward(given, p, { seed: 1, step: 1 }).toArray()))
      })
      expectSameBits(all!, x)
      expect(none).toEqual(new Float32Array(60))
    })

    test('no rows, and rows without columns', async () => {
      expect(await mask(0, 4, 0.5, { seed: 1, step: 1, sequences: new Sequences([0, 0]) })).toHaveLength(0)
      expect(await mask(3, 0, 0.5, { seed: 1, step: 1 })).toHaveLength(0)
    })

    test('the mask of a sequence depends on its position in the batch, not on the other sequences', async () => {
      const place = { seed: 8, step: 2 }
      const first = await mask(9, 10, 0.5, { ...place, sequences: new Sequences([4, 5]) })
      const second = await mask(6, 10, 0.5, { ...place, sequences: new Sequences([1, 5]) })
      expectSameBits(first.slice(40), second.slice(10))
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'dropout',
        run: input => dropout(input('x', [1000, 30]), 0.5, { seed: 1, step: 1 }),
      }))
  })
}
