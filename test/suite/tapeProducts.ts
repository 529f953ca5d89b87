import { describe, expect, test } from 'vitest'
import { linear } from '../../src/ops/linear.js'
import { bmm, cosineSimilarity, matmul } from '../../src/ops/products.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { ranked, type Tensor, tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import { similarityOptions, type TapeCase } from '../reference/exactCalls.js'
import { expectClose } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  type Calls,
  elsewhere,
  expectRefusals,
  expectValues,
  type Float,
  packed,
  testNothing,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, products, type Target, type Tolerance, UNIT } from './target.js'

export const productCalls: Calls = {
  matmul: ({ a, b }) => matmul(a!, b!),
  bmm: ({ a, b }) => bmm(ranked(a!, 3), ranked(b!, 3)),
  linear: ({ x, weight, bias }) => linear(ranked(x!, 2), ranked(weight!, 2), bias ? ranked(bias, 1) : null),
  linearPacked: ({ rows, weight, bias }, o) =>
    linear(packed(rows, o.lengths), ranked(weight!, 2), bias ? ranked(bias, 1) : null),
  cosineSimilarity: ({ a, b }, options) => cosineSimilarity(a!, b!, similarityOptions(options)),
}

/** Sums of up to 10 products near 1, each product and each addition rounded. */
const SMALL: Tolerance = products(8 * UNIT)
/** The noise of finite differences is 1.8e-6 of a value near 1, and a gradient is about a tenth. */
const DIFFERENCES = 4e-5
/** Three sums of products, two roots and a quotient; its gradient is a difference of two such. */
const SIMILAR: Tolerance = everywhere(16 * UNIT)

export function productsTapeSuite(target: Target): void {
  describe(`products of the tape on ${target.name}`, () => {
    for (const inputs of [
      { a: [3, 4], b: [4, 5] },
      { a: [1, 7], b: [7, 1] },
      { a: [2, 3, 4], b: [2, 4, 2] },
      { a: [2, 3, 4], b: [4, 3] },
      { a: [3, 2], b: [2, 2, 5] },
      { a: [2, 1, 2, 3], b: [3, 3, 2] },
      { a: [1, 2, 3], b: [3, 3, 1] },
    ]) {
      testTape(target, productCalls, 'matmul', { inputs, value: SMALL, gradient: SMALL })
    }
    const layer = { weight: [5, 4], bias: [5] }
    const tolerances = { value: SMALL, gradient: SMALL }
    testTape(target, productCalls, 'linear', { inputs: { x: [3, 4], ...layer }, ...tolerances })
    const lengths = [2, 0, 1]
    testTape(target, productCalls, 'linearPacked', {
      ...{ inputs: { rows: [3, 4], ...layer }, options: { lengths } },
      ...tolerances,
    })
    const batch = { a: [3, 2, 5], b: [3, 5, 4] }
    testTape(target, productCalls, 'bmm', { inputs: batch, value: SMALL, gradient: SMALL })
    const cases: TapeCase[] = [
      { inputs: { a: [4, 5], b: [4, 5] } },
      { inputs: { a: [2, 3, 4], b: [2, 3, 4] } },
      { inputs: { a: [2, 3, 4], b: [2, 3, 4] }, options: { dim: -1 } },
      { inputs: { a: [5, 2], b: [5, 2] }, options: { dim: 0, eps: 1e-3 } },
      { inputs: { a: [7], b: [7] }, options: { dim: 0 } },
    ]
    for (const given of cases) {
      testTape(target, productCalls, 'cosineSimilarity', {
        ...given,
        value: SIMILAR,
        gradient: SIMILAR,
        differences: DIFFERENCES,
      })
    }
    // Below eps the norms are eps, and what is left is a product.
    testTape(target, productCalls, 'cosineSimilarity', {
      inputs: { a: [2, 3], b: [2, 3] },
      options: { eps: 4 },
      value: SIMILAR,
      gradient: SIMILAR,
    })

    testNothing(target, productCalls, [
      ['matmul', { inputs: { a: [0, 3], b: [3, 2] } }],
      ['matmul', { inputs: { a: [2, 0], b: [0, 3] } }],
      ['matmul', { inputs: { a: [0, 2, 3], b: [3, 2] } }],
      ['matmul', { inputs: { a: [2, 2, 3], b: [2, 3, 0] } }],
      ['matmul', { inputs: { a: [1, 2, 0], b: [3, 0, 2] } }],
      ['bmm', { inputs: { a: [0, 2, 3], b: [0, 3, 4] } }],
      ['bmm', { inputs: { a: [2, 2, 0], b: [2, 0, 4] } }],
      ['cosineSimilarity', { inputs: { a: [0, 3], b: [0, 3] } }],
      ['cosineSimilarity', { inputs: { a: [3, 0], b: [3, 0] } }],
    ])

    // Around a vector, a register tile and a panel of 256, each in a batch.
    test.each([
      [1, 1, 1, 300],
      [3, 7, 17, 33],
      [2, 13, 65, 257],
      [5, 64, 16, 64],
      [2, 70, 130, 20],
    ])('agrees with the float64 reference: %i times %i × %i, sums of %i', async (count, m, n, k) => {
      const generator = new Generator(k)
      const draw = (size: number) => Float32Array.from({ length: size }, () => generator.uniform(-1, 1))
      const [left, right] = [draw(count * m * k), draw(count * k * n)]
      const [aShape, bShape] = [[count, m, k] as const, [count, k, n] as const]
      await scope(async () => {
        const device = target.open()
        const y = bmm(tensor<3>(left, aShape, { device }), tensor<3>(right, bShape, { device }))
        const expected = exact.matmul(exact.nd(aShape, left), exact.nd(bShape, right))
        // Of numbers in all directions a sum has √k roundings' worth of error, at its own scale √k / 3.
        const tolerance = products((8 + Math.sqrt(k)) * UNIT)
        expectClose(await y.toArray(), expected.data, tolerance[target.precision], 'values', Math.sqrt(k) / 4)
      })
    })

    test('a matrix product is the same alone, in a batch and broadcast', () =>
      scope(async () => {
        const device = target.open()
        const [a, b] = [
          tensor<2>(
            Float32Array.from({ length: 12 }, (_, n) => Math.sin(n)),
            [3, 4],
            { device },
          ),
          tensor<2>(
            Float32Array.from({ length: 20 }, (_, n) => Math.cos(n)),
            [4, 5],
            { device },
          ),
        ]
        const batch = tensor<3>(
          Float32Array.from({ length: 24 }, (_, n) => Math.sin(n % 12)),
          [2, 3, 4],
          { device },
        )
        const alone = [...(await matmul(a, b).toArray())]
        const tolerance = products(8 * UNIT)[target.precision]
        expectClose(await matmul(batch, b).toArray(), [...alone, ...alone], tolerance)
      }))

    test('the similarity to a zero vector is 0, and so is its gradient', () =>
      scope(async () => {
        const device = target.open()
        const a = tensor([0, 0, 3, 4], [2, 2], { device, requiresGrad: true })
        const y = cosineSimilarity(a, tensor([1, 2, 3, 4], [2, 2], { device }))
        expectValues(await y.toArray(), [0, 1], 4)
        expect(y.shape).toEqual([2])
      }))

    test('a NaN affects only its row and its column', () =>
      scope(async () => {
        const device = target.open()
        const [a, b] = [tensor([NaN, 1, 1, 1], [2, 2], { device }), tensor([1, 2, 3, 4], [2, 2], { device })]
        expectValues(await matmul(a, b).toArray(), [NaN, NaN, 4, 6])
        expectValues(await matmul(b, a).toArray(), [NaN, 3, NaN, 7])
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'products',
        run: input => {
          const [a, b] = [input<3>('a', [7, 60, 130]), input<3>('b', [7, 130, 50])]
          const [c, d] = [input('c', [3, 1, 70, 40]), input('d', [2, 40, 30])]
          return [bmm(a, b), matmul(c, d), cosineSimilarity(a, a), cosineSimilarity(b, b, { dim: -1 })]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const of = <R extends number>(shape: readonly number[], rank: R): Tensor<'float32', R> =>
    ranked(zeros<number>(shape, { device }), rank)
  const [vector, a, b, gone] = [of([3], 1), of([2, 3], 2), of([2, 3], 2), of([3, 2], 2)]
  const [batch, others, more] = [of([2, 2, 3], 3), of([3, 3, 2], 3), of([2, 2, 2], 3)]
  gone.dispose()
  const integers = untyped<Float>(tensor(new Int32Array(6), [3, 2], { device }))
  expectRefusals([
    ['ERR_SHAPE', 'matmul: b', () => matmul(a, b)],
    ['ERR_SHAPE', 'matmul: a', () => matmul(vector, b)],
    ['ERR_SHAPE', 'matmul: b', () => matmul(a, vector)],
    ['ERR_SHAPE', 'matmul: b', () => matmul(batch, others)],
    ['ERR_DTYPE', 'matmul: b', () => matmul(a, integers)],
    ['ERR_DISPOSED', 'matmul: b', () => matmul(a, gone)],
    ['ERR_INVALID_ARGUMENT', 'matmul: b', () => matmul(a, untyped(2))],
    ['ERR_SHAPE', 'bmm: b', () => bmm(batch, others)],
    ['ERR_SHAPE', 'bmm: b', () => bmm(batch, more)],
    ['ERR_SHAPE', 'bmm: a', () => bmm(untyped(a), batch)],
    ['ERR_SHAPE', 'cosineSimilarity: b', () => cosineSimilarity(a, vector)],
    ['ERR_OUT_OF_RANGE', 'cosineSimilarity: dim', () => cosineSimilarity(a, b, { dim: 2 })],
    ['ERR_DISPOSED', 'cosineSimilarity: a', () => cosineSimilarity(gone, gone)],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = zeros([3, 2], { device: other })
  expectRefusals([['ERR_DEVICE', 'matmul: b', () => matmul(a, far)]])
}
