import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import type { ErrorCode } from '../../src/errors.js'
import { packedRows } from '../../src/ops/rows.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, memory, ranked, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { thrownBy } from '../device/own.js'
import { sizeOf } from '../reference/exact.js'
import {
  type Exact,
  exactCall,
  exactResults,
  type Named,
  type TapeCase,
  type TapeOptions,
  type Values,
} from '../reference/exactCalls.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose } from './compare.js'
import { type Op, type ReferencedOp, testOp, weightedSum } from './op.js'
import { type Target, type Tolerance, UNIT } from './target.js'

/**
 * The tape's ops as data. Each family has a table of calls, which names an op and how to run it, here and in float64. The
 * suites, the random cases and PyTorch's fixtures are cases of these calls.
 */

export type Float = Tensor<'float32'>
export type Result = Float | Tensor<'int32'> | PackedSequence
/** An op of ours, with arguments by name as its reference in exactCalls.ts takes them. */
export type Call = (
  x: Named<Float>,
  options: TapeOptions,
  integers: Named<Tensor<'int32'>>,
) => Result | readonly Result[]

export type Calls = Named<Call>

/** Calls whose results are integers, or numbers without a gradient; they must be equal to the last bit. */
export const PLAIN: ReadonlySet<string> = new Set([
  'eq',
  'gt',
  'lt',
  'argmax',
  'cummaxIndices',
  'topkIndices',
  'oneHot',
])

export type Draw = (generator: Generator) => number

/** A case with its tolerances and draws. */
export interface ToleratedCase extends TapeCase {
  value: Tolerance
  gradient: Tolerance
  differences?: number
  /** How the inputs are drawn, by name if they differ. */
  draw?: Draw | Named<Draw>
}

// Draws -------------------------------------------------------------------------------------------------------

/** Not near 0, where a function has a corner or a pole, and further away than the step of a finite difference. */
export const awayFromZero: Draw = generator =>
  (generator.below(2) === 0 ? -1 : 1) * generator.uniform(0.25, 1)
/** For logarithms, roots and powers. */
export const oneToTwo: Draw = generator => generator.uniform(1, 2)
/** At least a quarter apart, more than the step of a finite difference; hardly any two are equal. */
export const apart: Draw = generator => generator.below(4096) / 4 - 512

/** Numbers without a gradient, the same for the same shape. */
export function constant(shape: readonly number[], value: (n: number) => number): Values {
  return { shape: [...shape], data: Array.from({ length: sizeOf(shape) }, (_, n) => value(n)) }
}

// Runs --------------------------------------------------------------------------------------------------------

/** `rows` as a batch of sequences. */
export function packed(rows: Float | undefined, lengths: readonly number[] = []): PackedSequence {
  return new PackedSequence(ranked(rows!, 2), new Sequences(lengths))
}

/** Returns the results of a call as tensors, indexed rows with a row for each token. */
export function results(found: Result | readonly Result[]): (Float | Tensor<'int32'>)[] {
  return [found].flat().map(one => (one instanceof PackedSequence ? packedRows(one, 'test', 'rows') : one))
}

/** Runs a call with the inputs that `input` returns, on their device, or on `otherwise` if it has no inputs. */
export function runCall(
  call: Call,
  drawn: TapeCase,
  otherwise: Device,
  input: (name: string, shape: readonly number[]) => Float,
): Result[] {
  const x: Record<string, Float> = {}
  const integers: Record<string, Tensor<'int32'>> = {}
  for (const [name, shape] of Object.entries(drawn.inputs)) x[name] = input(name, shape)
  const device = Object.values(x)[0]?.device ?? otherwise
  for (const [name, { shape, data }] of Object.entries(drawn.constants ?? {})) {
    x[name] = tensor<number>(data, shape, { device })
  }
  for (const [name, { shape, data }] of Object.entries(drawn.integers ?? {})) {
    integers[name] = tensor<number>(Int32Array.from(data), shape, { device })
  }
  return [call(x, drawn.options ?? {}, integers)].flat()
}

/** `sum: x [2, 3], dim -1, keepdim true` */
export function describeCase(op: string, { inputs, constants, integers, options }: TapeCase): string {
  const shapes = Object.entries({ ...constants, ...integers }).map(
    ([name, { shape }]) => [name, shape] as const,
  )
  const arrays = [...Object.entries(inputs), ...shapes].map(
    ([name, shape]) => `${name} [${shape.join(', ')}]`,
  )
  const others = Object.entries(options ?? {}).map(([name, value]) =>
    Array.isArray(value) ? `${name} [${value.join(', ')}]` : `${name} ${value}`,
  )
  return `${op}: ${[...arrays, ...others].join(', ')}`
}

function isFloat(y: Float | Tensor<'int32'>): y is Float {
  return y.dtype === 'float32'
}

export function floats(found: Result | readonly Result[]): Float[] {
  return results(found).filter(isFloat)
}

function asOp(call: Call, op: string, given: ToleratedCase, target: Target): ReferencedOp {
  const { draw, value, gradient, differences } = given
  const uniform: Draw = generator => generator.uniform(-1, 1)
  const of = (name: string) => (typeof draw === 'function' ? draw : (draw?.[name] ?? uniform))
  const plain: Op = {
    name: describeCase(op, given),
    run: input => floats(runCall(call, given, target.open(), input)),
    draw: (generator, name) => (name === '' ? uniform : of(name))(generator),
  }
  return {
    ...plain,
    ...(differences === undefined ? {} : { differences }),
    reference: values => exactResults(exactCall(op, given, values)).map(({ data }) => data),
    value,
    gradient,
  }
}

// Tests -------------------------------------------------------------------------------------------------------

/** Runs `testOp` for a case, and checks the shapes of its results. */
export function testTape(target: Target, calls: Calls, op: string, given: ToleratedCase): void {
  const call = calls[op]!
  const asked = asOp(call, op, given, target)
  testOp(target, asked)
  test(`${asked.name}: shapes`, () =>
    scope(() => {
      const device = target.open()
      const found = runCall(call, given, device, (_, shape) => zeros<number>(shape, { device }))
      const expected = exactCall(op, given, name => new Float64Array(sizeOf(given.inputs[name]!)))
      expectShapes(found, expected)
    }))
}

export function expectShapes(found: readonly Result[], expected: readonly Exact[]): void {
  expect(results(found).map(({ shape }) => [...shape])).toEqual(
    exactResults(expected).map(({ shape }) => shape),
  )
  for (const [i, one] of expected.entries()) {
    const got = found[i]
    if (!('rows' in one)) continue
    expect(got).toBeInstanceOf(PackedSequence)
    if (got instanceof PackedSequence) expect([...got.sequences.lengths()]).toEqual(one.lengths)
  }
}

/** Tests cases with empty inputs or results: values to the last bit, and gradients if there are any. */
export function testNothing(
  target: Target,
  calls: Calls,
  cases: readonly (readonly [string, TapeCase])[],
): void {
  // Not test.each, which truncates long names.
  for (const [op, given] of cases) {
    test(`empty: ${describeCase(op, given)}`, () =>
      scope(async () => {
        const [call, device] = [calls[op]!, target.open()]
        const inputs = new Map<string, Float>()
        const value = (name: string) => new Float64Array(sizeOf(given.inputs[name]!)).fill(0.5)
        const found = runCall(call, given, device, (name, shape) => {
          const x = full<number>(shape, 0.5, { device, requiresGrad: true })
          inputs.set(name, x)
          return x
        })
        const expected = exactCall(op, given, value)
        expectShapes(found, expected)
        for (const [i, y] of results(found).entries()) {
          expect([...(await y.toArray())]).toEqual([...Float32Array.from(exactResults(expected)[i]!.data)])
        }
        if (PLAIN.has(op)) return
        const made = floats(found)
        weightedSum(
          made,
          made.map(y => new Float32Array(y.size).fill(1)),
        ).backward()
        for (const [name, x] of inputs) {
          const loss = (moved: Float64Array) =>
            exactResults(exactCall(op, given, other => (other === name ? moved : value(other))))
              .flatMap(({ data }) => [...data])
              .reduce((sum, one) => sum + one, 0)
          // Sums of a few halves and ones.
          expectClose(await x.grad!.toArray(), finiteDifference(loss, value(name)), 1e-6, `d ${name}`, 1)
          x.grad!.dispose()
        }
      }))
  }
}

/** Tests that results without a gradient equal the reference's to the last bit. */
export function testPlain(target: Target, calls: Calls, op: string, given: TapeCase): void {
  test(describeCase(op, given), () =>
    scope(async () => {
      const [call, device, generator] = [calls[op]!, target.open(), new Generator(2)]
      const values = new Map<string, Float32Array>()
      // Few different numbers, so that some are equal.
      const found = runCall(call, given, device, (name, shape) => {
        const numbers = Float32Array.from({ length: sizeOf(shape) }, () => (generator.below(9) - 4) / 4)
        values.set(name, numbers)
        return tensor<number>(numbers, shape, { device })
      })
      const expected = exactCall(op, given, name => values.get(name)!)
      expectShapes(found, expected)
      for (const [i, y] of results(found).entries()) {
        expect([...(await y.toArray())]).toEqual([...exactResults(expected)[i]!.data])
      }
    }),
  )
}

/** Compares results of given numbers: NaN and infinities must be equal, and other numbers within `units`. */
export function expectValues(
  found: ArrayLike<number>,
  expected: readonly number[],
  units = 0,
  name = 'values',
): void {
  const wanted = expected.map((value, i) => {
    const got = found[i]!
    const near = Math.abs(got - value) <= units * UNIT * Math.abs(value)
    // Adding 0 turns −0 into 0.
    return near ? got + 0 : Math.fround(value) + 0
  })
  expect(
    Array.from(found, value => value + 0),
    name,
  ).toEqual(wanted)
}

/** Checks that a call throws with its code and a message that names op and argument, and that no tensor remains. */
export type Refusal = readonly [code: ErrorCode, where: string, call: () => unknown]

export function expectRefusals(refusals: readonly Refusal[]): void {
  for (const [code, where, call] of refusals) {
    const before = memory().tensors
    const error = thrownBy(call)
    expect(error.message.slice(0, where.length), error.message).toBe(where)
    expect(error.code, error.message).toBe(code)
    expect(memory().tensors - before, `tensors left by ${where}`).toBe(0)
  }
}

/** Returns another device of the target's kind, or null if there is only one. */
export function elsewhere(target: Target): Device | null {
  const other = target.open(2)
  return other === target.open() ? null : other
}

/** Values that JavaScript can pass against the types. */
export function untyped<T>(value: unknown): T {
  return value as T
}
