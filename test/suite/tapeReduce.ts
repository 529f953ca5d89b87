import { describe, expect, test } from 'vitest'
import { cummax } from '../../src/ops/cumulative.js'
import {
  amax,
  amin,
  argmax,
  cumsum,
  logSoftmax,
  logsumexp,
  mean,
  norm,
  softmax,
  sum,
  topk,
} from '../../src/ops/reduce.js'
import { scope } from '../../src/scope.js'
import { tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import { reducedOptions, type TapeCase, type TapeOptions } from '../reference/exactCalls.js'
import { expectClose } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  apart,
  awayFromZero,
  type Calls,
  expectRefusals,
  expectValues,
  type Float,
  packed,
  testNothing,
  testPlain,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

function topkOptions({ dim, largest }: TapeOptions) {
  return { ...(dim !== undefined && { dim }), ...(largest !== undefined && { largest }) }
}

export const reduceCalls: Calls = {
  sum: ({ x }, o) => sum(x!, reducedOptions(o)),
  mean: ({ x }, o) => mean(x!, reducedOptions(o)),
  amax: ({ x }, o) => amax(x!, reducedOptions(o)),
  amin: ({ x }, o) => amin(x!, reducedOptions(o)),
  argmax: ({ x }, o) => argmax(x!, o),
  logsumexp: ({ x }, o) => logsumexp(x!, { dim: -1, ...o }),
  norm: ({ x }, o) => norm(x!, { ...reducedOptions(o), ...(o.p && { p: o.p }) }),
  cumsum: ({ x }, o) => cumsum(x!, o.dim!),
  cummax: ({ x }, o) => cummax(x!, o.dim!).values,
  cummaxIndices: ({ x }, o) => cummax(x!, o.dim!).indices,
  topk: ({ x }, o) => topk(x!, o.k!, topkOptions(o)).values,
  topkIndices: ({ x }, o) => topk(x!, o.k!, topkOptions(o)).indices,
  softmax: ({ x }, o) => softmax(x!, o),
  logSoftmax: ({ x }, o) => logSoftmax(x!, o),
  softmaxPacked: ({ rows }, o) => softmax(packed(rows, o.lengths)),
  logSoftmaxPacked: ({ rows }, o) => logSoftmax(packed(rows, o.lengths)),
}

/** A copy. */
const EXACT: Tolerance = everywhere(0)
/** A finite difference of numbers up to 512; a wrong index would be an error of 1. */
const COPIED: Tolerance = everywhere(1e-7)
/** A sum of up to 24 terms that has their scale, and a quotient or root of it. */
const FEW: Tolerance = everywhere(8 * UNIT)
/** Exponentials and logarithms to 4 units in the last place, and the sums and differences of a few of them. */
const FUNCTION: Tolerance = everywhere(16 * UNIT)

/** The noise of finite differences is 1.8e-6 of a value, and values are up to 20 times the largest gradient. */
const DIFFERENCES = 4e-5

/** All, one dimension from either end, several, the dimension kept, dimensions of 1, a single number. */
const REDUCTIONS: readonly TapeCase[] = [
  { inputs: { x: [2, 3, 4] } },
  { inputs: { x: [2, 3, 4] }, options: { dim: 0 } },
  { inputs: { x: [2, 3, 4] }, options: { dim: 1, keepdim: true } },
  { inputs: { x: [2, 3, 4] }, options: { dim: -1 } },
  { inputs: { x: [2, 3, 4] }, options: { dims: [0, -1] } },
  { inputs: { x: [2, 3, 2, 2] }, options: { dims: [1, 2], keepdim: true } },
  { inputs: { x: [1, 19] }, options: { dim: 1 } },
  { inputs: { x: [19, 1] }, options: { dim: -1, keepdim: true } },
  { inputs: { x: [2, 3] }, options: { keepdim: true } },
  { inputs: { x: [] } },
]
const LINES: readonly TapeCase[] = REDUCTIONS.filter(({ options }) => options?.dim !== undefined)

export function reduceTapeSuite(target: Target): void {
  describe(`reductions of the tape on ${target.name}`, () => {
    for (const given of REDUCTIONS) {
      testTape(target, reduceCalls, 'sum', { ...given, value: FEW, gradient: FEW })
      testTape(target, reduceCalls, 'mean', { ...given, value: FEW, gradient: FEW })
      for (const op of ['amax', 'amin']) {
        testTape(target, reduceCalls, op, { ...given, value: EXACT, gradient: COPIED, draw: apart })
      }
      for (const p of [undefined, 1] as const) {
        const options = { ...given.options, ...(p && { p }) }
        const tolerances = { value: FEW, gradient: FEW, differences: DIFFERENCES, draw: awayFromZero }
        testTape(target, reduceCalls, 'norm', { ...given, options, ...tolerances })
      }
      const largest = { ...given, options: { ...given.options, p: Infinity } }
      testTape(target, reduceCalls, 'norm', { ...largest, value: EXACT, gradient: COPIED, draw: apart })
      if (!given.options?.dims) testPlain(target, reduceCalls, 'argmax', given)
    }
    for (const given of LINES) {
      const tolerances = { value: FUNCTION, gradient: FUNCTION, differences: DIFFERENCES }
      testTape(target, reduceCalls, 'logsumexp', { ...given, ...tolerances })
    }
    for (const [shape, dim] of [
      [[2, 3, 4], 0],
      [[2, 3, 4], -2],
      [[2, 19], 1],
      [[3, 1], 1],
    ] as const) {
      const given = { inputs: { x: shape }, options: { dim } }
      testTape(target, reduceCalls, 'cumsum', { ...given, value: FEW, gradient: FEW })
      for (const op of ['softmax', 'logSoftmax']) {
        // One number affects its whole row, up to 19 values near 3: noise of 1.8e-6 · 3 · √19 = 2.4e-5.
        const tolerances = { value: FUNCTION, gradient: FUNCTION, differences: DIFFERENCES }
        testTape(target, reduceCalls, op, { ...given, ...tolerances })
      }
      testTape(target, reduceCalls, 'cummax', { ...given, value: EXACT, gradient: COPIED, draw: apart })
      testPlain(target, reduceCalls, 'cummaxIndices', given)
      for (const largest of [true, false]) {
        const some = { inputs: { x: shape }, options: { dim, k: Math.min(2, shape.at(dim) ?? 1), largest } }
        testTape(target, reduceCalls, 'topk', { ...some, value: EXACT, gradient: COPIED, draw: apart })
        testPlain(target, reduceCalls, 'topkIndices', some)
      }
    }
    for (const op of ['softmax', 'logSoftmax']) {
      testTape(target, reduceCalls, op, { inputs: { x: [5, 3] }, value: FUNCTION, gradient: FUNCTION })
      const options = { lengths: [2, 0, 3] }
      const given = { inputs: { rows: [5, 4] }, options, value: FUNCTION, gradient: FUNCTION }
      testTape(target, reduceCalls, `${op}Packed`, given)
    }
    testTape(target, reduceCalls, 'topk', {
      inputs: { x: [3, 5] },
      options: { k: 5 },
      value: EXACT,
      gradient: COPIED,
      draw: apart,
    })

    const nothing = (op: string, shape: readonly number[], options: TapeOptions = {}): [string, TapeCase] => [
      op,
      { inputs: { x: shape }, options },
    ]
    testNothing(target, reduceCalls, [
      ...['sum', 'mean', 'norm'].flatMap(op => [
        nothing(op, [0, 3]),
        nothing(op, [0, 3], { dim: 0 }),
        nothing(op, [0, 3], { dim: 1, keepdim: true }),
        nothing(op, [2, 0, 3], { dims: [1, 2] }),
      ]),
      ...['amax', 'amin', 'argmax'].map(op => nothing(op, [0, 3], { dim: 1 })),
      nothing('logsumexp', [2, 0], { dim: 1 }),
      nothing('logsumexp', [0, 2], { dim: 1 }),
      ...['cumsum', 'cummax', 'softmax', 'logSoftmax'].flatMap(op => [
        nothing(op, [2, 0], { dim: 1 }),
        nothing(op, [0, 3], { dim: -1 }),
      ]),
      nothing('cummaxIndices', [0, 3], { dim: 0 }),
      nothing('topk', [0, 3], { k: 2 }),
      nothing('topkIndices', [0, 3], { k: 2 }),
    ])

    special(target)

    test('sums of many elements, along each dimension', () =>
      scope(async () => {
        const [shape, device] = [[40, 50, 60] as const, target.open()]
        const data = Float32Array.from({ length: 120_000 }, (_, i) => Math.sin(i) + 1)
        const [x, known] = [tensor(data, shape, { device }), exact.nd(shape, data)]
        for (const dim of [undefined, 0, 1, 2, [0, 1], [0, 2], [1, 2]]) {
          const options = dim === undefined ? {} : { dim }
          const name = `along ${dim ?? 'all'}`
          // Of positive numbers, in chains of at most a few thousand, most of whose roundings cancel.
          expectClose(await sum(x, options).toArray(), exact.sum(known, options).data, 32 * UNIT, name)
          expectClose(await mean(x, options).toArray(), exact.mean(known, options).data, 32 * UNIT, name)
          expectClose(await norm(x, options).toArray(), exact.norm(known, options).data, 32 * UNIT, name)
          expectClose(await amax(x, options).toArray(), exact.amax(known, options).data, 0, name)
        }
        for (const dim of [0, 1, 2]) {
          const found = logsumexp(x, { dim })
          expectClose(await found.toArray(), exact.logsumexp(known, { dim }).data, 16 * UNIT, `along ${dim}`)
        }
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'reductions',
        run: input => {
          const x = input('x', [60, 40, 50])
          const along = [0, 1, 2].flatMap(dim => [
            sum(x, { dim }),
            amax(x, { dim }),
            norm(x, { dim }),
            logsumexp(x, { dim }),
            softmax(x, { dim }),
            cumsum(x, dim),
            topk(x, 7, { dim }).values,
          ])
          return [...along, sum(x), mean(x, { dim: [0, 2] }), amin(x)]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

/** NaN, infinities and ties. */
function special(target: Target): void {
  const rows = (values: readonly (readonly number[])[]) =>
    tensor<2>(values.flat(), [values.length, values[0]!.length], {
      device: target.open(),
      requiresGrad: true,
    })

  test('equal maxima share the gradient, and NaN counts as the largest', () =>
    scope(async () => {
      const gradientOf = async (f: (x: Float) => Float, values: readonly (readonly number[])[]) => {
        const x = rows(values)
        const y = f(x)
        y.backward(tensor(new Float32Array(y.size).fill(1), y.shape, { device: x.device }))
        const found = [...(await x.grad!.toArray())].map(value => value + 0)
        x.grad!.dispose()
        return found
      }
      const ties = [
        [3, 1, 3, 3],
        [-1, -1, -1, -1],
      ]
      const third = Math.fround(1 / 3)
      const shared = [third, 0, third, third, 0.25, 0.25, 0.25, 0.25]
      expectValues(await gradientOf(x => amax(x, { dim: 1 }), ties), shared, 2)
      expectValues(await gradientOf(x => amin(x, { dim: 1 }), ties), [0, 1, 0, 0, 0.25, 0.25, 0.25, 0.25], 2)
      expectValues(await gradientOf(x => amax(x), ties), [third, 0, third, third, 0, 0, 0, 0], 2)
      const nan = [[NaN, 1, -Infinity, NaN]]
      expectValues(await amax(rows(nan), { dim: 1 }).toArray(), [NaN])
      expectValues(await amin(rows(nan), { dim: 1 }).toArray(), [NaN])
      expectValues(await amax(rows([[-Infinity, -Infinity]])).toArray(), [-Infinity])
      // The gradient of a norm at 0 is 0.
      const zero = [[0, 0, 0]]
      for (const p of [1, 2, Infinity] as const) {
        expect(await gradientOf(x => norm(x, { p, dim: 1 }), zero)).toEqual([0, 0, 0])
      }
    }))

  test('argmax and topk: the first of equal numbers, and NaN before every number', () =>
    scope(async () => {
      const x = rows([
        [1, 5, 5, 2],
        [3, NaN, 7, NaN],
        [-Infinity, -Infinity, -Infinity, -Infinity],
      ])
      const places = argmax(x, { dim: 1 })
      expect(places.dtype).toBe('int32')
      expect([...(await places.toArray())]).toEqual([1, 1, 0])
      expect([...(await argmax(x).toArray())]).toEqual([5])
      expect([...(await argmax(x, { dim: 0, keepdim: true }).toArray())]).toEqual([1, 1, 1, 1])
      const most = topk(x, 3)
      expect(most.indices.dtype).toBe('int32')
      expect([...(await most.indices.toArray())]).toEqual([1, 2, 3, 1, 3, 2, 0, 1, 2])
      expectValues(await most.values.toArray(), [5, 5, 2, NaN, NaN, 7, -Infinity, -Infinity, -Infinity])
      const least = topk(x, 2, { largest: false })
      expect([...(await least.indices.toArray())]).toEqual([0, 3, 0, 2, 0, 1])
    }))

  test('softmax and logsumexp of numbers whose exponential overflows, of −∞ and of NaN', () =>
    scope(async () => {
      const x = rows([
        [1e4, 1e4],
        [3e38, -3e38],
        [-Infinity, 0],
        [NaN, 0],
      ])
      expectValues(await softmax(x).toArray(), [0.5, 0.5, 1, 0, 0, 1, NaN, NaN], 4)
      const half = -Math.log(2)
      expectValues(await logSoftmax(x).toArray(), [half, half, 0, -Infinity, -Infinity, 0, NaN, NaN], 4)
      expectValues(await logsumexp(x, { dim: 1 }).toArray(), [1e4 - half, 3e38, 0, NaN], 4)
      const nothing = rows([[-Infinity, -Infinity]])
      expectValues(await logsumexp(nothing, { dim: 1 }).toArray(), [-Infinity])
      expectValues(await softmax(nothing).toArray(), [NaN, NaN])
    }))

  test('NaN and ∞ in sums', () =>
    scope(async () => {
      const x = rows([
        [1, NaN, 2],
        [1, Infinity, 2],
        [-Infinity, Infinity, 2],
      ])
      for (const f of [sum, mean]) expectValues(await f(x, { dim: 1 }).toArray(), [NaN, Infinity, NaN])
      expectValues(await cumsum(x, 1).toArray(), [1, NaN, NaN, 1, Infinity, Infinity, -Infinity, NaN, NaN])
      for (const p of [1, 2, Infinity] as const) {
        expectValues(await norm(x, { p, dim: 1 }).toArray(), [NaN, Infinity, Infinity])
      }
    }))
}

function refused(target: Target): void {
  const device = target.open()
  const [x, nothing, gone] = [zeros([2, 3], { device }), zeros([0, 3], { device }), zeros([2], { device })]
  gone.dispose()
  const integers = untyped<Float>(tensor(Int32Array.of(1, 2, 3), [3], { device }))
  type Reduction = (x: Float, options: { dim: number }) => unknown
  const reductions: Record<string, Reduction> = { sum, mean, amax, amin, argmax, norm, softmax, logSoftmax }
  for (const [op, f] of Object.entries(reductions)) {
    expectRefusals([
      ['ERR_OUT_OF_RANGE', `${op}: dim`, () => f(x, { dim: 2 })],
      ['ERR_OUT_OF_RANGE', `${op}: dim`, () => f(x, { dim: -3 })],
      ['ERR_OUT_OF_RANGE', `${op}: dim`, () => f(x, { dim: 0.5 })],
      ['ERR_DTYPE', `${op}: x`, () => f(integers, { dim: 0 })],
      ['ERR_DISPOSED', `${op}: x`, () => f(gone, { dim: 0 })],
      ['ERR_INVALID_ARGUMENT', `${op}: x`, () => f(untyped<Float>(3), { dim: 0 })],
    ])
  }
  const ofSome: Record<string, (x: Float, options?: { dim: number }) => unknown> = { amax, amin, argmax }
  for (const [op, f] of Object.entries(ofSome)) {
    expectRefusals([
      ['ERR_SHAPE', `${op}: x`, () => f(nothing)],
      ['ERR_SHAPE', `${op}: x`, () => f(nothing, { dim: 0 })],
    ])
  }
  expectRefusals([
    ['ERR_OUT_OF_RANGE', 'logsumexp: dim', () => logsumexp(x, { dim: 2 })],
    ['ERR_DISPOSED', 'logsumexp: x', () => logsumexp(gone, { dim: 0 })],
    ['ERR_OUT_OF_RANGE', 'cumsum: dim', () => cumsum(x, 2)],
    ['ERR_DTYPE', 'cumsum: x', () => cumsum(integers, 0)],
    ['ERR_OUT_OF_RANGE', 'cummax: dim', () => cummax(x, 2)],
    ['ERR_DTYPE', 'cummax: x', () => cummax(integers, 0)],
    ['ERR_OUT_OF_RANGE', 'topk: k', () => topk(x, 4)],
    ['ERR_OUT_OF_RANGE', 'topk: k', () => topk(x, -1)],
    ['ERR_OUT_OF_RANGE', 'topk: dim', () => topk(x, 1, { dim: 2 })],
    ['ERR_INVALID_ARGUMENT', 'norm: p', () => norm(x, { p: untyped(3) })],
  ])
}
