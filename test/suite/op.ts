import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import type { Device } from '../../src/device.js'
import { add, multiply } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose, expectReproducible, type Numbers } from './compare.js'
import type { Target, Tolerance } from './target.js'

/**
 * The tests that every op must pass, on the tape. Its values and gradients agree with the float64 reference and with finite
 * differences. Its bits are the same in each run and with any number of threads.
 */

type Float<R extends number = number> = Tensor<'float32', R>

/** Returns an argument of an op: a tensor of drawn values that requires a gradient. */
export type Input = <R extends number>(name: string, shape: Shape<R>) => Float<R>

export interface Op {
  name: string
  run(input: Input): Float | readonly Float[]
  /** The tolerance of the gradients against finite differences. */
  differences?: number
  /**
   * Draws one value of the named input, or of an output's weights for the name ''; default uniform from -1 to 1. The value
   * is rounded to a multiple of 2⁻¹², so that a step from it is exact.
   */
  draw?(generator: Generator, name: string): number
}

export interface ReferencedOp extends Op {
  /** The same op in float64, with the inputs by name. */
  reference(value: (name: string) => Float64Array): Float64Array | readonly Float64Array[]
  value: Tolerance
  gradient: Tolerance
}

/**
 * Finite differences of four points, f(x ± h) and f(x ± 2h) with h = 2⁻⁵, have an error of h⁴ f⁽⁵⁾ / 30, below 1e-6 for
 * these functions (tanh: f⁽⁵⁾ ≤ 16). The float32 noise of values near 1 is 2⁻²⁴ · 11.4 / 12h = 1.8e-6 for each output that
 * an input affects, so the error of a gradient near 1 is below 1e-5.
 *
 * They run only in float32: an operand that is rounded to 11 bits changes in steps of up to 2⁻¹¹, which is 2⁻⁶ of a
 * difference over 2⁻⁵. Kernels without products are the same at every precision.
 *
 * If there are more than `DIFFERENCED` elements in all inputs, that many are drawn; the reference checks all of them.
 */
const STEP = 2 ** -5
const DIFFERENCES = 1e-5
const DIFFERENCED = 128

type Values = Map<string, Float32Array>

export function testOp(target: Target, op: ReferencedOp): void {
  describe(op.name, () => {
    test('values and gradients agree with the float64 reference', async () => {
      const values: Values = new Map()
      const { outputs, gradients, weights } = await withGradients(op, target.open(), values)
      const exact = new Map([...values].map(([name, value]) => [name, Float64Array.from(value)]))
      const reference = (changed?: { name: string; x: Float64Array }) =>
        [op.reference(name => (changed?.name === name ? changed.x : exact.get(name)!))].flat()
      reference().forEach((expected, i) => {
        expectClose(outputs[`output ${i}`]!, expected, op.value[target.precision], `output ${i}`)
      })
      for (const [name, x] of exact) {
        const loss = (moved: Float64Array) => inner(reference({ name, x: moved }), weights)
        const expected = finiteDifference(loss, x)
        expectClose(gradients[`d ${name}`]!, expected, op.gradient[target.precision], `d ${name}`)
      }
    })

    testDifferences(target, op)
    test('two runs, and 1, 2 and 3 threads, have the same bits', () => expectOpReproducible(target, op))
  })
}

/** The part of `testOp` that does not use a reference. */
export function testDifferences(target: Target, op: Op): void {
  const tolerance = op.differences ?? DIFFERENCES
  test('gradients agree with finite differences of the op', async ({ skip }) => {
    if (target.precision !== 'float32') skip(`differences need float32, not ${target.precision}`)
    const device = target.open()
    const values: Values = new Map()
    const { gradients, weights } = await withGradients(op, device, values)
    const loss = async (name: string, x: Float32Array) =>
      inner(await valuesOf(op, device, new Map([...values, [name, x]])), weights)
    const share = Math.max(6, Math.floor(DIFFERENCED / values.size))
    for (const [name, x] of values) {
      const places = someOf(x.length, share)
      const differences = new Float64Array(places.length)
      for (const [k, i] of places.entries()) {
        const at = [-2, -1, 1, 2].map(n => loss(name, x.with(i, x[i]! + n * STEP)))
        const [farBelow = NaN, below = NaN, above = NaN, farAbove = NaN] = await Promise.all(at)
        differences[k] = (8 * (above - below) - (farAbove - farBelow)) / (12 * STEP)
      }
      const gradient = gradients[`d ${name}`]!
      expectClose(
        places.map(i => gradient[i]!),
        differences,
        tolerance,
        `d ${name} at ${places}`,
        gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      )
    }
  })
}

/** Returns all indices below `size`, or `count` drawn ones, in order. */
function someOf(size: number, count: number): number[] {
  const places = Array.from({ length: size }, (_, i) => i)
  if (size <= count) return places
  return new Generator(size)
    .shuffle(places)
    .slice(0, count)
    .sort((a, b) => a - b)
}

/** Checks that values and gradients have the same bits. Choose a size with work for all threads. */
export function expectOpReproducible(target: Target, op: Op): Promise<void> {
  return expectReproducible(target, async device => {
    const { outputs, gradients } = await withGradients(op, device, new Map())
    return { ...outputs, ...gradients }
  })
}

type Draw = (length: number, name: string) => Float32Array

/** A function that draws `length` values, the same for the same op. */
function drawing(op: Op): Draw {
  const generator = new Generator(1)
  const draw = op.draw ?? (g => g.uniform(-1, 1))
  return (length, name) =>
    Float32Array.from({ length }, () => Math.round(draw(generator, name) * 4096) / 4096)
}

/** Runs the op on `values`. Inputs that are missing there are drawn and added. */
function apply(op: Op, device: Device, values: Values, draw: Draw) {
  const inputs = new Map<string, Float>()
  const result = op.run(<R extends number>(name: string, shape: Shape<R>) => {
    const value = values.get(name) ?? draw(sizeOf(shape), name)
    values.set(name, value)
    const made = tensor<R>(value, shape, { device, requiresGrad: true })
    inputs.set(name, made)
    return made
  })
  return { inputs, outputs: [result].flat() }
}

function valuesOf(op: Op, device: Device, values: Values): Promise<Float32Array[]> {
  return scope(() =>
    noGrad(() => Promise.all(apply(op, device, values, drawing(op)).outputs.map(y => y.toArray()))),
  )
}

/** Returns the values, and the gradients of Σ weights · values. */
function withGradients(
  op: Op,
  device: Device,
  values: Values,
): Promise<{ outputs: Numbers; gradients: Numbers; weights: Float32Array[] }> {
  return scope(async () => {
    const draw = drawing(op)
    const { inputs, outputs } = apply(op, device, values, draw)
    const weights = outputs.map(y => draw(y.size, ''))
    weightedSum(outputs, weights).backward()
    const found: { outputs: Numbers; gradients: Numbers } = { outputs: {}, gradients: {} }
    for (const [i, y] of outputs.entries()) found.outputs[`output ${i}`] = await y.toArray()
    for (const [name, { grad }] of inputs) {
      if (grad === null) return expect.unreachable(`${name} has no gradient`)
      found.gradients[`d ${name}`] = await grad.toArray()
      grad.dispose()
    }
    return { ...found, weights }
  })
}

/** Σ weights · outputs, on the tape. */
export function weightedSum(outputs: readonly Float[], weights: readonly Float32Array[]): Float<0> {
  const parts = outputs.map((y, i) => sum(multiply(y, tensor(weights[i]!, y.shape, { device: y.device }))))
  return parts.reduce(add)
}

function inner(values: readonly ArrayLike<number>[], weights: readonly Float32Array[]): number {
  return values.reduce((total, value, i) => total + dot(value, weights[i]!), 0)
}

function dot(a: ArrayLike<number>, b: Float32Array): number {
  return b.reduce((total, value, i) => total + value * a[i]!, 0)
}
