import { describe, expect, test } from 'vitest'
import { add, multiply, relu, scale, sigmoid, tanh } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { scope } from '../../src/scope.js'
import { full, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { expectClose } from './compare.js'
import { expectOpReproducible, testOp } from './op.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** One operation, correctly rounded. */
const ROUNDED: Tolerance = everywhere(UNIT)
/** 4 units in the last place of a result below 1, and as many roundings in the gradient. */
const FUNCTION: Tolerance = everywhere(8 * UNIT)
/** A sum of a few terms that has their scale. */
const FEW: Tolerance = everywhere(8 * UNIT)

const activations = [
  { name: 'tanh', apply: tanh, exact: Math.tanh },
  { name: 'sigmoid', apply: sigmoid, exact: (x: number) => 1 / (1 + Math.exp(-x)) },
]

export function elementwiseSuite(target: Target): void {
  describe(`elementwise on ${target.name}`, () => {
    for (const { name, apply, exact } of activations) {
      testOp(target, {
        name,
        run: input => apply(input('x', [3, 7])),
        reference: value => value('x').map(exact),
        value: FUNCTION,
        gradient: FUNCTION,
      })
    }
    testOp(target, {
      name: 'relu',
      run: input => relu(input('x', [19])),
      // Not near the corner, where finite differences are wrong.
      draw: generator => (generator.below(2) === 0 ? -1 : 1) * generator.uniform(0.25, 1),
      reference: value => value('x').map(x => Math.max(x, 0)),
      value: ROUNDED,
      gradient: ROUNDED,
    })
    testOp(target, {
      name: 'add',
      run: input => add(input('a', [2, 3, 3]), input('b', [2, 3, 3])),
      reference: value => value('a').map((a, i) => a + value('b')[i]!),
      value: ROUNDED,
      gradient: ROUNDED,
    })
    testOp(target, {
      name: 'multiply',
      run: input => multiply(input('a', [17]), input('b', [17])),
      reference: value => value('a').map((a, i) => a * value('b')[i]!),
      value: ROUNDED,
      gradient: ROUNDED,
    })
    testOp(target, {
      name: 'a tensor used three times',
      run: input => {
        const x = input('x', [5])
        return add(multiply(x, x), x)
      },
      reference: value => value('x').map(x => x * x + x),
      value: FEW,
      gradient: FEW,
    })
    testOp(target, {
      name: 'scale',
      run: input => scale(input('x', [2, 9]), -1.75),
      reference: value => value('x').map(x => -1.75 * x),
      value: ROUNDED,
      gradient: ROUNDED,
    })
    testOp(target, {
      name: 'sum',
      run: input => sum(input('x', [3, 7])),
      reference: value => Float64Array.of(value('x').reduce((total, x) => total + x)),
      value: FEW,
      gradient: ROUNDED,
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'all of them',
        run: input => {
          const x = input('x', [3, 20_011])
          const mixed = relu(add(tanh(x), scale(sigmoid(multiply(x, input('y', [3, 20_011]))), 2)))
          return [mixed, sum(mixed)]
        },
      }))

    test('a sum of many elements', async () => {
      const x = Float32Array.from({ length: 100_003 }, (_, i) => Math.sin(i) + 1)
      const total = await scope(() => sum(tensor(x, [x.length], { device: target.open() })).item())
      // Chains of 16384 / 16 additions, most of whose roundings cancel.
      expectClose([total], [x.reduce((a, b) => a + b, 0)], 32 * UNIT)
    })

    test('zeros, full, and empty tensors', async () => {
      const device = target.open()
      expect([...(await zeros([2, 2], { device }).toArray())]).toEqual([0, 0, 0, 0])
      expect([...(await full([3], -2.5, { device }).toArray())]).toEqual([-2.5, -2.5, -2.5])
      expect(await full([], 7, { device }).item()).toBe(7)
      expect(await tanh(zeros([0, 3], { device })).toArray()).toEqual(new Float32Array(0))
      expect(await sum(zeros([0], { device })).item()).toBe(0)
    })

    for (const { name, apply, exact } of activations) accuracy(target, name, apply, exact)
  })
}

/** Inputs of tanh and sigmoid over all magnitudes: each exponent, and densely where the functions bend. */
function accuracy(
  target: Target,
  name: string,
  apply: (x: Tensor<'float32', 1>) => Tensor<'float32', 1>,
  exact: (x: number) => number,
): void {
  const at = async (x: Float32Array) =>
    scope(() => apply(tensor(x, [x.length], { device: target.open() })).toArray())

  test(`${name} is within 4 units in the last place everywhere`, async () => {
    const magnitudes: number[] = [0, 1e-45, 1.1e-38, 1e4, 3.4e38, Infinity]
    for (let exponent = -149; exponent < 128; exponent++) {
      for (let part = 0; part < 32; part++) magnitudes.push((1 + part / 32) * 2 ** exponent)
    }
    for (let i = 0; i < 100_000; i++) magnitudes.push(i / 1000)
    const x = Float32Array.from(magnitudes.flatMap(size => [size, -size]))
    const y = await at(x)
    let [worst, where] = [0, 0]
    y.forEach((value, i) => {
      const wanted = exact(x[i]!)
      const error = Math.abs(value - wanted) / unitInLastPlace(wanted)
      // Results below the smallest normal number (sigmoid's below -87) only have to be that small.
      const wrong = Math.abs(wanted) < 2 ** -126 ? Math.abs(value) >= 2 ** -125 : !(error <= worst)
      if (wrong) [worst, where] = [Math.abs(wanted) < 2 ** -126 ? Infinity : error, x[i]!]
    })
    expect(worst, `at ${where}`).toBeLessThanOrEqual(4)
    expect(y.every(value => Math.abs(value) <= 1)).toBe(true)
  })

  test(`${name} keeps NaN and has the right limits`, async () => {
    const [nan, low, high, farLow, farHigh] = await at(Float32Array.of(NaN, -Infinity, Infinity, -1e4, 1e4))
    expect(nan).toBeNaN()
    expect([high, farHigh]).toEqual([1, 1])
    const least = exact(-Infinity)
    for (const value of [low, farLow]) expect(Math.abs(value! - least)).toBeLessThan(2 ** -125)
  })

  test(`${name} of an element does not depend on its position`, async () => {
    const x = Float32Array.from({ length: 37 }, (_, i) => i / 5 - 3)
    const together = await at(x)
    for (const [i, value] of x.entries()) expect((await at(Float32Array.of(value)))[0]).toBe(together[i])
  })
}

/** The distance between the float32 numbers around x. */
function unitInLastPlace(x: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23)
}
