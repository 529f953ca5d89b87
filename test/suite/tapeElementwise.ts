import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  abs,
  add,
  clamp,
  div,
  eq,
  exp,
  gelu,
  gt,
  lt,
  maximum,
  minimum,
  mul,
  pow,
  relu,
  sigmoid,
  softplus,
  sqrt,
  sub,
  where,
} from '../../src/ops/elementwise.js'
import { scope } from '../../src/scope.js'
import { type Tensor, tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import type { TapeCase } from '../reference/exactCalls.js'
import { expectOpReproducible } from './op.js'
import {
  constant,
  type Draw,
  elsewhere,
  expectRefusals,
  expectValues,
  type Float,
  testNothing,
  testPlain,
  testTape,
  untyped,
} from './tape.js'
import { binaries, COMPARISONS, drawOf, elementwiseCalls, unaries } from './tapeElementwiseCalls.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** Not near the bounds ±1. */
const betweenBounds: Draw = generator => (generator.below(16) - 7.5) / 4

/** A copy, or one correctly rounded operation. The reference gradient of a copy is a finite difference. */
const ROUNDED: Tolerance = everywhere(UNIT)
/** 4 units in the last place, and as many roundings in the gradient. */
const FUNCTION: Tolerance = everywhere(8 * UNIT)
/** The same, with a gradient that is a product of two such functions. */
const FUNCTIONS: Tolerance = everywhere(16 * UNIT)
/** A few operations, or a sum of up to 24 terms that has their scale. */
const FEW: Tolerance = everywhere(8 * UNIT)

/** Operands of a binary op: the same shape, either side broadcast, both broadcast, more dimensions, a number. */
const PAIRS: readonly TapeCase[] = [
  { inputs: { a: [3, 7], b: [3, 7] } },
  { inputs: { a: [2, 3, 4], b: [4] } },
  { inputs: { a: [5], b: [3, 1] } },
  { inputs: { a: [2, 1, 3, 1], b: [4, 1, 2] } },
  { inputs: { a: [], b: [2, 3] } },
  { inputs: { a: [17], b: [1] } },
  { inputs: { a: [], b: [] } },
  { inputs: { a: [9] }, options: { b: 1.5 } },
  { inputs: { b: [3, 3] }, options: { a: 1.25 } },
]

export function elementwiseTapeSuite(target: Target): void {
  describe(`elementwise ops of the tape on ${target.name}`, () => {
    for (const op of Object.keys(binaries).filter(name => !COMPARISONS.includes(name))) {
      const [value, gradient] = op === 'pow' ? [FUNCTION, FUNCTIONS] : [ROUNDED, FEW]
      const draw = drawOf(op)
      for (const pair of PAIRS) {
        testTape(target, elementwiseCalls, op, { ...pair, value, gradient, ...(draw && { draw }) })
      }
    }
    for (const op of COMPARISONS) for (const pair of PAIRS) testPlain(target, elementwiseCalls, op, pair)
    for (const op of Object.keys(unaries)) {
      const rounded = ['neg', 'abs', 'relu', 'sqrt'].includes(op)
      const tolerances = { value: rounded ? ROUNDED : FUNCTION, gradient: FUNCTION }
      const draw = drawOf(op)
      const given = { ...tolerances, ...(draw && { draw }) }
      testTape(target, elementwiseCalls, op, { ...given, inputs: { x: [2, 3, 2, 3] } })
      const options = { lengths: [2, 0, 3] }
      testTape(target, elementwiseCalls, `${op}Packed`, { ...given, inputs: { rows: [5, 3] }, options })
    }
    for (const options of [{ min: -1, max: 1 }, { min: -1 }, { max: 1 }, { min: 1, max: 1 }]) {
      const given = { inputs: { x: [5, 4] }, options, draw: betweenBounds }
      testTape(target, elementwiseCalls, 'clamp', { ...given, value: ROUNDED, gradient: ROUNDED })
      const rows = { inputs: { rows: [5, 3] }, options: { ...options, lengths: [2, 0, 3] } }
      const packed = { ...given, ...rows, value: ROUNDED, gradient: ROUNDED }
      testTape(target, elementwiseCalls, 'clampPacked', packed)
    }
    const mixed = (shape: readonly number[]) => ({ condition: constant(shape, n => [0, 1, -2.5, 0][n % 4]!) })
    for (const given of [
      { inputs: { a: [3, 5], b: [3, 5] }, constants: mixed([3, 5]) },
      { inputs: { a: [4], b: [2, 3, 1] }, constants: mixed([3, 4]) },
      { inputs: { a: [1], b: [] }, constants: mixed([2, 6]) },
      { inputs: { a: [7] }, options: { b: -3 }, constants: mixed([7]) },
    ]) {
      testTape(target, elementwiseCalls, 'where', { ...given, value: ROUNDED, gradient: FEW })
    }

    testNothing(target, elementwiseCalls, [
      ...Object.keys(binaries).flatMap(op =>
        [
          { inputs: { a: [0, 3], b: [0, 3] } },
          { inputs: { a: [0, 3], b: [3] } },
          { inputs: { a: [2, 1], b: [2, 0] } },
          { inputs: { a: [0] }, options: { b: 2 } },
        ].map((given): [string, TapeCase] => [op, given]),
      ),
      ...Object.keys(unaries).map((op): [string, TapeCase] => [op, { inputs: { x: [2, 0, 3] } }]),
      ...Object.keys(unaries).map((op): [string, TapeCase] => [
        `${op}Packed`,
        { inputs: { rows: [0, 3] }, options: { lengths: [0, 0] } },
      ]),
      ['clamp', { inputs: { x: [0] }, options: { min: 0 } }],
      ['where', { inputs: { a: [0, 2], b: [2] }, constants: { condition: constant([1], () => 1) } }],
    ])

    special(target)
    choices(target)
    for (const name of ['exp', 'log', 'sqrt', 'softplus']) accuracy(target, name)

    test('gelu is within 4 units in the last place of x', async () => {
      const x = Float32Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 1000)
      const y = await scope(() => gelu(tensor(x, [x.length], { device: target.open() })).toArray())
      const expected = exact.gelu(exact.nd([x.length], x)).data
      // For x far below 0 the result is a difference, and 1 + erf has too few digits for it.
      const wrong = x.filter((value, i) => !(Math.abs(y[i]! - expected[i]!) <= 8 * UNIT * Math.abs(value)))
      expect([...wrong]).toEqual([])
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'all of them',
        run: input => {
          const [x, y, z] = [input('x', [3, 20_011]), input('y', [20_011]), input('z', [3, 1])]
          const mixed = add(mul(exp(x), sub(y, z)), div(gelu(x), add(softplus(mul(y, z)), 1)))
          return [
            mixed,
            maximum(mixed, where(gt(x, y), z, sigmoid(sqrt(abs(y))))),
            clamp(pow(exp(z), x), { max: 2 }),
          ]
        },
      }))

    test('the type has the rank if it is known', () => {
      const device = target.open()
      const x: Tensor<'float32', 2> = zeros([2, 3], { device })
      expectTypeOf(exp(x)).toEqualTypeOf<Tensor<'float32', 2>>()
      expectTypeOf(add(x, x)).toExtend<Float>()
    })

    test('invalid arguments are rejected', () => refused(target))
  })
}

/** The values of the functions at ±∞ and at 0, also in the middle of a vector. */
function special(target: Target): void {
  const points = [
    NaN,
    Infinity,
    -Infinity,
    0,
    -0,
    1,
    -1,
    3e38,
    -3e38,
    1e-30,
    NaN,
    2,
    Infinity,
    0,
    -2,
    -Infinity,
    7,
  ]
  const at = (values: readonly number[]) => tensor(values, [values.length], { device: target.open() })

  for (const [op, [ours, reference]] of Object.entries(unaries)) {
    test(`${op} at special points`, async () => {
      // For gelu, −∞ · 0 may be NaN or the limit. Its own test checks the digits of small results.
      const finite = points.map(x => (op === 'gelu' && x < 0 && x !== -3e38 ? 1 : x))
      const found = await scope(() => ours(at(finite)).toArray())
      const expected = [...reference(exact.nd([finite.length], finite)).data].map((y, i) => {
        // sigmoid and exp may return numbers below the smallest normal number at their lower end.
        const tiny = Math.abs(y) < 2 ** -125 && Math.abs(found[i]!) < 2 ** -125
        return tiny ? found[i]! : y
      })
      expectValues(found, expected, 8)
    })
  }
  for (const [op, [ours, reference]] of Object.entries(binaries)) {
    test(`${op} at special points`, async () => {
      const pairs = [NaN, Infinity, -Infinity, 0, 1, -1, 2].flatMap((a, _, all) =>
        all.map(b => [a, b] as const),
      )
      const [a, b] = [pairs.map(pair => pair[0]), pairs.map(pair => pair[1])]
      const found = await scope(() => ours(at(a), at(b)).toArray())
      expectValues(found, [...reference(exact.nd([a.length], a), exact.nd([b.length], b)).data], 8)
    })
  }
  test('clamp keeps NaN, and where selects by the condition', () =>
    scope(async () => {
      expectValues(await clamp(at([NaN, Infinity, -Infinity, 3]), { min: -1, max: 2 }).toArray(), [
        NaN,
        2,
        -1,
        2,
      ])
      const condition = at([1, 0, NaN, -0, -3])
      const chosen = where(condition, at([1, NaN, 3, NaN, 5]), at([NaN, 20, NaN, 40, NaN]))
      expectValues(await chosen.toArray(), [1, 20, 3, 40, 5])
    }))
}

/** The gradients at a corner of a function, or for two equal operands. */
function choices(target: Target): void {
  const gradients = (values: readonly (readonly number[])[], f: (...x: Float[]) => Float) =>
    scope(async () => {
      const device = target.open()
      const x = values.map(numbers => tensor(numbers, [numbers.length], { device, requiresGrad: true }))
      const y = f(...x)
      y.backward(tensor(new Float32Array(y.size).fill(1), y.shape, { device }))
      const found = await Promise.all(x.map(({ grad }) => grad!.toArray()))
      for (const { grad } of x) grad?.dispose()
      return found.map(grad => [...grad].map(value => value + 0))
    })

  test('gradients at corners: abs and relu at 0, clamp at a bound, maximum and minimum of equal numbers', async () => {
    expect(await gradients([[0, 2, -3]], x => abs(x!))).toEqual([[0, 1, -1]])
    expect(await gradients([[0, 2, -3]], x => relu(x!))).toEqual([[0, 1, 0]])
    expect(await gradients([[-1, 1, 2, -2, 0]], x => clamp(x!, { min: -1, max: 1 }))).toEqual([
      [1, 1, 0, 0, 1],
    ])
    for (const f of [maximum, minimum]) {
      const first = f === maximum ? 1 : 0
      expect(
        await gradients(
          [
            [1, 5],
            [1, 4],
          ],
          (a, b) => f(a!, b!),
        ),
      ).toEqual([
        [0.5, first],
        [0.5, 1 - first],
      ])
    }
    expect(await gradients([[1, 1, 3]], a => maximum(a!, 1))).toEqual([[0.5, 0.5, 1]])
  })

  test('pow with a base or an exponent of 0', async () => {
    const [dA, dB] = await gradients(
      [
        [0, 0, 0, -2, 3],
        [0, 1, 2, 2, 0],
      ],
      (a, b) => pow(a!, b!),
    )
    expectValues(dA!, [0, 1, 0, -4, 0])
    // 0 for a base of 0, as in PyTorch; NaN for a negative base, which has no logarithm.
    expectValues(dB!, [0, 0, 0, NaN, Math.log(3)], 8)
  })

  test('where has no gradient for values that it did not select, also for a NaN', async () => {
    const found = await gradients(
      [
        [NaN, 2],
        [3, NaN],
      ],
      (a, b) => where(tensor([0, 1], [2], { device: a!.device }), a!, b!),
    )
    expect(found).toEqual([
      [0, 1],
      [1, 0],
    ])
  })

  test('comparisons have no gradient', () => {
    const x = tensor([1], [1], { device: target.open(), requiresGrad: true })
    for (const f of [eq, gt, lt]) expect(() => f(x, 0).backward()).toThrow('requires a gradient')
  })
}

/** Inputs over all magnitudes: each exponent, and densely where the function bends. */
function accuracy(target: Target, name: string): void {
  test(`${name} is within 4 units in the last place everywhere`, async () => {
    const [ours, reference] = unaries[name]!
    const magnitudes: number[] = [1.2e-38, 1e4, 3.4e38]
    for (let exponent = -126; exponent < 128; exponent++) {
      for (let part = 0; part < 32; part++) magnitudes.push((1 + part / 32) * 2 ** exponent)
    }
    for (let i = 0; i < 100_000; i++) magnitudes.push(i / 1000)
    const signs = ['log', 'sqrt'].includes(name) ? [1] : [1, -1]
    const x = Float32Array.from(magnitudes.flatMap(size => signs.map(sign => sign * size)))
    const y = await scope(() => ours(tensor(x, [x.length], { device: target.open() })).toArray())
    const expected = reference(exact.nd([x.length], x)).data
    let [worst, where] = [0, 0]
    y.forEach((value, i) => {
      const wanted = expected[i]!
      // Results below the smallest normal number only have to be that small; those above the largest are infinite.
      if (Math.abs(wanted) < 2 ** -126 && Math.abs(value) < 2 ** -125) return
      if (Math.fround(wanted) === value) return
      const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(wanted))), -126) - 23)
      const error = Math.abs(value - wanted) / unit
      if (!(error <= worst)) [worst, where] = [error, x[i]!]
    })
    expect(worst, `at ${where}`).toBeLessThanOrEqual(4)
  })
}

function refused(target: Target): void {
  const device = target.open()
  const [x, y, short] = [zeros([2, 3], { device }), zeros([2, 2], { device }), zeros([2], { device })]
  const integers = untyped<Float>(tensor(Int32Array.of(1, 2, 3), [3], { device }))
  const gone = zeros([2, 3], { device })
  gone.dispose()
  const other = elsewhere(target)
  const far = other && zeros([2, 3], { device: other })
  for (const [op, [f]] of Object.entries(binaries)) {
    expectRefusals([
      ['ERR_SHAPE', `${op}: b`, () => f(x, y)],
      ['ERR_SHAPE', `${op}: b`, () => f(x, short)],
      ['ERR_DTYPE', `${op}: b`, () => f(x, integers)],
      ['ERR_DTYPE', `${op}: a`, () => f(integers, x)],
      ['ERR_DISPOSED', `${op}: a`, () => f(gone, x)],
      ['ERR_DISPOSED', `${op}: b`, () => f(x, gone)],
      ['ERR_INVALID_ARGUMENT', `${op}: b`, () => f(x, untyped('3'))],
      ['ERR_INVALID_ARGUMENT', `${op}: `, () => f(1, 2)],
    ])
    if (far) expectRefusals([['ERR_DEVICE', `${op}: b`, () => f(x, far)]])
  }
  for (const [op, [f]] of Object.entries(unaries)) {
    expectRefusals([
      ['ERR_DTYPE', `${op}: x`, () => f(integers)],
      ['ERR_DISPOSED', `${op}: x`, () => f(gone)],
      ['ERR_INVALID_ARGUMENT', `${op}: x`, () => f(untyped<Float>(3))],
    ])
  }
  expectRefusals([
    ['ERR_DISPOSED', 'clamp: x', () => clamp(gone, { min: 0 })],
    ['ERR_OUT_OF_RANGE', 'clamp: ', () => clamp(x, { min: 2, max: 1 })],
    ['ERR_OUT_OF_RANGE', 'clamp: min', () => clamp(x, { min: NaN })],
    ['ERR_SHAPE', 'where: ', () => where(x, y, 1)],
    ['ERR_DTYPE', 'where: condition', () => where(integers, x, 1)],
    ['ERR_DISPOSED', 'where: b', () => where(x, 1, gone)],
  ])
}
