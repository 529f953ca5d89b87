import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { Adam, clipGradNorm, SGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import { G7, G9 } from '../reference/golden.js'
import {
  type AdamCase,
  adamReference,
  clipGradNormReference,
  type SgdCase,
  sgdReference,
} from '../reference/ops.js'
import { expectClose, expectReproducible, type Numbers } from './compare.js'
import { readFixtures } from './fixtures.js'
import { type Target, type Tolerance, UNIT } from './target.js'

/** A handful of steps, each of a few roundings of the parameter. */
const FEW_STEPS: Tolerance = { float32: 8 * UNIT }
/** 100 steps, each of which rounds a parameter near 1 once, in any direction: √100 roundings, and twice that. */
const MANY_STEPS: Tolerance = { float32: 20 * UNIT }
/** A norm is half as wrong as the sum of squares under it; the coefficient adds two roundings. */
const CLIP: Tolerance = { float32: 4 * UNIT }

type Parameter = Tensor<'float32'>

/** An optimiser and its options, as test/reference names them. */
type Rule = { optimizer: 'sgd'; options: SgdCase } | { optimizer: 'adam'; options: AdamCase }

function start(rule: Rule, parameters: Parameter[]): SGD | Adam {
  if (rule.optimizer === 'adam') return new Adam(parameters, rule.options)
  const { lr, momentum = 0 } = rule.options
  return new SGD(parameters, { lr, momentum })
}

function startReference(rule: Rule, parameter: Float64Array): (gradient: Float64Array) => void {
  if (rule.optimizer === 'adam') return adamReference(parameter, rule.options)
  return sgdReference(parameter, rule.options)
}

/** Nesterov momentum, dampening and weight decay are the reference's alone. */
function hasRule(rule: Rule): boolean {
  return (
    rule.optimizer === 'adam' || Object.keys(rule.options).every(name => name === 'lr' || name === 'momentum')
  )
}

const rules: (Rule & { name: string })[] = [
  { name: 'SGD', optimizer: 'sgd', options: { lr: 0.03 } },
  { name: 'SGD with momentum', optimizer: 'sgd', options: { lr: 0.03, momentum: 0.9 } },
  { name: 'Adam', optimizer: 'adam', options: {} },
  { name: 'Adam with other options', optimizer: 'adam', options: { lr: 0.1, betas: [0.8, 0.95], eps: 1e-3 } },
]

/** A parameter of a vector's values. */
function leaf(device: Device, values: ArrayLike<number>): Tensor<'float32', 1> {
  return tensor<1>(Float32Array.from(values), [values.length], { device, requiresGrad: true })
}

function setGradient(parameter: Parameter, values: ArrayLike<number>): void {
  parameter.grad?.dispose()
  parameter.grad = tensor(Float32Array.from(values), parameter.shape, { device: parameter.device })
}

/** Gradients whose magnitudes spread over nine powers of ten. */
function drawGradient(generator: Generator, length: number): Float32Array {
  return Float32Array.from({ length }, () => generator.normal() * 10 ** (generator.below(10) - 7))
}

export function optimSuite(target: Target): void {
  describe(`optimisers on ${target.name}`, () => {
    test.each(G7.runs.filter(hasRule))('G7: $name', async run => {
      const p = leaf(target.open(), G7.start)
      const optimizer = start(run, [p])
      for (const gradient of G7.gradients) {
        setGradient(p, gradient)
        optimizer.step()
      }
      expectClose(await p.toArray(), run.parameter, FEW_STEPS[target.precision])
    })

    test.each(readFixtures('optim.json').cases)('PyTorch: $optimizer, step by step', async fixture => {
      const p = leaf(target.open(), fixture.start.data)
      const { options } = fixture
      const optimizer = start({ optimizer: fixture.optimizer === 'SGD' ? 'sgd' : 'adam', options }, [p])
      for (const [i, gradient] of fixture.gradients.entries()) {
        setGradient(p, gradient.data)
        optimizer.step()
        expectClose(await p.toArray(), fixture.after[i]!.data, FEW_STEPS[target.precision], `step ${i}`)
      }
    })

    test.each(rules)('the float64 reference over 100 steps: $name', async rule => {
      const generator = new Generator(3)
      const values = Float32Array.from({ length: 37 }, () => generator.uniform(-1, 1))
      const p = leaf(target.open(), values)
      const expected = Float64Array.from(values)
      const optimizer = start(rule, [p])
      const step = startReference(rule, expected)
      for (let i = 0; i < 100; i++) {
        const gradient = drawGradient(generator, values.length)
        setGradient(p, gradient)
        optimizer.step()
        step(Float64Array.from(gradient))
      }
      expectClose(await p.toArray(), expected, MANY_STEPS[target.precision])
    })

    test('a parameter counts its own steps, and without a gradient it takes none', async () => {
      const device = target.open()
      const [p, q] = [leaf(device, [1, 2]), leaf(device, [3])]
      const [expectedP, expectedQ] = [Float64Array.of(1, 2), Float64Array.of(3)]
      const adam = new Adam([p, q], { lr: 0.1 })
      const [stepP, stepQ] = [expectedP, expectedQ].map(x => adamReference(x, { lr: 0.1 }))
      for (let i = 0; i < 4; i++) {
        adam.zeroGrad()
        expect([p.grad, q.grad]).toEqual([null, null])
        setGradient(p, [0.5, -i])
        stepP!(Float64Array.of(0.5, -i))
        if (i % 2 === 1) {
          setGradient(q, [1 + i])
          stepQ!(Float64Array.of(1 + i))
        }
        adam.step()
      }
      expectClose(await p.toArray(), expectedP, FEW_STEPS[target.precision], 'p')
      expectClose(await q.toArray(), expectedQ, FEW_STEPS[target.precision], 'q')
    })

    test('the learning rate may change between steps', async () => {
      const p = leaf(target.open(), [1])
      const sgd = new SGD([p], { lr: 0.5 })
      setGradient(p, [1])
      sgd.step()
      sgd.learningRate = 0.25
      sgd.step()
      expect(await p.toArray()).toEqual(Float32Array.of(0.25))
    })

    test('a step over nothing', () => {
      const p = leaf(target.open(), [1])
      new SGD([p], { lr: 1 }).step()
      new Adam([p]).step()
      expect(() => new Adam([])).toThrow('optim.Adam: parameters: wanted at least one parameter')
    })

    test.each(rules)('the same bits with any number of threads: $name', rule =>
      expectReproducible(target, async device => {
        const generator = new Generator(1)
        const parameters = [1, 40_001, 17].map(n => leaf(device, drawGradient(generator, n)))
        const optimizer = start(rule, parameters)
        for (let step = 0; step < 3; step++) {
          for (const p of parameters) setGradient(p, drawGradient(generator, p.size))
          clipGradNorm(parameters, 1)
          optimizer.step()
        }
        const numbers: Numbers = {}
        for (const [i, p] of parameters.entries()) numbers[`parameter ${i}`] = await p.toArray()
        return numbers
      }),
    )
  })

  describe(`clipGradNorm on ${target.name}`, () => clipping(target))
}

function clipping(target: Target): void {
  const clip = async (gradients: readonly ArrayLike<number>[], maxNorm: number) => {
    const parameters = gradients.map(gradient => leaf(target.open(), new Float32Array(gradient.length)))
    for (const [i, p] of parameters.entries()) setGradient(p, gradients[i]!)
    const norm = await clipGradNorm(parameters, maxNorm).item()
    return { norm, clipped: await Promise.all(parameters.map(p => p.grad!.toArray())) }
  }
  const check = async (
    gradients: readonly ArrayLike<number>[],
    maxNorm: number,
    expected: { norm: number; clipped: readonly ArrayLike<number>[] },
    tolerance: Tolerance,
  ) => {
    const found = await clip(gradients, maxNorm)
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

  test.each([
    [0.5, 'above'],
    [1e6, 'below'],
  ])('the float64 reference: many elements, maximum %d, which the norm is %s', async maxNorm => {
    const generator = new Generator(1)
    const gradients = [3, 50_001, 1].map(n => drawGradient(generator, n))
    const exact = gradients.map(gradient => Float64Array.from(gradient))
    const norm = clipGradNormReference(exact, maxNorm)
    // Squares are added in chains of 1,000, whose roundings mostly cancel.
    await check(gradients, maxNorm, { norm, clipped: exact }, { float32: 32 * UNIT })
  })

  test('the 1e-6 that is added to the norm', async () => {
    const gradient = Float32Array.of(1e-6)
    const exact = Float64Array.from(gradient)
    const norm = clipGradNormReference([exact], 1e-6)
    // Half of the gradient is left.
    await check([gradient], 1e-6, { norm, clipped: [exact] }, CLIP)
  })

  test('parameters without a gradient do not count', async () => {
    const device = target.open()
    const [p, q] = [leaf(device, [0]), leaf(device, [0])]
    setGradient(p, [2])
    expect(await clipGradNorm([p, q], 1).item()).toBe(2)
    expect(await clipGradNorm([q], 1).item()).toBe(0)
  })

  test('a gradient that is not a number reaches the norm', async () => {
    expect((await clip([[1], [NaN]], 1)).norm).toBeNaN()
    expect((await clip([[1], [Infinity]], 1)).norm).toBe(Infinity)
  })
}
