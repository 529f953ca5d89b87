import { describe, expect, test } from 'vitest'
import { dropout } from '../../src/ops/dropout.js'
import { arange, bernoulli, multinomial, rand, randn, zerosLike } from '../../src/ops/random.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { Generator, philox } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Float, full, tensor } from '../../src/tensor.js'
import { expectAllSameBits } from './compare.js'
import { expectRefusals, untyped } from './tape.js'
import type { Target } from './target.js'

/** The numbers of `rand` by their definition: word i % 4 of Philox at (i / 4, stream 0, all ones, step). */
function expectedUniform(count: number, seed: number): Float32Array {
  const generator = new Generator(seed)
  const [key, step] = [generator.bits(), generator.bits()]
  return Float32Array.from({ length: count }, (_, i) => {
    const words = philox([key, 0], [Math.floor(i / 4), 0, 0xffffffff, step])
    return (words[i % 4]! >>> 8) * 2 ** -24
  })
}

export function randomTapeSuite(target: Target): void {
  const on = () => ({ device: target.open() })
  const seeded = (seed: number) => ({ ...on(), generator: new Generator(seed) })

  describe(`random numbers on ${target.name}`, () => {
    test('rand has the same numbers on every device: those of Philox', () =>
      scope(async () => {
        for (const count of [0, 1, 5, 1003]) {
          const numbers = await rand([count], seeded(count)).toArray()
          expect([...numbers]).toEqual([...expectedUniform(count, count)])
        }
      }))

    test('randn has the moments and the tails of a normal distribution', () =>
      scope(async () => {
        const count = 40_000
        const numbers = await randn([count], seeded(1)).toArray()
        const moment = (k: number) => numbers.reduce((total, x) => total + x ** k, 0) / count
        // The standard deviations of the means of x, x², x³ and x⁴ are 1, √2, √15 and √96, each over √count.
        const wanted = [
          [1, 0, 1],
          [2, 1, Math.SQRT2],
          [3, 0, Math.sqrt(15)],
          [4, 3, Math.sqrt(96)],
        ] as const
        for (const [k, mean, deviation] of wanted) {
          expect(Math.abs(moment(k) - mean), `moment ${k}`).toBeLessThan((4 * deviation) / Math.sqrt(count))
        }
        // 0.27 % lie beyond 3.
        const far = numbers.filter(x => Math.abs(x) > 3).length
        expect(Math.abs(far - 0.0027 * count)).toBeLessThan(4 * Math.sqrt(0.0027 * count))
        expect([...(await randn([0, 2], seeded(1)).toArray())]).toEqual([])
      }))

    test('bernoulli is exact at 0 and 1, and draws the right share in between', () =>
      scope(async () => {
        const p = tensor(
          Float32Array.from({ length: 3000 }, (_, i) => [0, 1, 0.25][i % 3]!),
          [3000],
          on(),
        )
        const drawn = await bernoulli(p, { generator: new Generator(2) }).toArray()
        const share = (which: number) => drawn.filter((_, i) => i % 3 === which).reduce((a, b) => a + b, 0)
        expect([share(0), share(1)]).toEqual([0, 1000])
        expect(Math.abs(share(2) - 250)).toBeLessThan(4 * Math.sqrt(1000 * 0.25 * 0.75))
      }))

    test('multinomial without replacement draws each index with a weight once', () =>
      scope(async () => {
        const weights = tensor([0, 3, 1, 0, 2, 5, 0, 1], [2, 4], on())
        const generator = new Generator(3)
        for (let i = 0; i < 20; i++) {
          const drawn = [...(await multinomial(weights, 2, { generator }).toArray())]
          expect(drawn.slice(0, 2).sort()).toEqual([1, 2])
          for (const index of drawn.slice(2)) expect([0, 1, 3]).toContain(index)
          expect(drawn[2]).not.toBe(drawn[3])
        }
      }))

    test('multinomial with replacement draws in proportion to the weights', () =>
      scope(async () => {
        const options = { replacement: true, generator: new Generator(4) }
        const drawn = await multinomial(tensor([1, 0, 3], [3], on()), 8000, options).toArray()
        const count = (index: number) => drawn.filter(each => each === index).length
        expect(count(1)).toBe(0)
        expect(Math.abs(count(0) - 2000)).toBeLessThan(4 * Math.sqrt(8000 * 0.25 * 0.75))
      }))

    test('dropout without a place scales what it keeps, in the gradient as well', () =>
      scope(async () => {
        const x = full([50, 40], 3, { ...on(), requiresGrad: true })
        const y = dropout(x, 0.25, { generator: new Generator(5) })
        sum(y).backward()
        const [values, gradient] = [await y.toArray(), await x.grad!.toArray()]
        const kept = values.filter(value => value !== 0)
        for (const value of kept) expect(value).toBeCloseTo(4, 5)
        expect(Math.abs(kept.length - 1500)).toBeLessThan(4 * Math.sqrt(2000 * 0.25 * 0.75))
        expect([...gradient.map(Math.fround)]).toEqual([...values.map(value => Math.fround(value / 3))])
      }))

    test("a mask that is shared over time is the same for all of a sequence's tokens", () =>
      scope(async () => {
        const lengths = [4, 0, 3]
        const x = new PackedSequence(full([7, 30], 1, on()), new Sequences(lengths))
        const y = dropout(x, 0.5, { shared: 'time', generator: new Generator(6) })
        const rows = await y.data.toArray()
        const row = (r: number) => [...rows.subarray(30 * r, 30 * r + 30)]
        for (const r of [1, 2, 3]) expect(row(r)).toEqual(row(0))
        for (const r of [5, 6]) expect(row(r)).toEqual(row(4))
        expect(row(4)).not.toEqual(row(0))
      }))

    test('a seed has the same bits again', async () => {
      const all = () =>
        scope(async () => {
          const weights = rand([3, 6], seeded(8))
          const generator = new Generator(7)
          const drawn = multinomial(weights, 4, { generator })
          return {
            normal: await randn([100], seeded(9)).toArray(),
            coins: await bernoulli(weights, { generator }).toArray(),
            drawn: Float32Array.from(await drawn.toArray()),
            dropped: await dropout(weights, 0.5, { generator }).toArray(),
          }
        })
      expectAllSameBits(await all(), await all())
    })

    test('arange and zerosLike', () =>
      scope(async () => {
        expect([...(await arange(1, 2, { ...on(), step: 0.25 }).toArray())]).toEqual([1, 1.25, 1.5, 1.75])
        expect([...(await arange(2, -1, { ...on(), step: -1 }).toArray())]).toEqual([2, 1, 0])
        expect((await arange(3, 3, on()).toArray()).length).toBe(0)
        const zeros = zerosLike(full([2, 3], 4, on()))
        expect([zeros.shape, [...(await zeros.toArray())]]).toEqual([
          [2, 3],
          [0, 0, 0, 0, 0, 0],
        ])
      }))
  })

  test(`random numbers on ${target.name}: invalid arguments throw`, () => {
    const device = target.open()
    using weights = tensor([1, 2], [2], { device })
    expectRefusals([
      ['ERR_SHAPE', 'rand: shape', () => rand([-1], { device })],
      ['ERR_INVALID_ARGUMENT', 'randn: generator', () => randn([2], { device, generator: untyped(3) })],
      ['ERR_INVALID_ARGUMENT', 'bernoulli: p', () => bernoulli(untyped<Float>(0.5))],
      ['ERR_OUT_OF_RANGE', 'multinomial: samples', () => multinomial(weights, 3)],
      ['ERR_OUT_OF_RANGE', 'arange: step', () => arange(0, 1, { device, step: -1 })],
      ['ERR_OUT_OF_RANGE', 'dropout: p', () => dropout(weights, 2)],
    ])
  })
}
