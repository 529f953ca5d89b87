import { describe, expect, test } from 'vitest'
import { linear, linearBackward, linearForward } from '../../src/ops/linear.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'
import { linearReference, linearReferenceBackward } from '../reference/ops.js'
import { expectAllClose, expectClose } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { expectOpReproducible, testOp } from './op.js'
import { products, type Target, type Tolerance, UNIT } from './target.js'

/** Sums of up to 7 products near 1, each product and each addition rounded. */
const SMALL: Tolerance = products(8 * UNIT)

export function linearSuite(target: Target): void {
  describe(`linear on ${target.name}`, () => {
    testOp(target, {
      name: 'linear',
      run: input => linear(input('x', [4, 3]), input('weight', [5, 3]), input('bias', [5])),
      reference: value => linearReference(value('x'), value('weight'), value('bias')),
      value: SMALL,
      gradient: SMALL,
    })
    testOp(target, {
      name: 'linear without bias',
      run: input => linear(input('x', [2, 7]), input('weight', [3, 7])),
      reference: value => linearReference(value('x'), value('weight'), new Float64Array(3)),
      value: SMALL,
      gradient: SMALL,
    })

    test.each(readFixtures('ops.json').linear)('PyTorch: bias $bias.shape', async fixture => {
      await scope(async () => {
        const x = fixtureTensor(target, fixture.input, 2)
        const weight = fixtureTensor(target, fixture.weight, 2)
        const bias = fixture.bias && fixtureTensor(target, fixture.bias, 1)
        const y = linear(x, weight, bias)
        y.backward(fixtureTensor(target, fixture.dOutput, 2))
        const tolerance = SMALL[target.precision]
        expectClose(await y.toArray(), fixture.output.data, tolerance, 'output')
        expectClose(await x.grad!.toArray(), fixture.dInput.data, tolerance, 'dInput')
        expectClose(await weight.grad!.toArray(), fixture.dWeight.data, tolerance, 'dWeight')
        if (fixture.dBias) expectClose(await bias!.grad!.toArray(), fixture.dBias.data, tolerance, 'dBias')
      })
    })

    // Sizes around a vector, a register tile, a panel of 256 and a block of 240: one less, equal, one more.
    test.each([
      [1, 1, 1],
      [5, 15, 16],
      [6, 16, 17],
      [7, 17, 255],
      [13, 33, 256],
      [3, 65, 257],
      [241, 9, 20],
      [70, 257, 64],
      [64, 130, 520],
      // Few rows, a last panel without a whole vector, and a sum that is continued.
      [7, 530, 43],
    ])('agrees with the float64 reference: %i rows, %i outputs, %i inputs', async (rows, outputs, inputs) => {
      const generator = new Generator(rows)
      const draw = (n: number) => Float32Array.from({ length: n }, () => generator.uniform(-1, 1))
      const [x, weight, bias, dY] = [
        draw(rows * inputs),
        draw(outputs * inputs),
        draw(outputs),
        draw(rows * outputs),
      ]
      const device = target.open()
      const actual = await scope(async () => {
        const args = [
          tensor<2>(x, [rows, inputs], { device }),
          tensor<2>(weight, [outputs, inputs], { device }),
        ] as const
        const y = linearForward(...args, tensor(bias, [outputs], { device }))
        const { dX, dWeight, dBias } = linearBackward(...args, tensor(dY, [rows, outputs], { device }))
        return {
          y: await y.toArray(),
          dX: await dX!.toArray(),
          dWeight: await dWeight!.toArray(),
          dBias: await dBias!.toArray(),
        }
      })
      const [x64, weight64, bias64, dY64] = [x, weight, bias, dY].map(values => Float64Array.from(values))
      const expected = {
        y: linearReference(x64!, weight64!, bias64!),
        ...linearReferenceBackward(x64!, weight64!, bias64!, dY64!),
      }
      // K roundings of partial sums near √K: K · UNIT / √K of a result's scale, if all had the same sign.
      const terms = Math.max(rows, outputs, inputs)
      expectAllClose(actual, expected, products(2 * Math.sqrt(terms) * UNIT)[target.precision])
    })

    test('zero rows', async () => {
      const device = target.open()
      const [x, weight] = [zeros<2>([0, 3], { device }), zeros<2>([2, 3], { device })]
      expect(linearForward(x, weight).shape).toEqual([0, 2])
      const { dX, dWeight, dBias } = linearBackward(x, weight, zeros<2>([0, 2], { device }))
      expect(dX?.shape).toEqual([0, 3])
      expect(await dWeight?.toArray()).toEqual(new Float32Array(6))
      expect(await dBias?.toArray()).toEqual(new Float32Array(2))
    })

    test('an infinite input produces an infinity, or NaN for a weight of 0', async () => {
      const device = target.open()
      const x = tensor<2>(Float32Array.of(Infinity, 1, -Infinity, 3e38), [2, 2], { device })
      // Numbers that TF32 can represent, and some that it cannot.
      const weight = tensor<2>(Float32Array.of(1, 0.1, -0.1, 1, 2 ** -20, -1 / 3, 0, 1), [4, 2], { device })
      expect(Array.from(await linearForward(x, weight).toArray())).toEqual([
        ...[Infinity, -Infinity, Infinity, Number.NaN],
        ...[-Infinity, Infinity, -Infinity, Number.NaN],
      ])
    })

    test('computes only the requested gradients', () => {
      const device = target.open()
      const [x, weight, dY] = [
        zeros<2>([1, 3], { device }),
        zeros<2>([2, 3], { device }),
        zeros<2>([1, 2], { device }),
      ]
      const none = linearBackward(x, weight, dY, { x: false, weight: false, bias: false })
      expect(none).toEqual({ dX: null, dWeight: null, dBias: null })
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'linear',
        run: input => linear(input('x', [301, 70]), input('weight', [90, 70]), input('bias', [90])),
      }))
  })
}
