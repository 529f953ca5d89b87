import { describe, expect, test } from 'vitest'
import { batchNorm, layerNorm, weightNorm } from '../../src/ops/norms.js'
import { scope } from '../../src/scope.js'
import { ranked, type Tensor, tensor, type Vector, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import {
  batchNormOptions,
  type Named,
  type TapeCase,
  type TapeOptions,
  type Values,
} from '../reference/exactCalls.js'
import { expectClose } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  type Calls,
  constant,
  elsewhere,
  expectRefusals,
  expectValues,
  type Float,
  packed,
  type ToleratedCase,
  testNothing,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

const vector = (x: Float | undefined): Vector | null => (x ? ranked(x, 1) : null)

/** The arguments of batchNorm that are given. */
function given(x: Named<Float>, o: TapeOptions) {
  return {
    weight: vector(x.weight),
    bias: vector(x.bias),
    runningMean: vector(x.runningMean),
    runningVar: vector(x.runningVar),
    ...batchNormOptions(o),
  }
}

export const normCalls: Calls = {
  layerNorm: ({ x, weight, bias }, o) => layerNorm(x!, vector(weight), vector(bias), o),
  layerNormPacked: ({ rows, weight, bias }, o) =>
    layerNorm(
      packed(rows, o.lengths),
      vector(weight),
      vector(bias),
      o.eps === undefined ? {} : { eps: o.eps },
    ),
  batchNorm: ({ x, ...others }, o) => batchNorm(ranked(x!, 2), given(others, o)),
  batchNormPacked: ({ rows, ...others }, o) => batchNorm(packed(rows, o.lengths), given(others, o)),
  weightNorm: ({ v, g }, o) => weightNorm(v!, g!, o.dim === undefined ? {} : { dim: o.dim }),
}

/**
 * A mean and a variance of up to 19 numbers near 1, and the distance from the mean over the root of the variance. A distance
 * has the rounding errors of the mean, and the gradient is a difference of distances.
 */
const NORMED: Tolerance = everywhere(32 * UNIT)
/** A sum of squares, a root, a quotient and a product; the gradient is a difference of two such. */
const SCALED: Tolerance = everywhere(16 * UNIT)
/** Normalized numbers are up to 4, and a step changes them by h over a deviation of 1/2, so fifth derivatives are larger. */
const DIFFERENCES = 1e-4

const running = (width: number) => ({
  runningMean: constant([width], n => Math.sin(n) / 4),
  runningVar: constant([width], n => 1 + Math.cos(n) / 2),
})

export function normsTapeSuite(target: Target): void {
  describe(`norms of the tape on ${target.name}`, () => {
    const normed = (op: string, given: TapeCase) => {
      const tolerated: ToleratedCase = { ...given, value: NORMED, gradient: NORMED, differences: DIFFERENCES }
      testTape(target, normCalls, op, tolerated)
    }
    normed('layerNorm', { inputs: { x: [3, 7], weight: [7], bias: [7] } })
    normed('layerNorm', { inputs: { x: [2, 3, 19] } })
    normed('layerNorm', { inputs: { x: [2, 1, 2, 5], weight: [5] }, options: { eps: 0.1 } })
    normed('layerNorm', { inputs: { x: [9], bias: [9] } })
    normed('layerNormPacked', {
      inputs: { rows: [5, 6], weight: [6], bias: [6] },
      options: { lengths: [2, 0, 3] },
    })
    const options = { training: true }
    normed('batchNorm', { inputs: { x: [6, 3], weight: [3], bias: [3] }, options })
    normed('batchNorm', { inputs: { x: [7, 19] }, options: { training: true, eps: 0.1 } })
    normed('batchNorm', { inputs: { x: [6, 3], weight: [3], bias: [3] }, constants: running(3), options })
    normed('batchNormPacked', {
      inputs: { rows: [6, 4], weight: [4], bias: [4] },
      constants: running(4),
      options: { training: true, lengths: [2, 0, 3, 1] },
    })
    const evaluated = { constants: running(3), options: { training: false } }
    normed('batchNorm', { inputs: { x: [5, 3], weight: [3], bias: [3] }, ...evaluated })
    normed('batchNorm', { inputs: { x: [1, 3] }, ...evaluated })
    normed('batchNormPacked', {
      inputs: { rows: [5, 3], weight: [3], bias: [3] },
      constants: running(3),
      options: { training: false, lengths: [2, 3] },
    })
    for (const given of [
      { inputs: { v: [4, 3], g: [4, 1] } },
      { inputs: { v: [2, 3, 4], g: [2, 1, 1] } },
      { inputs: { v: [2, 3, 4], g: [1, 3, 1] }, options: { dim: 1 } },
      { inputs: { v: [3, 5], g: [1, 5] }, options: { dim: -1 } },
    ]) {
      const tolerated: ToleratedCase = { ...given, value: SCALED, gradient: SCALED, differences: DIFFERENCES }
      testTape(target, normCalls, 'weightNorm', tolerated)
    }

    testNothing(target, normCalls, [
      ['layerNorm', { inputs: { x: [0, 3], weight: [3], bias: [3] } }],
      ['layerNormPacked', { inputs: { rows: [0, 3], weight: [3] }, options: { lengths: [0] } }],
      ['batchNorm', { inputs: { x: [0, 3], weight: [3], bias: [3] }, ...evaluated }],
      ['weightNorm', { inputs: { v: [0, 3], g: [0, 1] } }],
    ])

    test('running statistics change only in training; the variance divides by N − 1', () =>
      scope(async () => {
        const device = target.open()
        const numbers = Float32Array.from({ length: 15 }, (_, n) => Math.sin(n * n))
        const known = exact.nd([5, 3], numbers)
        const given = running(3)
        const held = (values: Values): Tensor<'float32', 1> => tensor(values.data, [3], { device })
        for (const [training, momentum] of [
          [true, undefined],
          [true, 0.5],
          [false, 0.5],
        ] as const) {
          const [runningMean, runningVar] = [held(given.runningMean), held(given.runningVar)]
          const options = { training, ...(momentum !== undefined && { momentum }) }
          batchNorm(tensor(numbers, [5, 3], { device }), { runningMean, runningVar, ...options })
          const expected = exact.batchNorm(known, {
            runningMean: exact.nd([3], given.runningMean.data),
            runningVar: exact.nd([3], given.runningVar.data),
            ...options,
          })
          expectClose(await runningMean.toArray(), expected.runningMean!.data, 8 * UNIT, 'mean')
          expectClose(await runningVar.toArray(), expected.runningVar!.data, 8 * UNIT, 'variance')
        }
      }))

    test('the mean is subtracted before squares are summed: numbers near 1000', () =>
      scope(async () => {
        const device = target.open()
        const numbers = Float32Array.from({ length: 64 }, (_, n) => 1000 + Math.round(8 * Math.sin(n)) / 8)
        const found = await layerNorm(tensor(numbers, [2, 32], { device })).toArray()
        // The mean is off by up to half a unit in the last place of 1000, 2⁻¹⁵, and the deviation is 0.7.
        expectClose(found, exact.layerNorm(exact.nd([2, 32], numbers)).data, 2 ** -14)
        const columns = batchNorm(tensor(numbers, [32, 2], { device }), { training: true })
        const expected = exact.batchNorm(exact.nd([32, 2], numbers), { training: true }).y.data
        expectClose(await columns.toArray(), expected, 2 ** -14)
      }))

    test('equal numbers become 0, and a NaN stays in its row or column', () =>
      scope(async () => {
        const device = target.open()
        const x = tensor([2, 2, NaN, 1], [2, 2], { device })
        expectValues(await layerNorm(x).toArray(), [0, 0, NaN, NaN])
        const y = tensor([2, NaN, 2, 1], [2, 2], { device })
        expectValues(await batchNorm(y, { training: true }).toArray(), [0, NaN, 0, NaN])
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'norms',
        run: input => {
          const [x, weight, bias] = [
            input<2>('x', [400, 90]),
            input<1>('weight', [90]),
            input<1>('bias', [90]),
          ]
          const v = input('v', [60, 20, 9])
          return [
            layerNorm(x, weight, bias),
            batchNorm(x, { weight, bias, training: true }),
            weightNorm(v, input('g', [60, 1, 1])),
          ]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const [x, two, three, gone] = [
    zeros([2, 3], { device }),
    zeros([2], { device }),
    zeros([3], { device }),
    zeros([2, 3], { device }),
  ]
  gone.dispose()
  const [g, wrong] = [zeros([2, 1], { device }), zeros([1, 3], { device })]
  const integers = untyped<Tensor<'float32', 2>>(tensor(new Int32Array(6), [2, 3], { device }))
  expectRefusals([
    ['ERR_SHAPE', 'layerNorm: weight', () => layerNorm(x, two)],
    ['ERR_SHAPE', 'layerNorm: bias', () => layerNorm(x, three, two)],
    ['ERR_OUT_OF_RANGE', 'layerNorm: eps', () => layerNorm(x, null, null, { eps: -1 })],
    ['ERR_DTYPE', 'layerNorm: x', () => layerNorm(integers)],
    ['ERR_DISPOSED', 'layerNorm: x', () => layerNorm(gone)],
    ['ERR_SHAPE', 'batchNorm: weight', () => batchNorm(x, { weight: two, training: true })],
    ['ERR_SHAPE', 'batchNorm: runningVar', () => batchNorm(x, { runningMean: three, runningVar: two })],
    ['ERR_SHAPE', 'batchNorm: x', () => batchNorm(untyped(three), { training: true })],
    ['ERR_OUT_OF_RANGE', 'batchNorm: momentum', () => batchNorm(x, { training: true, momentum: 2 })],
    ['ERR_DISPOSED', 'batchNorm: x', () => batchNorm(gone, { training: true })],
    ['ERR_SHAPE', 'weightNorm: g', () => weightNorm(x, wrong)],
    ['ERR_OUT_OF_RANGE', 'weightNorm: dim', () => weightNorm(x, g, { dim: 2 })],
    ['ERR_DISPOSED', 'weightNorm: v', () => weightNorm(gone, g)],
  ])
  expect(integers.disposed).toBe(false)
  const other = elsewhere(target)
  if (other === null) return
  const far = zeros([3], { device: other })
  expectRefusals([
    ['ERR_DEVICE', 'layerNorm: weight', () => layerNorm(x, far)],
    ['ERR_DEVICE', 'batchNorm: weight', () => batchNorm(x, { weight: far, training: true })],
  ])
}
