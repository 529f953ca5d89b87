import { describe, expect, test } from 'vitest'
import { bceWithLogits, crossEntropy, mseLoss, nllLoss } from '../../src/ops/loss.js'
import { scope } from '../../src/scope.js'
import { ranked, type Tensor, tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import { crossEntropyOptions, nllOptions, type TapeCase, type TapeOptions } from '../reference/exactCalls.js'
import { expectClose } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  type Calls,
  constant,
  elsewhere,
  expectRefusals,
  expectValues,
  type Float,
  testNothing,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

const vector = (x: Float | undefined) => (x ? ranked(x, 1) : null)

/** What weighs is a constant: `weight` [C], or of the shape of the logits, and `posWeight`. */
export const lossCalls: Calls = {
  crossEntropy: ({ logits, weight }, o, { labels }) =>
    crossEntropy(logits!, labels!, { ...crossEntropyOptions(o), weight: vector(weight) }),
  nllLoss: ({ logProbabilities, weight }, o, { labels }) =>
    nllLoss(logProbabilities!, labels!, { ...nllOptions(o), weight: vector(weight) }),
  mseLoss: ({ input, target }, o) => mseLoss(input!, target!, nllOptions(o)),
  bceWithLogits: ({ logits, targets, weight, posWeight }, o) =>
    bceWithLogits(logits!, targets!, {
      ...nllOptions(o),
      ...(weight && { weight }),
      ...(posWeight && { posWeight }),
    }),
}

/** An exponential, a logarithm and a quotient, each with an error of an ulp or two, and sums of a few of them. */
const SMALL: Tolerance = everywhere(8 * UNIT)
/** The same for 30 elements, and with one product more for a weight. */
const MORE: Tolerance = everywhere(16 * UNIT)
/**
 * The noise of finite differences is 1.8e-6 of the loss, which is up to 30 times the largest gradient. On instruction sets
 * without fused multiply-add, each term of the loss has one rounding more.
 */
const DIFFERENCES = 1.1e-4

const REDUCTIONS = ['mean', 'sum', 'none'] as const
const WEIGHT = { weight: constant([4], n => [0.5, 2, 0.25, 1.25][n]!) }
const labelled = (shape: readonly number[]) => ({ labels: constant(shape, n => (n * n + n) % 4) })

export function lossTapeSuite(target: Target): void {
  describe(`losses of the tape on ${target.name}`, () => {
    for (const reduction of REDUCTIONS) {
      const variants: readonly (readonly [TapeOptions, boolean])[] = [
        [{}, false],
        [{ ignoreIndex: 2 }, true],
        [{ labelSmoothing: 0.25 }, false],
        [{ ignoreIndex: 0, labelSmoothing: 0.1 }, true],
      ]
      for (const [options, weighted] of variants) {
        for (const [shape, labels] of [
          [[5, 4], [5]],
          [
            [2, 4, 3],
            [2, 3],
          ],
          [
            [2, 4, 2, 2],
            [2, 2, 2],
          ],
        ] as const) {
          const given: TapeCase = {
            inputs: { logits: shape },
            integers: labelled(labels),
            options: { ...options, reduction },
            ...(weighted && { constants: WEIGHT }),
          }
          const tolerances = { value: MORE, gradient: MORE, differences: DIFFERENCES }
          testTape(target, lossCalls, 'crossEntropy', { ...given, ...tolerances })
          if (options.labelSmoothing !== undefined) continue
          const inputs = { logProbabilities: shape }
          testTape(target, lossCalls, 'nllLoss', { ...given, inputs, ...tolerances })
        }
      }
      for (const shape of [[3, 5], [7], [2, 2, 3], []]) {
        const options: TapeOptions = { reduction }
        const tolerances = { value: SMALL, gradient: SMALL, differences: DIFFERENCES }
        testTape(target, lossCalls, 'mseLoss', {
          inputs: { input: shape, target: shape },
          options,
          ...tolerances,
        })
        const targets = constant(shape, n => [1, 0, 0.25, 1, 0][n % 5]!)
        testTape(target, lossCalls, 'bceWithLogits', {
          inputs: { logits: shape },
          constants: { targets },
          options,
          ...tolerances,
        })
        const last = shape.at(-1) ?? 1
        testTape(target, lossCalls, 'bceWithLogits', {
          inputs: { logits: shape },
          constants: {
            targets,
            weight: constant(shape, n => 1 + Math.sin(n) / 2),
            ...(shape.length > 0 && { posWeight: constant([last], n => 0.5 + n) }),
          },
          options,
          value: MORE,
          gradient: MORE,
          differences: DIFFERENCES,
        })
      }
    }

    testNothing(target, lossCalls, [
      ['mseLoss', { inputs: { input: [0, 3], target: [0, 3] } }],
      ['mseLoss', { inputs: { input: [0, 3], target: [0, 3] }, options: { reduction: 'sum' } }],
      ['mseLoss', { inputs: { input: [0, 3], target: [0, 3] }, options: { reduction: 'none' } }],
      ...REDUCTIONS.map((reduction): [string, TapeCase] => [
        'bceWithLogits',
        {
          inputs: { logits: [0, 3] },
          constants: { targets: constant([0, 3], () => 0) },
          options: { reduction },
        },
      ]),
    ])

    test('ignored rows are 0, and a mean over no rows is NaN without a gradient', () =>
      scope(async () => {
        const device = target.open()
        const labels = [-100, 1]
        for (const loss of [crossEntropy, nllLoss]) {
          const x = tensor([NaN, 1, 0, 0], [2, 2], { device, requiresGrad: true })
          const each = loss(x, labels, { reduction: 'none' })
          expectValues(await each.toArray(), [0, loss === nllLoss ? 0 : Math.log(2)], 4)
          each.backward(tensor([3, 1], [2], { device }))
          const [half, row] = loss === nllLoss ? [0, -1] : [0.5, -0.5]
          expectValues(await x.grad!.toArray(), [0, 0, half, row], 4)
          x.grad!.dispose()
          const none = loss(x, [7, 7], { reduction: 'mean', ignoreIndex: 7 })
          expect(await none.item()).toBeNaN()
          none.backward()
          expectValues(await x.grad!.toArray(), [0, 0, 0, 0])
          x.grad!.dispose()
          expect(await loss(x, [7, 7], { reduction: 'sum', ignoreIndex: 7 }).item()).toBe(0)
        }
      }))

    test('labels on the host are row-major if there are class axes', () =>
      scope(async () => {
        const device = target.open()
        const numbers = Float32Array.from({ length: 12 }, (_, n) => Math.sin(n))
        const x = tensor(numbers, [2, 3, 2], { device })
        const labels = Int32Array.of(0, 2, 1, 1)
        const expected = exact.crossEntropy(exact.nd([2, 3, 2], numbers), labels, { reduction: 'none' }).data
        for (const given of [labels, [...labels], tensor(labels, [2, 2], { device })]) {
          const found = crossEntropy(x, given, { reduction: 'none' })
          expect(found.shape).toEqual([2, 2])
          expectClose(await found.toArray(), expected, 8 * UNIT)
        }
      }))

    test('logits whose exponential overflows, and NaN', () =>
      scope(async () => {
        const device = target.open()
        const logits = tensor([1e4, -1e4, 1e4, -1e4, NaN, Infinity], [6], { device })
        const targets = tensor([1, 0, 0, 1, 0, 1], [6], { device })
        const found = bceWithLogits(logits, targets, { reduction: 'none' })
        expectValues((await found.toArray()).slice(0, 5), [0, 0, 1e4, 1e4, NaN])
        const x = tensor([1, NaN, Infinity], [3], { device })
        expectValues(await mseLoss(x, zeros([3], { device }), { reduction: 'none' }).toArray(), [
          1,
          NaN,
          Infinity,
        ])
      }))

    test('the mean of many elements', () =>
      scope(async () => {
        const device = target.open()
        const numbers = Float32Array.from({ length: 100_003 }, (_, n) => Math.sin(n))
        const [input, other] = [
          tensor(numbers, [numbers.length], { device }),
          zeros([numbers.length], { device }),
        ]
        const known = exact.nd([numbers.length], numbers)
        const none = exact.nd([numbers.length], new Float64Array(numbers.length))
        // Of positive numbers, in chains of a few thousand at most, most of whose roundings cancel.
        expectClose(await mseLoss(input, other).toArray(), exact.mseLoss(known, none).data, 32 * UNIT)
        expectClose(
          await bceWithLogits(input, other).toArray(),
          exact.bceWithLogits(known, none).data,
          32 * UNIT,
        )
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'losses',
        run: input => {
          const x = input('x', [5000, 9])
          const labels = Array.from({ length: 5000 }, (_, n) => n % 9)
          const { device } = x
          const targets = tensor(
            Float32Array.from({ length: 45_000 }, (_, n) => n % 2),
            [5000, 9],
            { device },
          )
          return [
            crossEntropy(x, labels, { reduction: 'none' }),
            nllLoss(x, labels),
            mseLoss(x, targets),
            bceWithLogits(x, targets),
          ]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const [x, y, gone, two] = [
    zeros([2, 3], { device }),
    zeros([3, 2], { device }),
    zeros([2, 3], { device }),
    zeros([2], { device }),
  ]
  gone.dispose()
  const integers = untyped<Tensor<'float32', 2>>(tensor(new Int32Array(6), [2, 3], { device }))
  const losses: Record<
    string,
    (logits: Float, labels: number[], options?: { reduction: 'mean' }) => unknown
  > = {
    crossEntropy,
    nllLoss,
  }
  for (const [op, loss] of Object.entries(losses)) {
    const argument = op === 'nllLoss' ? 'logProbabilities' : 'logits'
    expectRefusals([
      ['ERR_OUT_OF_RANGE', `${op}: labels[1]`, () => loss(x, [0, 3])],
      ['ERR_SHAPE', `${op}: labels`, () => loss(x, [0])],
      ['ERR_SHAPE', `${op}: ${argument}`, () => loss(two, [0])],
      ['ERR_DISPOSED', `${op}: ${argument}`, () => loss(gone, [0, 0])],
      ['ERR_INVALID_ARGUMENT', `${op}: reduction`, () => loss(x, [0, 0], { reduction: untyped('most') })],
    ])
  }
  expectRefusals([
    ['ERR_SHAPE', 'nllLoss: weight', () => nllLoss(x, [0, 0], { weight: two })],
    ['ERR_SHAPE', 'mseLoss: target', () => mseLoss(x, y)],
    ['ERR_DTYPE', 'mseLoss: target', () => mseLoss(x, integers)],
    ['ERR_DISPOSED', 'mseLoss: input', () => mseLoss(gone, x)],
    ['ERR_INVALID_ARGUMENT', 'mseLoss: reduction', () => mseLoss(x, x, { reduction: untyped('most') })],
    ['ERR_SHAPE', 'bceWithLogits: targets', () => bceWithLogits(x, y)],
    ['ERR_SHAPE', 'bceWithLogits: posWeight', () => bceWithLogits(x, x, { posWeight: two })],
    ['ERR_SHAPE', 'bceWithLogits: weight', () => bceWithLogits(x, x, { weight: y })],
    ['ERR_DISPOSED', 'bceWithLogits: targets', () => bceWithLogits(x, gone)],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = zeros([2, 3], { device: other })
  expectRefusals([
    ['ERR_DEVICE', 'mseLoss: target', () => mseLoss(x, far)],
    ['ERR_DEVICE', 'bceWithLogits: targets', () => bceWithLogits(x, far)],
  ])
}
