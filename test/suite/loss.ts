import { describe, expect, test } from 'vitest'
import { type CrossEntropyOptions, crossEntropy, crossEntropyForward } from '../../src/ops/loss.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'
import { G8 } from '../reference/golden.js'
import { crossEntropyReference } from '../reference/ops.js'
import { expectClose } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { expectOpReproducible, testOp } from './op.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** An exponential, a logarithm and a quotient, each with an error of an ulp or two, and sums of a few of them. */
const SMALL: Tolerance = everywhere(8 * UNIT)
/** The noise of finite differences is 1.8e-6 of the loss, which is up to 30 times the largest gradient. */
const DIFFERENCES = 6e-5
/** For logits near 200, from which 200 is subtracted. The difference is exact in float32, so the tolerance is the same. */
const LARGE: Tolerance = SMALL

export function lossSuite(target: Target): void {
  const solve = (
    logits: Float32Array,
    labels: readonly number[],
    reduction: 'mean' | 'sum',
    options: CrossEntropyOptions = {},
  ) =>
    scope(async () => {
      const shape = [labels.length, logits.length / labels.length] as const
      const z = tensor<2>(logits, shape, { device: target.open(), requiresGrad: true })
      const loss = crossEntropy(z, labels, { reduction, ...options })
      loss.backward()
      return { loss: await loss.item(), dLogits: await z.grad!.toArray() }
    })

  describe(`cross entropy on ${target.name}`, () => {
    const labels = [2, 0, 3, 1, 1]
    for (const reduction of ['mean', 'sum'] as const) {
      testOp(target, {
        name: reduction,
        run: input => crossEntropy(input('logits', [5, 4]), labels, { reduction }),
        reference: value =>
          Float64Array.of(crossEntropyReference(value('logits'), labels, { reduction }).loss),
        value: SMALL,
        gradient: SMALL,
        differences: DIFFERENCES,
      })
    }

    const WEIGHT = [0.5, 2, 0, 1.25]
    const variants: [string, { ignoreIndex?: number; labelSmoothing?: number; weighted?: boolean }][] = [
      ['ignoreIndex', { ignoreIndex: 1 }],
      ['weights', { weighted: true }],
      ['smoothing', { labelSmoothing: 0.3 }],
      ['smoothing alone', { labelSmoothing: 1 }],
      ['all of it', { ignoreIndex: 1, weighted: true, labelSmoothing: 0.1 }],
    ]
    for (const [name, { weighted = false, ...options }] of variants) {
      for (const reduction of ['mean', 'sum'] as const) {
        testOp(target, {
          name: `${reduction} with ${name}`,
          run: input => {
            const logits = input<2>('logits', [5, 4])
            const weight = weighted ? tensor(WEIGHT, [4], { device: logits.device }) : null
            return crossEntropy(logits, labels, { reduction, weight, ...options })
          },
          reference: value => {
            const weight = weighted ? { weight: Float64Array.from(WEIGHT) } : {}
            const given = { reduction, ...weight, ...options }
            return Float64Array.of(crossEntropyReference(value('logits'), labels, given).loss)
          },
          value: SMALL,
          gradient: SMALL,
          differences: DIFFERENCES,
        })
      }
    }

    test.each(readFixtures('loss.json').cases)(
      'PyTorch: $reduction, ignoreIndex $ignoreIndex, smoothing $labelSmoothing, weight $weight.data',
      async ({ weight, loss, dLogits, ...fixture }) => {
        const { reduction, ignoreIndex, labelSmoothing, labels } = fixture
        const logits = Float32Array.from(fixture.logits.data)
        const options = { ignoreIndex, labelSmoothing }
        const found = await scope(() =>
          solve(logits, labels, reduction, {
            ...options,
            weight: weight && fixtureTensor(target, weight, 1),
          }),
        )
        expectClose([found.loss], [loss], SMALL[target.precision], 'loss')
        expectClose(found.dLogits, dLogits.data, SMALL[target.precision], 'dLogits')
      },
    )

    test('ignored rows are not read, and the mean over no rows is NaN without a gradient', async () => {
      const logits = Float32Array.of(NaN, 1, 0, 0)
      const some = await solve(logits, [-100, 0], 'mean')
      expect(some.loss).toBeCloseTo(Math.log(2), 6)
      expect([...some.dLogits]).toEqual([0, 0, -0.5, 0.5])
      const none = await solve(logits, [7, 7], 'mean', { ignoreIndex: 7 })
      expect(none.loss).toBeNaN()
      expect([...none.dLogits]).toEqual([0, 0, 0, 0])
      expect((await solve(logits, [1, 1], 'sum', { ignoreIndex: 1 })).loss).toBe(0)
    })

    test('a class without a target may have probability 0', async () => {
      const logits = Float32Array.of(0, -Infinity)
      const weight = tensor([1, 0], [2], { device: target.open() })
      expect((await solve(logits, [0], 'sum', { labelSmoothing: 0.5, weight })).loss).toBe(0)
      expect((await solve(logits, [0], 'sum', { labelSmoothing: 0.5 })).loss).toBe(Infinity)
    })

    test('smoothing over 50,000 classes: the targets’ sum is exact, and so are small gradients', async () => {
      const classes = 50_000
      const labels = [7, 49_999]
      const logits = Float32Array.from({ length: 2 * classes }, (_, i) => Math.sin(i))
      const options = { labelSmoothing: 0.1 }
      const { loss, dLogits } = await solve(logits, labels, 'sum', options)
      const expected = crossEntropyReference(Float64Array.from(logits), labels, {
        reduction: 'sum',
        ...options,
      })
      expectClose([loss], [expected.loss], 8 * UNIT, 'loss')
      // Gradients other than the labels': each is a probability minus a share of 2e-6, while the largest gradient is 1.
      const others = (gradient: ArrayLike<number>) => Array.from(gradient).filter(d => d > -0.5)
      expectClose(others(dLogits), others(expected.dLogits), 2e-5, 'dLogits')
    })

    test('G8', async () => {
      const { loss, dLogits } = await solve(Float32Array.from(G8.logits), G8.labels, 'mean')
      expectClose([loss], [G8.loss], SMALL[target.precision], 'loss')
      expectClose(dLogits, G8.dLogits, SMALL[target.precision], 'dLogits')
    })

    test.each(readFixtures('ops.json').crossEntropy)('PyTorch: $reduction', async fixture => {
      await scope(async () => {
        const logits = fixtureTensor(target, fixture.logits, 2)
        const loss = crossEntropy(logits, fixture.labels, { reduction: fixture.reduction })
        loss.backward()
        expectClose([await loss.item()], [fixture.loss], LARGE[target.precision], 'loss')
        expectClose(await logits.grad!.toArray(), fixture.dLogits.data, LARGE[target.precision], 'dLogits')
      })
    })

    test.each([
      [1, 1],
      [3000, 9],
      [7, 1000],
    ])('agrees with the float64 reference: %i rows of %i classes', async (rows, classes) => {
      const generator = new Generator(rows)
      const logits = Float32Array.from({ length: rows * classes }, () => 4 * generator.normal())
      const labels = Array.from({ length: rows }, () => generator.below(classes))
      const { loss, dLogits } = await solve(logits, labels, 'mean')
      const expected = crossEntropyReference(Float64Array.from(logits), labels)
      // The roundings of a row's sum have random signs: √classes of them.
      const tolerance = (8 + Math.sqrt(classes)) * UNIT
      expectClose([loss], [expected.loss], tolerance, 'loss')
      expectClose(dLogits, expected.dLogits, tolerance, 'dLogits')
    })

    test('logits whose exponential overflows', async () => {
      const { loss, dLogits } = await solve(Float32Array.of(1e4, -1e4, 3e38, -3e38), [0, 0], 'mean')
      expect(loss).toBe(0)
      expect([...dLogits]).toEqual([0, 0, 0, 0])
      expect((await solve(Float32Array.of(1e4, -1e4), [1], 'sum')).loss).toBe(2e4)
      expect((await solve(Float32Array.of(0, -Infinity), [0], 'sum')).loss).toBe(0)
    })

    test('infinite logits among many: a class of −∞ has no probability, a label of −∞ an infinite loss', async () => {
      for (const place of [0, 5, 16, 36]) {
        const logits = new Float32Array(37)
        logits[place] = -Infinity
        const label = place === 0 ? 1 : 0
        const { loss, dLogits } = await solve(logits, [label], 'sum')
        expect(loss).toBeCloseTo(Math.log(36), 5)
        expect(dLogits[place]).toBe(0)
        expect(dLogits[label]).toBeCloseTo(1 / 36 - 1, 5)
        expect((await solve(logits, [place], 'sum')).loss).toBe(Infinity)
        logits[place] = NaN
        const other = await solve(logits, [label], 'sum')
        expect([other.loss, other.dLogits[36]]).toEqual([NaN, NaN])
        logits[place] = Infinity
        expect((await solve(logits, [label], 'sum')).loss).toBeNaN()
      }
      expect((await solve(new Float32Array(37).fill(-Infinity), [3], 'sum')).loss).toBeNaN()
    })

    test('a NaN makes the loss NaN', async () => {
      for (const logits of [
        [NaN, 1, 2],
        [1, NaN, 2],
        [1, 2, NaN],
      ])
        expect((await solve(Float32Array.from(logits), [0], 'mean')).loss).toBeNaN()
    })

    test('labels may be a tensor, and nothing is saved without training', async () => {
      const device = target.open()
      const logits = tensor<2>([1, 2, 3, 4], [2, 2], { device })
      const expected = await crossEntropyForward(logits, [1, 0]).loss.item()
      const given = tensor(Int32Array.of(1, 0), [2], { device })
      const { loss, saved } = crossEntropyForward(logits, given, { train: false })
      expect(await loss.item()).toBe(expected)
      expect(saved).toBeNull()
    })

    test('labels outside the classes and empty batches are rejected', () => {
      const device = target.open()
      const logits = tensor<2>([1, 2], [1, 2], { device })
      expect(() => crossEntropy(logits, [2])).toThrow(
        'crossEntropy: labels[0]: wanted an integer from 0 to 1, got 2',
      )
      expect(() => crossEntropy(zeros([0, 2], { device }), [])).toThrow('at least one row')
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'cross entropy',
        run: input =>
          crossEntropy(
            input('logits', [5000, 9]),
            Array.from({ length: 5000 }, (_, n) => n % 9),
          ),
      }))
  })
}
