import { describe, expect, test } from 'vitest'
import { gather, indexSelect, maskedFill, oneHot, scatterAdd } from '../../src/ops/indexing.js'
import { argmax } from '../../src/ops/reduce.js'
import { scope } from '../../src/scope.js'
import { ranked, tensor, zeros } from '../../src/tensor.js'
import type { TapeCase } from '../reference/exactCalls.js'
import { expectOpReproducible } from './op.js'
import {
  type Calls,
  constant,
  elsewhere,
  expectRefusals,
  expectValues,
  type Float,
  testNothing,
  testPlain,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

export const indexCalls: Calls = {
  indexSelect: ({ x }, o, { index }) => indexSelect(x!, o.dim!, ranked(index!, 1)),
  gather: ({ x }, o, { index }) => gather(x!, o.dim!, index!),
  scatterAdd: ({ x, source }, o, { index }) => scatterAdd(x!, o.dim!, index!, source!),
  maskedFill: ({ x, mask }, o) => maskedFill(x!, mask!, o.value!),
  oneHot: (_, o, { labels }) => oneHot(ranked(labels!, 1), o.classes!),
}

/** Numbers are copied; the reference gradient of a copy is a finite difference. */
const EXACT: Tolerance = everywhere(0)
const COPIED: Tolerance = everywhere(1e-9)
/** A sum of up to 8 terms that has their scale. */
const FEW: Tolerance = everywhere(8 * UNIT)

/** Unsorted indices below `size`, some of them repeated. */
const places = (shape: readonly number[], size: number) =>
  constant(shape, n => (n * n + 2 * n + (n >> 2)) % size)

const SELECTIONS: readonly (readonly [string, TapeCase])[] = [
  ['indexSelect', { inputs: { x: [4, 3] }, integers: { index: places([6], 4) }, options: { dim: 0 } }],
  ['indexSelect', { inputs: { x: [2, 3, 4] }, integers: { index: places([2], 3) }, options: { dim: 1 } }],
  ['indexSelect', { inputs: { x: [2, 3, 5] }, integers: { index: places([7], 5) }, options: { dim: -1 } }],
  ['indexSelect', { inputs: { x: [3] }, integers: { index: places([1], 3) }, options: { dim: 0 } }],
  ['gather', { inputs: { x: [3, 4] }, integers: { index: places([3, 6], 4) }, options: { dim: 1 } }],
  ['gather', { inputs: { x: [3, 4] }, integers: { index: places([5, 4], 3) }, options: { dim: 0 } }],
  ['gather', { inputs: { x: [2, 3, 4] }, integers: { index: places([2, 2, 4], 3) }, options: { dim: -2 } }],
  // Smaller than x, as PyTorch allows; the rest is not read.
  ['gather', { inputs: { x: [3, 4, 5] }, integers: { index: places([2, 3, 7], 5) }, options: { dim: 2 } }],
  ['gather', { inputs: { x: [6] }, integers: { index: places([9], 6) }, options: { dim: 0 } }],
]

const SCATTERINGS: readonly TapeCase[] = [
  { inputs: { x: [4, 3], source: [5, 3] }, integers: { index: places([5, 3], 4) }, options: { dim: 0 } },
  { inputs: { x: [2, 5], source: [2, 7] }, integers: { index: places([2, 7], 5) }, options: { dim: -1 } },
  {
    inputs: { x: [2, 3, 4], source: [2, 4, 4] },
    integers: { index: places([2, 4, 4], 3) },
    options: { dim: 1 },
  },
  // Smaller than x and source, as PyTorch allows.
  { inputs: { x: [3, 4], source: [3, 6] }, integers: { index: places([2, 5], 4) }, options: { dim: 1 } },
  { inputs: { x: [5], source: [8] }, integers: { index: constant([8], () => 2) }, options: { dim: 0 } },
]

const mask = (shape: readonly number[]) => ({ mask: constant(shape, n => [0, 1, 0, -2, 0.5][n % 5]!) })

export function indexingTapeSuite(target: Target): void {
  describe(`indices of the tape on ${target.name}`, () => {
    for (const [op, given] of SELECTIONS)
      testTape(target, indexCalls, op, { ...given, value: EXACT, gradient: FEW })
    for (const given of SCATTERINGS) {
      testTape(target, indexCalls, 'scatterAdd', { ...given, value: FEW, gradient: COPIED })
    }
    for (const constants of [mask([3, 4]), mask([4]), mask([3, 1])]) {
      const given = { inputs: { x: [3, 4] }, constants, options: { value: -7.5 } }
      testTape(target, indexCalls, 'maskedFill', { ...given, value: EXACT, gradient: COPIED })
    }
    testPlain(target, indexCalls, 'oneHot', {
      inputs: {},
      integers: { labels: places([7], 4) },
      options: { classes: 5 },
    })
    testPlain(target, indexCalls, 'oneHot', {
      inputs: {},
      integers: { labels: constant([2], () => 0) },
      options: { classes: 1 },
    })

    const none = constant([0], () => 0)
    testNothing(target, indexCalls, [
      ['indexSelect', { inputs: { x: [3, 2] }, integers: { index: none }, options: { dim: 0 } }],
      ['indexSelect', { inputs: { x: [3, 0] }, integers: { index: places([2], 3) }, options: { dim: 0 } }],
      [
        'gather',
        { inputs: { x: [2, 3] }, integers: { index: constant([2, 0], () => 0) }, options: { dim: 1 } },
      ],
      [
        'gather',
        { inputs: { x: [0, 3] }, integers: { index: constant([0, 2], () => 0) }, options: { dim: 1 } },
      ],
      [
        'scatterAdd',
        {
          inputs: { x: [2, 3], source: [2, 0] },
          integers: { index: constant([2, 0], () => 0) },
          options: { dim: 1 },
        },
      ],
      ['maskedFill', { inputs: { x: [0, 3] }, constants: mask([3]), options: { value: 1 } }],
      ['oneHot', { inputs: {}, integers: { labels: none }, options: { classes: 3 } }],
    ])

    test('an index may be numbers on the host or the result of an op', () =>
      scope(async () => {
        const device = target.open()
        const x = tensor([1, 2, 3, 4, 5, 6], [3, 2], { device })
        for (const index of [[2, 0], Int32Array.of(2, 0), tensor(Int32Array.of(2, 0), [2], { device })]) {
          expect([...(await indexSelect(x, 0, index).toArray())]).toEqual([5, 6, 1, 2])
        }
        const largest = argmax(tensor([1, 9, 4, 3, 8, 7], [3, 2], { device }), { dim: 1, keepdim: true })
        expect([...(await gather(x, 1, largest).toArray())]).toEqual([2, 3, 5])
        expect([...(await oneHot(argmax(x, { dim: 1 }), 3).toArray())]).toEqual([0, 1, 0, 0, 1, 0, 0, 1, 0])
      }))

    test('a filled NaN has no gradient, and a value may be infinite', () =>
      scope(async () => {
        const device = target.open()
        const x = tensor([NaN, 2, 3], [3], { device, requiresGrad: true })
        const y = maskedFill(x, tensor([1, 0, NaN], [3], { device }), -Infinity)
        expectValues(await y.toArray(), [-Infinity, 2, -Infinity])
        y.backward(tensor([NaN, 5, 6], [3], { device }))
        expect([...(await x.grad!.toArray())]).toEqual([0, 5, 0])
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'indices',
        run: input => {
          const x = input('x', [300, 70])
          const { device } = x
          const rows = Array.from({ length: 2000 }, (_, n) => (n * n) % 300)
          const index = tensor(
            Int32Array.from({ length: 140_000 }, (_, n) => (n * 7) % 300),
            [2000, 70],
            { device },
          )
          const source = input('source', [2000, 70])
          return [indexSelect(x, 0, rows), gather(x, 0, index), scatterAdd(x, 0, index, source)]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const [x, gone] = [zeros([2, 3], { device }), zeros([2, 3], { device })]
  gone.dispose()
  const ints = (values: readonly number[], shape: readonly number[]) =>
    tensor<number>(Int32Array.from(values), shape, { device })
  const [index, high, low] = [ints([0, 1], [2, 1]), ints([0, 3], [2, 1]), ints([0, -1], [2, 1])]
  const [long, flat] = [ints([0, 0, 0], [3, 1]), ints([0, 1], [2])]
  const [mask, source] = [zeros([2, 2], { device }), zeros([2, 1], { device })]
  expectRefusals([
    ['ERR_OUT_OF_RANGE', 'indexSelect: index[1]', () => indexSelect(x, 0, [0, 2])],
    ['ERR_OUT_OF_RANGE', 'indexSelect: index[0]', () => indexSelect(x, 1, Int32Array.of(-1))],
    ['ERR_OUT_OF_RANGE', 'indexSelect: index[0]', () => indexSelect(x, 1, [0.5])],
    ['ERR_OUT_OF_RANGE', 'indexSelect: dim', () => indexSelect(x, 2, [0])],
    ['ERR_SHAPE', 'indexSelect: index', () => indexSelect(x, 0, untyped(index))],
    ['ERR_DISPOSED', 'indexSelect: x', () => indexSelect(gone, 0, [0])],
    ['ERR_OUT_OF_RANGE', 'gather: index[1]', () => gather(x, 1, high)],
    ['ERR_OUT_OF_RANGE', 'gather: index[1]', () => gather(x, 1, low)],
    ['ERR_OUT_OF_RANGE', 'gather: dim', () => gather(x, 2, index)],
    ['ERR_SHAPE', 'gather: index', () => gather(x, 1, long)],
    ['ERR_SHAPE', 'gather: index', () => gather(x, 1, flat)],
    ['ERR_DTYPE', 'gather: index', () => gather(x, 1, untyped(source))],
    ['ERR_DISPOSED', 'gather: x', () => gather(gone, 1, index)],
    ['ERR_OUT_OF_RANGE', 'scatterAdd: index[1]', () => scatterAdd(x, 1, high, source)],
    ['ERR_OUT_OF_RANGE', 'scatterAdd: dim', () => scatterAdd(x, -3, index, source)],
    ['ERR_SHAPE', 'scatterAdd: ', () => scatterAdd(x, 1, long, source)],
    ['ERR_DTYPE', 'scatterAdd: source', () => scatterAdd(x, 1, index, untyped<Float>(index))],
    ['ERR_DISPOSED', 'scatterAdd: source', () => scatterAdd(x, 1, index, gone)],
    ['ERR_SHAPE', 'maskedFill: mask', () => maskedFill(x, mask, 0)],
    ['ERR_DTYPE', 'maskedFill: mask', () => maskedFill(x, untyped<Float>(index), 0)],
    ['ERR_DISPOSED', 'maskedFill: x', () => maskedFill(gone, x, 0)],
    ['ERR_OUT_OF_RANGE', 'oneHot: labels[0]', () => oneHot([3], 3)],
    ['ERR_OUT_OF_RANGE', 'oneHot: classes', () => oneHot([], -1)],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = zeros([2, 1], { device: other })
  const farIndex = tensor(Int32Array.of(0, 1), [2, 1], { device: other })
  expectRefusals([
    ['ERR_DEVICE', 'gather: index', () => gather(x, 1, farIndex)],
    ['ERR_DEVICE', 'scatterAdd: source', () => scatterAdd(x, 1, index, far)],
    ['ERR_DEVICE', 'maskedFill: mask', () => maskedFill(x, far, 0)],
  ])
}
