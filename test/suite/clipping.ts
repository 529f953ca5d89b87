import { describe, expect, test } from 'vitest'
import { type ClipGradNormOptions, clipGradNorm, clipGradValue, SGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { G9 } from '../reference/golden.js'
import { clipGradNormReference } from '../reference/ops.js'
import { expectClose } from './compare.js'
import { readFixtures } from './fixtures.js'
import { drawGradient, leaf, setGradient } from './parameter.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** A norm has half the relative error of its sum of squares; the coefficient adds two roundings. */
const CLIP: Tolerance = everywhere(4 * UNIT)

export function clippingSuite(target: Target): void {
  describe(`clipGradNorm on ${target.name}`, () => clippingNorm(target))
  describe(`clipGradValue on ${target.name}`, () => clippingValue(target))
}

function clippingNorm(target: Target): void {
  const clip = async (
    gradients: readonly ArrayLike<number>[],
    maxNorm: number,
    options: ClipGradNormOptions = {},
  ) => {
    const parameters = gradients.map(gradient => leaf(target.open(), new Float32Array(gradient.length)))
    for (const [i, p] of parameters.entries()) setGradient(p, gradients[i]!)
    const norm = await clipGradNorm(parameters, maxNorm, options).item()
    return { norm, clipped: await Promise.all(parameters.map(p => p.grad!.toArray())) }
  }
  const check = async (
    gradients: readonly ArrayLike<number>[],
    maxNorm: number,
    expected: { norm: number; clipped: readonly ArrayLike<number>[] },
    tolerance: Tolerance,
    options: ClipGradNormOptions = {},
  ) => {
    const found = await clip(gradients, maxNorm, options)
    expectClose([found.norm], [expected.norm], tolerance[target.precision], 'norm')
    expected.clipped.forEach((values, i) => {
      expectClose(found.clipped[i]!, values, tolerance[target.precision], `gradient ${i}`)
    })
  }

  test('G9', () => check(G9.gradients, G9.maxNorm, G9, CLIP))

  test.each(readFixtures('ops.json').clipGradNorm)('PyTorch: norm $totalNorm to $maxNorm', fixture =>
    check(
      fixture.gradients.map(({ data }) => data),
      fixture.maxNorm,
      { norm: fixture.totalNorm, clipped: fixture.clipped.map(({ data }) => data) },
      CLIP,
    ),
  )

  test.each(readFixtures('optimizers.json').clipLargest)(
    'PyTorch: largest magnitude $totalNorm to $maxNorm',
    fixture =>
      check(
        fixture.gradients.map(({ data }) => data),
        fixture.maxNorm,
        { norm: fixture.totalNorm, clipped: fixture.clipped.map(({ data }) => data) },
        CLIP,
        { normType: Infinity },
      ),
  )

  test.each([
    [0.5, 'above'],
    [1e6, 'below'],
  ])('agrees with the float64 reference: many elements, maximum %d, which the norm is %s', async maxNorm => {
    const generator = new Generator(1)
    const gradients = [3, 50_001, 1].map(n => drawGradient(generator, n))
    const exact = gradients.map(gradient => Float64Array.from(gradient))
    const norm = clipGradNormReference(exact, maxNorm)
    // Squares are added in chains of 1,000, whose roundings mostly cancel.
    await check(gradients, maxNorm, { norm, clipped: exact }, everywhere(32 * UNIT))
  })

  test('1e-6 is added to the norm', async () => {
    const gradient = Float32Array.of(1e-6)
    const exact = Float64Array.from(gradient)
    const norm = clipGradNormReference([exact], 1e-6)
    // The step uses half of the gradient.
    await check([gradient], 1e-6, { norm, clipped: [exact] }, CLIP)
  })

  test('parameters without a gradient do not count', async () => {
    const device = target.open()
    const [p, q] = [leaf(device, [0]), leaf(device, [0])]
    setGradient(p, [2])
    expect(await clipGradNorm([p, q], 1).item()).toBe(2)
    expect(await clipGradNorm([q], 1).item()).toBe(0)
  })

  test('a NaN in a gradient makes the norm NaN', async () => {
    expect((await clip([[1], [NaN]], 1)).norm).toBeNaN()
    expect((await clip([[1], [Infinity]], 1)).norm).toBe(Infinity)
  })

  test('the largest magnitude of many elements is exact at any position', async () => {
    const generator = new Generator(1)
    const gradients = [3, 50_001, 1].map(n => drawGradient(generator, n))
    for (const [i, k] of [0, 1, 1, 1, 2].entries()) {
      const gradient = gradients[k]!
      gradient[(gradient.length - 1) * (i % 2)] = (i % 2 === 0 ? -1 : 1) * 1000 * (i + 1)
      expect((await clip(gradients, 1, { normType: Infinity })).norm).toBe(1000 * (i + 1))
    }
  })

  test('a NaN at any position makes the largest magnitude NaN', async () => {
    for (const at of [0, 7, 40, 41]) {
      const gradient = Float32Array.from({ length: 42 }, (_, i) => (i === at ? NaN : i))
      expect((await clip([[1], gradient, [2]], 1, { normType: Infinity })).norm).toBeNaN()
    }
    expect((await clip([[1], [-Infinity]], 1, { normType: Infinity })).norm).toBe(Infinity)
  })

  test('errorIfNonfinite accepts a finite norm', async () => {
    const gradients = [[3, 4], [12]]
    const { norm } = await clip(gradients, 1, { errorIfNonfinite: true })
    expect(norm).toBe(13)
  })

  test('errorIfNonfinite: norm and gradients fail, the step changes nothing, and training can continue', async () => {
    const device = target.open()
    const parameters = [leaf(device, [1, 2]), leaf(device, [3])]
    const [p, q] = parameters
    const sgd = new SGD(parameters, { lr: 0.5, momentum: 0.5, dampening: 0.5 })
    for (const [bad, shown] of [
      [NaN, 'nan'],
      [Infinity, 'inf'],
    ] as const) {
      setGradient(p!, [1, bad])
      setGradient(q!, [1])
      const norm = clipGradNorm(parameters, 1, { errorIfNonfinite: true })
      sgd.step()
      await expect(norm.item()).rejects.toMatchObject({
        code: 'ERR_NON_FINITE',
        message: `clipNorm(tensors 2): the norm of the gradients: wanted a finite number, got ${shown} with values[0]`,
      })
      await expect(q!.grad!.toArray()).rejects.toMatchObject({ code: 'ERR_NON_FINITE' })
      sgd.zeroGrad()
    }
    setGradient(p!, [1, 1])
    setGradient(q!, [1])
    await clipGradNorm(parameters, 10, { errorIfNonfinite: true }).item()
    sgd.step()
    // The two failed steps do not count: momentum starts undampened.
    expect(await Promise.all(parameters.map(each => each.toArray()))).toEqual([
      Float32Array.of(0.5, 1.5),
      Float32Array.of(2.5),
    ])
  })
}

function clippingValue(target: Target): void {
  test.each(readFixtures('optimizers.json').clipValue)('PyTorch: to $limit', async fixture => {
    const device = target.open()
    const parameters = fixture.gradients.map(({ data }) => leaf(device, data))
    for (const [i, p] of parameters.entries()) setGradient(p, fixture.gradients[i]!.data)
    clipGradValue(parameters, fixture.limit)
    for (const [i, p] of parameters.entries()) {
      expect(Array.from(await p.grad!.toArray())).toEqual(fixture.clipped[i]!.data)
    }
  })

  test('infinities are limited, NaN stays, and parameters without a gradient are ignored', async () => {
    const device = target.open()
    const [p, q] = [leaf(device, new Float32Array(40)), leaf(device, [0])]
    setGradient(
      p,
      Float32Array.from({ length: 40 }, (_, i) => [NaN, Infinity, -Infinity, 0.25][i % 4]!),
    )
    clipGradValue([p, q], 0.5)
    expect(Array.from((await p.grad!.toArray()).subarray(36))).toEqual([NaN, 0.5, -0.5, 0.25])
    clipGradValue([q], 0.5)
    expect(q.grad).toBeNull()
  })
}
