import { describe, expect, test } from 'vitest'
import { Adam, ASGD, AveragedSGD, clipGradNorm, RMSprop, SGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { G7, G7Asgd } from '../reference/golden.js'
import { adamReference, asgdReference, optimizerReference } from '../reference/optimizers.js'
import { expectClose, expectReproducible, expectSameBits, type Numbers } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { drawGradient, leaf, optimizerOf, rules, setGradient } from './parameter.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** A few steps, each with a few roundings of the parameter. */
const FEW_STEPS: Tolerance = everywhere(8 * UNIT)
/** 100 steps, each of which rounds a parameter near 1 once with a random sign: √100 roundings, doubled. */
const MANY_STEPS: Tolerance = everywhere(20 * UNIT)

export function optimizersSuite(target: Target): void {
  describe(`optimisers on ${target.name}`, () => {
    test.each(G7.runs)('G7: $name', async run => {
      const p = leaf(target.open(), G7.start)
      const optimizer = optimizerOf(run, [p])
      for (const gradient of G7.gradients) {
        setGradient(p, gradient)
        optimizer.step()
      }
      expectClose(await p.toArray(), run.parameter, FEW_STEPS[target.precision])
    })

    test('G7: ASGD', async () => {
      const p = leaf(target.open(), G7Asgd.start)
      const optimizer = new ASGD([p], G7Asgd.options)
      expect(optimizer.average(p)).toBeNull()
      const averages: Float32Array[] = []
      for (const gradient of G7Asgd.gradients) {
        setGradient(p, gradient)
        optimizer.step()
        averages.push(await optimizer.average(p)!.toArray())
      }
      expectClose(averages[2]!, G7Asgd.average3, FEW_STEPS[target.precision], 'average after 3')
      expectClose(averages[4]!, G7Asgd.average5, FEW_STEPS[target.precision], 'average after 5')
      expectClose(await p.toArray(), G7Asgd.parameter5, FEW_STEPS[target.precision])
    })

    test.each(readFixtures('optimizers.json').cases)('PyTorch: $name', async fixture => {
      const parameters = fixture.start.map(start => fixtureTensor(target, start, start.shape.length))
      const optimizer = optimizerOf(fixture, parameters)
      for (const [i, { gradients, after, averages }] of fixture.steps.entries()) {
        if (i === 3) optimizer.groups[0]!.lr /= 2
        for (const [k, p] of parameters.entries()) {
          setGradient(p, gradients[k]?.data ?? null)
        }
        optimizer.step()
        for (const [k, p] of parameters.entries()) {
          const name = `parameter ${k} after step ${i}`
          expectClose(await p.toArray(), after[k]!.data, FEW_STEPS[target.precision], name)
          if (!(optimizer instanceof ASGD)) continue
          const average = await optimizer.average(p)?.toArray()
          const expected = averages[k]?.data
          if (average === undefined || expected === undefined) expect(average).toBe(expected)
          else expectClose(average, expected, FEW_STEPS[target.precision], `average of ${name}`)
        }
      }
    })

    test.each(rules)('agrees with the float64 reference over 100 steps: $name', async rule => {
      const generator = new Generator(3)
      const values = Float32Array.from({ length: 37 }, () => generator.uniform(-1, 1))
      const p = leaf(target.open(), values)
      const expected = Float64Array.from(values)
      const optimizer = optimizerOf(rule, [p])
      const step = optimizerReference(rule, expected)
      for (let i = 0; i < 100; i++) {
        const gradient = drawGradient(generator, values.length)
        setGradient(p, gradient)
        optimizer.step()
        step(Float64Array.from(gradient))
      }
      expectClose(await p.toArray(), expected, MANY_STEPS[target.precision])
    })

    test.each(rules)('has the same bits with any number of threads: $name', rule =>
      expectReproducible(target, async device => {
        const generator = new Generator(1)
        const parameters = [1, 40_001, 17].map(n => leaf(device, drawGradient(generator, n)))
        const optimizer = optimizerOf(rule, parameters)
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

    groups(target)
  })
}

function groups(target: Target): void {
  test('each parameter counts its own steps, and takes none without a gradient', async () => {
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

  test('each group has its options, and the defaults for the others', async () => {
    const device = target.open()
    const parameters = [[1], [1], [1], [1]].map(values => leaf(device, values))
    const [p, q, r, s] = parameters
    const sgd = new SGD(
      [
        { parameters: [p!], lr: 0.5 },
        { parameters: [q!, r!], momentum: 0.5, nesterov: true },
        { parameters: [s!], weightDecay: 1 },
      ],
      { lr: 0.25 },
    )
    expect(sgd.groups.map(({ lr, momentum }) => [lr, momentum])).toEqual([
      [0.5, 0],
      [0.25, 0.5],
      [0.25, 0],
    ])
    for (let step = 0; step < 2; step++) {
      for (const parameter of [p!, q!, s!]) setGradient(parameter, [1])
      sgd.step()
    }
    // q: 1 − (1 + 0.5) / 4 − (1 + 0.5 · 1.5) / 4; s: (p − (1 + p) / 4) twice
    expect((await Promise.all(parameters.map(each => each.item()))).map(Number)).toEqual([
      0, 0.1875, 1, 0.125,
    ])
  })

  test('every option may change between steps', async () => {
    const p = leaf(target.open(), [1])
    const sgd = new SGD([p], { lr: 0.5 })
    const [group] = sgd.groups
    setGradient(p, [1])
    sgd.step()
    group!.lr = 0.25
    sgd.step()
    expect(await p.item()).toBe(0.25)
    group!.momentum = 0.5
    sgd.step()
    sgd.step()
    // Momentum starts with the third gradient: 0.25 − 1 / 4 − 1.5 / 4
    expect(await p.item()).toBe(-0.375)
    group!.lr = -1
    expect(() => sgd.step()).toThrow('optim.SGD: lr: wanted a number from 0 to Infinity, got -1')
    expect(await p.item()).toBe(-0.375)
  })

  test("ASGD's rate follows a new learning rate one step later, as in PyTorch", async () => {
    const p = leaf(target.open(), [1])
    const asgd = new ASGD([p], { lr: 0.5, lambda: 0 })
    setGradient(p, [0.5])
    asgd.step()
    asgd.groups[0]!.lr = 0.25
    asgd.step()
    expect(await p.item()).toBe(0.5)
    asgd.step()
    expect(await p.item()).toBe(0.375)
  })

  test('AveragedSGD steps as SGD, and averages the steps after `averages` is set', async () => {
    const device = target.open()
    const start = [1, -2, 3]
    const [p, q] = [leaf(device, start), leaf(device, start)]
    const options = { lr: 0.5, weightDecay: 0.1 }
    const averaged = new AveragedSGD([p], options)
    const plain = new SGD([q], options)
    const steps: number[][] = []
    const generator = new Generator(5)
    for (let i = 0; i < 6; i++) {
      const gradient = drawGradient(generator, 3)
      if (i === 2) averaged.groups[0]!.averages = true
      for (const optimizer of [averaged, plain]) optimizer.groups[0]!.lr = 0.5 / (1 + i)
      setGradient(p, gradient)
      setGradient(q, gradient)
      averaged.step()
      plain.step()
      steps.push([...(await q.toArray())])
      expectSameBits(await p.toArray(), await q.toArray(), `step ${i}`)
      if (i < 2) expect(averaged.average(p)).toBeNull()
    }
    const counted = steps.slice(2)
    const mean = start.map((_, k) => counted.reduce((sum, step) => sum + step[k]!, 0) / counted.length)
    expectClose(await averaged.average(p)!.toArray(), mean, FEW_STEPS[target.precision])
    averaged.swapAverages()
    expectClose(await p.toArray(), mean, FEW_STEPS[target.precision])
    averaged.swapAverages()
    expectSameBits(await p.toArray(), await q.toArray())
  })

  test('an infinite parameter stays infinite', async () => {
    for (const rule of rules) {
      if (rule.options.weightDecay !== undefined || rule.optimizer.startsWith('A')) continue
      const p = leaf(target.open(), [Infinity, -Infinity])
      setGradient(p, [1, 1])
      optimizerOf(rule, [p]).step()
      expect(Array.from(await p.toArray()), rule.name).toEqual([Infinity, -Infinity])
    }
  })

  test('centred: a variance that rounding makes negative is set to 0', async () => {
    const p = leaf(target.open(), new Float32Array(64))
    const optimizer = new RMSprop([p], { lr: 1e-3, alpha: 0.5, centered: true, eps: 1e-3 })
    // The gradient is the same in each step, so its average and average square converge to all roundings of it.
    setGradient(
      p,
      Float32Array.from({ length: 64 }, (_, i) => 1 + i / 7),
    )
    for (let step = 0; step < 60; step++) optimizer.step()
    expect((await p.toArray()).every(Number.isFinite)).toBe(true)
  })

  test('a NaN stays in the largest v of AMSGrad', async () => {
    const p = leaf(target.open(), [1])
    const expected = Float64Array.of(1)
    const step = adamReference(expected, { amsgrad: true })
    const adam = new Adam([p], { amsgrad: true })
    for (const gradient of [1, NaN, 1]) {
      setGradient(p, [gradient])
      adam.step()
      step(Float64Array.of(gradient))
    }
    expect([await p.item(), expected[0]]).toEqual([NaN, NaN])
    expect((await adam.stateDict()).tensors.get('0.max_exp_avg_sq')?.data[0]).toBeNaN()
  })

  test('ASGD: before averaging starts, the average is the parameter', async () => {
    const p = leaf(target.open(), [1, -2, 3])
    const asgd = new ASGD([p])
    const step = asgdReference(Float64Array.from([1, -2, 3]), {})
    for (const gradient of G7.gradients) {
      setGradient(p, gradient)
      asgd.step()
      step(Float64Array.from(gradient))
      expect(await asgd.average(p)!.toArray()).toEqual(await p.toArray())
    }
    expectClose(await p.toArray(), step.average, FEW_STEPS[target.precision])
  })

  test('a step without gradients changes nothing', async () => {
    const p = leaf(target.open(), [1])
    for (const rule of rules) optimizerOf(rule, [p]).step()
    expect(await p.item()).toBe(1)
  })

  test('an empty parameter', async () => {
    const p = leaf(target.open(), [])
    for (const rule of rules) {
      setGradient(p, [])
      optimizerOf(rule, [p]).step()
    }
    expect(await p.toArray()).toEqual(new Float32Array(0))
  })
}
