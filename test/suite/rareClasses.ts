import { describe, expect, test } from 'vitest'
import { AdaptiveLogSoftmaxWithLoss } from '../../src/nn/index.js'
import { mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { sampledCrossEntropy } from '../../src/ops/sampledLoss.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Matrix, ranked, tensor } from '../../src/tensor.js'
import { crossEntropyReference, linearReference } from '../reference/ops.js'
import { expectClose } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { expectOpReproducible, testOp } from './op.js'
import { products, type Target, type Tolerance, UNIT } from './target.js'

/** Output layers for many classes: adaptive and sampled softmax. */

const VALUE: Tolerance = products(32 * UNIT)
const GRADIENT: Tolerance = products(32 * UNIT)
const DIFFERENCES = 6e-5

const [ROWS, INPUTS, CLASSES, SAMPLES] = [5, 3, 9, 4]
const LABELS = [0, 8, 3, 1, 1]

/** The drawn classes, and what is subtracted from logits, by the formulas of the docs. */
function drawn(seed: number): { classes: number[]; logExpected(k: number): number } {
  const generator = new Generator(seed)
  const classes: number[] = []
  let tries = 0
  while (classes.length < SAMPLES) {
    tries++
    const u = generator.uniform() * Math.log(CLASSES + 1)
    const k = Array.from({ length: CLASSES }, (_, i) => i).find(i => u < Math.log(i + 2))!
    if (!classes.includes(k)) classes.push(k)
  }
  const p = (k: number) => Math.log((k + 2) / (k + 1)) / Math.log(CLASSES + 1)
  return { classes, logExpected: k => Math.log(1 - (1 - p(k)) ** tries) }
}

export function rareClassesSuite(target: Target): void {
  describe(`sampled cross entropy on ${target.name}`, () => {
    for (const [name, bias, reduction] of [
      ['mean, without bias', false, 'mean'],
      ['sum', true, 'sum'],
    ] as const) {
      testOp(target, {
        name,
        run: input =>
          sampledCrossEntropy(
            input('x', [ROWS, INPUTS]),
            input('weight', [CLASSES, INPUTS]),
            bias ? input('bias', [CLASSES]) : null,
            LABELS,
            { samples: SAMPLES, reduction, generator: new Generator(7) },
          ),
        reference: value => {
          const added = bias ? value('bias') : new Float64Array(CLASSES)
          const logits = linearReference(value('x'), value('weight'), added)
          const { classes, logExpected } = drawn(7)
          const losses = LABELS.map((label, row) => {
            const of = (k: number) => logits[row * CLASSES + k]! - logExpected(k)
            const others = classes.filter(k => k !== label)
            const all = [of(label), ...others.map(of)]
            return crossEntropyReference(Float64Array.from(all), [0], { reduction: 'sum' }).loss
          })
          const total = losses.reduce((all, loss) => all + loss, 0)
          return Float64Array.of(reduction === 'sum' ? total : total / ROWS)
        },
        value: VALUE,
        gradient: GRADIENT,
        differences: DIFFERENCES,
      })
    }

    test('has the same bits with any number of threads', () =>
      expectOpReproducible(target, {
        name: 'sampled',
        run: input =>
          sampledCrossEntropy(
            input('x', [200, 17]),
            input('weight', [300, 17]),
            input('bias', [300]),
            Array.from({ length: 200 }, (_, i) => (i * 7) % 300),
            { samples: 40, generator: new Generator(1) },
          ),
      }))

    test('invalid arguments are rejected', () => {
      const device = target.open()
      const [x, weight] = [tensor([1, 2], [1, 2], { device }), tensor([1, 2, 3, 4], [2, 2], { device })]
      const call = (labels: number[], samples: number) => () =>
        sampledCrossEntropy(x, weight, null, labels, { samples })
      expect(call([2], 1)).toThrow('sampledCrossEntropy: labels[0]')
      expect(call([0, 1], 1)).toThrow('sampledCrossEntropy: labels: wanted 1 labels, got 2')
      expect(call([0], 3)).toThrow('sampledCrossEntropy: samples')
    })
  })

  describe(`adaptive softmax on ${target.name}`, () => {
    test.each(readFixtures('adaptive.json').cases)('PyTorch: %#', fixture =>
      scope(async () => {
        const device = target.open()
        const { options, parameters, targets, dOutput } = fixture
        using module = new AdaptiveLogSoftmaxWithLoss({ ...options, device })
        expect(module.namedParameters().map(([name]) => name)).toEqual(Object.keys(parameters))
        module.loadStateDict(
          new Map(
            Object.entries(parameters).map(([name, { shape, data }]) => [
              name,
              { shape, data: Float32Array.from(data) },
            ]),
          ),
        )
        const x = fixtureTensor(target, fixture.x, 2)
        x.requiresGrad = true
        const { output, loss } = module.forward(x, targets)
        expectClose(await output.toArray(), fixture.output.data, VALUE[target.precision])
        expectClose([await loss.item()], [fixture.loss], VALUE[target.precision])
        const logProb = await module.logProb(x).toArray()
        expectClose(logProb, fixture.logProb.data, VALUE[target.precision])
        expect([...(await module.predict(x).toArray())]).toEqual(fixture.predicted)
        sum(mul(output, fixtureTensor(target, dOutput, 1))).backward()
        expectClose(await x.grad!.toArray(), fixture.dX.data, GRADIENT[target.precision])
        for (const [name, parameter] of module.namedParameters()) {
          const wanted = fixture.dParameters[name]!.data
          const found =
            parameter.grad === null ? new Float32Array(wanted.length) : await parameter.grad.toArray()
          expectClose(found, wanted, GRADIENT[target.precision], name)
        }
      }),
    )

    test('probabilities of all classes add up to 1, and clusters without a target have no gradient', () =>
      scope(async () => {
        const options = { inFeatures: 16, classes: 40, cutoffs: [5, 12, 30], divValue: 2, headBias: true }
        const generator = new Generator(1)
        using module = new AdaptiveLogSoftmaxWithLoss({ ...options, device: target.open(), generator })
        const numbers = Float32Array.from({ length: 6 * 16 }, () => generator.uniform(-1, 1))
        const x: Matrix = ranked(tensor(numbers, [6, 16], { device: target.open() }), 2)
        const all = await module.logProb(x).toArray()
        for (let row = 0; row < 6; row++) {
          const p = [...all.subarray(40 * row, 40 * (row + 1))].map(Math.exp)
          expect(p.reduce((total, each) => total + each, 0)).toBeCloseTo(1, 5)
        }
        module.forward(x, [0, 1, 31, 33, 39, 4]).loss.backward()
        const touched = [...module.tail].map(each => each.parameters().map(({ grad }) => grad !== null))
        expect(touched).toEqual([
          [false, false],
          [false, false],
          [true, true],
        ])
      }))

    test('invalid arguments are rejected', () => {
      const make =
        (cutoffs: number[], divValue = 4) =>
        () =>
          new AdaptiveLogSoftmaxWithLoss({
            inFeatures: 8,
            classes: 10,
            cutoffs,
            divValue,
            device: target.open(),
          })
      const name = 'nn.AdaptiveLogSoftmaxWithLoss'
      expect(make([])).toThrow(`${name}: cutoffs: wanted at least one number`)
      expect(make([3, 3])).toThrow(`${name}: cutoffs: wanted ascending numbers`)
      expect(make([10])).toThrow(`${name}: cutoffs[0]`)
      expect(make([3, 6], 100)).toThrow(
        `${name}: divValue: wanted at least one feature in cluster 0, got 100`,
      )
      using module = make([3])()
      const x: Matrix = ranked(tensor(new Float32Array(8), [1, 8], { device: target.open() }), 2)
      expect(() => module.forward(x, [10])).toThrow(`${name}: targets[0]`)
      expect(() => module.forward(x, [1, 2])).toThrow(`${name}: targets: wanted 1 targets, got 2`)
    })
  })
}
