import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { linear } from '../../src/ops/linear.js'
import { type LinearCrossEntropyOptions, linearCrossEntropy } from '../../src/ops/linearLoss.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, type Matrix, tensor, zeros } from '../../src/tensor.js'
import { crossEntropyReference, linearReference } from '../reference/ops.js'
import { expectClose } from './compare.js'
import { expectOpReproducible, testOp } from './op.js'
import { expectRefusals, untyped } from './tape.js'
import { products, type Target, type Tolerance, UNIT } from './target.js'

const [ROWS, INPUTS, CLASSES] = [5, 3, 4]
const LABELS = [2, 0, 3, 1, 1]
/** A sum of three products, and the errors of a cross entropy. */
const VALUE: Tolerance = products(16 * UNIT)
/** Each row adds a product. */
const GRADIENT: Tolerance = products(16 * UNIT)
/** The noise of a difference is 1.8e-6 of the loss, which is up to 30 times the largest gradient. */
const DIFFERENCES = 6e-5

export function linearLossSuite(target: Target): void {
  describe(`linear and cross entropy on ${target.name}`, () => {
    const variants: [string, LinearCrossEntropyOptions & { bias?: boolean }][] = [
      ['mean, without bias', { bias: false }],
      ['sum', { reduction: 'sum' }],
      ['a row at a time', { maxLogits: 1 }],
      ['two rows at a time, sum', { maxLogits: 2 * CLASSES, reduction: 'sum' }],
      ['two rows at a time, with ignoreIndex', { maxLogits: 2 * CLASSES + 1, ignoreIndex: 1 }],
      ['smoothing, three rows at a time', { maxLogits: 3 * CLASSES, labelSmoothing: 0.3 }],
    ]
    for (const [name, { bias = true, ...options }] of variants) {
      testOp(target, {
        name,
        run: input =>
          linearCrossEntropy(
            input('x', [ROWS, INPUTS]),
            input('weight', [CLASSES, INPUTS]),
            bias ? input('bias', [CLASSES]) : null,
            LABELS,
            options,
          ),
        reference: value => {
          const added = bias ? value('bias') : new Float64Array(CLASSES)
          const logits = linearReference(value('x'), value('weight'), added)
          const { reduction = 'mean', ignoreIndex, labelSmoothing } = options
          const { loss } = crossEntropyReference(logits, LABELS, {
            reduction,
            ...(ignoreIndex !== undefined && { ignoreIndex }),
            ...(labelSmoothing !== undefined && { labelSmoothing }),
          })
          return Float64Array.of(loss)
        },
        value: VALUE,
        gradient: GRADIENT,
        differences: DIFFERENCES,
      })
    }

    test('many rows in blocks are the composition', async () => {
      const generator = new Generator(3)
      const device = target.open()
      const [rows, inputs, classes] = [150, 40, 70]
      const drawn = (...shape: readonly [number, number]): Matrix =>
        tensor<2>(
          Float32Array.from({ length: shape[0] * shape[1] }, () => generator.uniform(-1, 1)),
          shape,
          { device, requiresGrad: true },
        )
      const labels = Int32Array.from({ length: rows }, (_, n) => (n % 9 === 0 ? -100 : (7 * n) % classes))
      await scope(async () => {
        const [x, weight] = [drawn(rows, inputs), drawn(classes, inputs)]
        const bias = zeros([classes], { device, requiresGrad: true })
        const results = []
        for (const loss of [
          crossEntropy(linear(x, weight, bias), labels),
          linearCrossEntropy(x, weight, bias, labels, { maxLogits: 40 * classes }),
        ]) {
          loss.backward()
          const gradients = [x, weight, bias].map(({ grad }) => grad!.toArray())
          results.push([await loss.toArray(), ...(await Promise.all(gradients))])
          for (const parameter of [x, weight, bias]) parameter.grad = null
        }
        const [wanted, found] = results
        for (const [i, values] of found!.entries()) {
          expectClose(values, wanted![i]!, products(32 * UNIT)[target.precision])
        }
      })
    })

    test('gradients are computed only where they are needed', async () => {
      const device = target.open()
      await scope(async () => {
        const x = full<2>([2, 3], 1, { device, requiresGrad: true })
        const weight = full<2>([4, 3], 1, { device })
        linearCrossEntropy(x, weight, null, [0, 1]).backward()
        expect([x.grad !== null, weight.grad]).toEqual([true, null])
        expect(noGrad(() => linearCrossEntropy(x, weight, null, [0, 1])).requiresGrad).toBe(false)
      })
    })

    test('if all labels are ignored, the mean is NaN and its gradient 0', async () => {
      const device = target.open()
      await scope(async () => {
        const x = full<2>([2, 3], 1, { device, requiresGrad: true })
        const loss = linearCrossEntropy(x, full<2>([4, 3], 1, { device }), null, [-100, -100])
        loss.backward()
        expect(await loss.item()).toBeNaN()
        expect([...(await x.grad!.toArray())]).toEqual([0, 0, 0, 0, 0, 0])
      })
    })

    test('blocks have the same bits in each run and with any number of threads', () =>
      expectOpReproducible(target, {
        name: 'blocks',
        run: input =>
          linearCrossEntropy(
            input('x', [64, 33]),
            input('weight', [50, 33]),
            input('bias', [50]),
            labelsOf(64, 50),
            {
              maxLogits: 20 * 50,
            },
          ),
      }))

    test('invalid arguments are errors', () => {
      const device = target.open()
      const x = full<2>([2, 3], 1, { device })
      const weight = full<2>([4, 3], 1, { device })
      const narrow = full<2>([4, 2], 1, { device })
      const op = 'linearCrossEntropy'
      const call = (labels: Int32Array | number[], w = weight, options: LinearCrossEntropyOptions = {}) =>
        linearCrossEntropy(x, w, null, labels, options)
      const onDevice = zeros([2], { device })
      expectRefusals([
        ['ERR_SHAPE', `${op}: x`, () => call([0, 1], narrow)],
        ['ERR_SHAPE', `${op}: labels: wanted 2 labels, got 1`, () => call([0])],
        ['ERR_OUT_OF_RANGE', `${op}: labels[1]`, () => call([0, 4])],
        ['ERR_OUT_OF_RANGE', `${op}: labels[0]`, () => call([0.5, 1])],
        ['ERR_OUT_OF_RANGE', `${op}: labels[1]`, () => call([0, 2 ** 32])],
        ['ERR_OUT_OF_RANGE', `${op}: ignoreIndex`, () => call([0, 1], weight, { ignoreIndex: 0.5 })],
        ['ERR_OUT_OF_RANGE', `${op}: labelSmoothing`, () => call([0, 1], weight, { labelSmoothing: 2 })],
        ['ERR_INVALID_ARGUMENT', `${op}: labels: wanted labels on the host`, () => call(untyped(onDevice))],
      ])
      for (const each of [x, weight, narrow, onDevice]) each.dispose()
    })
  })
}

const labelsOf = (rows: number, classes: number) => Array.from({ length: rows }, (_, n) => (7 * n) % classes)
