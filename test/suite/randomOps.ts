import { describe, expect, test } from 'vitest'
import * as packedRnn from '../../src/index.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { tensor } from '../../src/tensor.js'
import { sizeOf } from '../reference/exact.js'
import { exactCall, exactCalls, exactResults } from '../reference/exactCalls.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose } from './compare.js'
import { weightedSum } from './op.js'
import { Dice, uniform } from './randomDice.js'
import { draws } from './randomOpsDraw.js'
import type { Drawn } from './randomOpsFamilies.js'
import { describeCase, expectShapes, type Float, floats, PLAIN, results, runCall } from './tape.js'
import { tapeCalls } from './tapeCalls.js'
import { everywhere, products, type Target, type Tolerance, UNIT } from './target.js'

/**
 * Compares the tape's ops for random shapes with the float64 reference. A seed determines a case, whose name lists what was
 * drawn: `vitest -t 'ops, seed 17:'` runs it again.
 */

/** A case of an op takes much less time than one of a recurrent layer. */
const CASES_PER_LAYER = 20
const OPS = Object.keys(draws)

/** Public functions that have no random case here, by where they are tested or why they need none. */
const ELSEWHERE: Record<string, readonly string[]> = {
  'random cases of layers': ['lstm', 'gru', 'rnn'].flatMap(cell => [
    cell,
    `${cell}Forward`,
    `${cell}Backward`,
  ]),
  'loss.ts, linearLoss.ts, rareClasses.ts': [
    ...['crossEntropyForward', 'crossEntropyBackward', 'linearCrossEntropy', 'sampledCrossEntropy'],
  ],
  'linear.ts, embedding.ts': [
    ...['linearForward', 'linearBackward', 'embedding', 'embeddingForward', 'embeddingBackward'],
  ],
  'packing.ts, pooling.ts': [
    ...['fromTimeMajor', 'toTimeMajor', 'packPaddedSequence', 'padPackedSequence', 'packedRows'],
    ...['concatColumns', 'lastHidden', 'lastOutput', 'maxPool', 'meanPool'],
  ],
  'dropout.ts, tapeRandom.ts': [
    ...['dropout', 'dropoutForward', 'rand', 'randn', 'bernoulli', 'multinomial', 'arange', 'zerosLike'],
  ],
  'tapeGradients.ts': ['customGrad', 'detach', 'grad', 'noGrad'],
  'other names of mul': ['multiply', 'scale'],
  'no ops': [
    ...[
      'device',
      'devices',
      'full',
      'manualSeed',
      'memory',
      'packIds',
      'packSequence',
      'scope',
      'tensor',
      'zeros',
    ],
  ],
}

interface Case {
  seed: number
  op: string
  drawn: Drawn
  target: Target
  generator: Generator
}

/** `count` is the number of random cases of recurrent layers. Each case runs on one of the targets. */
export function randomOpsSuite(targets: readonly [Target, ...Target[]], count: number): void {
  describe('random cases of ops', () => {
    for (let seed = 0; seed < CASES_PER_LAYER * count; seed++) {
      const drawn = drawCase(seed, targets)
      const name = describeCase(drawn.op, drawn.drawn)
      // Not test.each, which truncates long names.
      test(`ops, seed ${seed}: ${name}, on ${drawn.target.name}`, () => scope(() => expectCase(drawn)))
    }

    test('every op is drawn among the first 200 seeds', () => {
      const drawn = new Set(Array.from({ length: 200 }, (_, seed) => drawCase(seed, targets).op))
      expect([...drawn].sort()).toEqual(Object.keys(exactCalls).sort())
      expect(Object.keys(tapeCalls).sort()).toEqual(Object.keys(exactCalls).sort())
    })

    test('every public function is drawn, or listed with the reason why not', () => {
      const functions = Object.entries(packedRnn).flatMap(([name, value]) =>
        typeof value === 'function' && /^[a-z]/.test(name) ? [name] : [],
      )
      const missing = functions.filter(name => !Object.hasOwn(tapeCalls, name))
      expect(missing.sort()).toEqual(Object.values(ELSEWHERE).flat().sort())
    })
  })
}

/** The ops take turns, so that few seeds cover all of them. Everything else is drawn. */
function drawCase(seed: number, targets: readonly [Target, ...Target[]]): Case {
  const generator = new Generator(seed, 5)
  const dice = new Dice(generator)
  const op = OPS[seed % OPS.length]!
  return { seed, op, drawn: draws[op]!(dice), target: dice.pick(targets), generator }
}

/**
 * The result of one function has an error of up to 4 units in the last place, and that of a few functions twice as much.
 * The gradient adds the same. A sum of n terms of random signs has √n / 4 more roundings, at its scale of √n.
 */
function toleranceOf(op: string, terms: number): Tolerance {
  const float32 = (16 + 4 * Math.sqrt(terms)) * UNIT
  return ['matmul', 'bmm', 'linear', 'linearPacked'].includes(op) ? products(float32) : everywhere(float32)
}

async function expectCase({ op, drawn, target, generator }: Case): Promise<void> {
  const { terms = {}, scale = {}, fill = uniform } = drawn
  const device = target.open()
  const values = new Map<string, Float64Array>()
  const leaves = new Map<string, Float>()
  const found = runCall(tapeCalls[op]!, drawn, device, (name, shape) => {
    const draw = typeof fill === 'function' ? fill : (fill[name] ?? uniform)
    const numbers = Float32Array.from(draw(generator, sizeOf(shape)))
    const leaf = tensor<number>(numbers, shape, { device, requiresGrad: !PLAIN.has(op) })
    values.set(name, Float64Array.from(numbers))
    leaves.set(name, leaf)
    return leaf
  })
  const exact = (changed?: { name: string; x: Float64Array }) =>
    exactCall(op, drawn, name => (changed?.name === name ? changed.x : values.get(name)!))
  const expected = exact()
  expectShapes(found, expected)
  const allowed = PLAIN.has(op) ? 0 : toleranceOf(op, terms.value ?? 1)[target.precision]
  let none = false
  for (const [i, y] of results(found).entries()) {
    const { data } = exactResults(expected)[i]!
    const numbers = await y.toArray()
    // The mean of an empty tensor is NaN, and so is its gradient.
    const nans = (values: ArrayLike<number>) => Array.from(values, Number.isNaN)
    none ||= nans(data).includes(true)
    expect(nans(numbers), `output ${i}: where it is NaN`).toEqual(nans(data))
    const known = (values: ArrayLike<number>) => Array.from(values).filter(value => !Number.isNaN(value))
    expectClose(known(numbers), known(data), allowed, `output ${i}`, scale.value)
  }
  if (PLAIN.has(op) || none) return

  const made = floats(found)
  const weights = made.map(y => Float32Array.from(uniform(generator, y.size)))
  weightedSum(made, weights).backward()
  const tolerance = toleranceOf(op, terms.gradient ?? 1)[target.precision]
  // The terms of a gradient are about as large as the weights, or their share per element if a result is a mean. The sum may be
  // smaller by chance, with the same errors.
  const heaviest = weights.flatMap(each => [...each]).reduce((most, w) => Math.max(most, Math.abs(w)), 0)
  const elements = made.reduce((sum, { size }) => sum + size, 0)
  for (const [name, leaf] of leaves) {
    const gradient = await leaf.grad!.toArray()
    leaf.grad!.dispose()
    const loss = (x: Float64Array) =>
      exactResults(exact({ name, x })).reduce((sum, { data }, i) => sum + dot(data, weights[i]!), 0)
    expectGradient(gradient, values.get(name)!, loss, {
      generator,
      tolerance,
      scale: Math.max(scale.gradient ?? 0, (heaviest / 4) * Math.min(1, elements / leaf.size)),
      name,
    })
  }
}

/** The elements of a gradient to check: all of a small one. */
const LOOKED_AT = 16

/**
 * Checks some elements by separate finite differences, and all of them by one difference in a random direction, in which the
 * errors of N elements add up to √N of them.
 */
function expectGradient(
  gradient: Float32Array,
  x: Float64Array,
  loss: (x: Float64Array) => number,
  {
    generator,
    tolerance,
    scale,
    name,
  }: { generator: Generator; tolerance: number; scale: number; name: string },
): void {
  expect(gradient.length, `d ${name}: how many`).toBe(x.length)
  const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), scale)
  const places = generator.shuffle([...x.keys()]).slice(0, LOOKED_AT)
  const some = Float64Array.from(places, place => x[place]!)
  const ofSome = (moved: Float64Array) => {
    const all = Float64Array.from(x)
    for (const [i, place] of places.entries()) all[place] = moved[i]!
    return loss(all)
  }
  const found = places.map(place => gradient[place]!)
  expectClose(found, finiteDifference(ofSome, some), tolerance, `d ${name} at ${places}`, largest)

  const direction = uniform(generator, x.length)
  const along = (t: Float64Array) => loss(x.map((value, i) => value + t[0]! * direction[i]!))
  const [expected = NaN] = finiteDifference(along, Float64Array.of(0))
  const errors = Math.max(1, Math.sqrt(x.length)) * largest
  expectClose([dot(direction, gradient)], [expected], tolerance, `d ${name} in all directions`, errors)
}

function dot(a: ArrayLike<number>, b: Float32Array): number {
  return b.reduce((sum, value, i) => sum + value * a[i]!, 0)
}
