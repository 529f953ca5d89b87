import { describe, expect, test } from 'vitest'
import { readFixtures, type TapeFixture, tapeCase } from '../suite/fixtures.js'
import * as exact from './exact.js'
import { exactCall, exactCalls, exactResults } from './exactCalls.js'
import { finiteDifference } from './gradient.js'

/** What twelve printed digits allow, of numbers up to 1000 and of constants that are float32 here. */
const PRINTED = 1e-10
/** The constants of a case are float32. */
const SINGLE = 1e-7
/** What central differences of these small sums allow. */
const DIFFERENCES = 1e-7

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  const scale = Math.max(1, ...Array.from(expected, Math.abs))
  const errors = Array.from(actual, (value, k) => Math.abs(value - expected[k]!) / scale)
  // Not `max < tolerance`, so that a NaN fails.
  expect(errors.filter(error => !(error <= tolerance))).toEqual([])
}

const valuesOf = (fixture: TapeFixture) => (name: string) => fixture.inputs![name]!.data

describe('the ops of the tape in float64 are PyTorch’s', () => {
  const { cases, running } = readFixtures('tape.json')

  test.each(cases.map((fixture, n) => [n, fixture.op, fixture] as const))('case %i: %s', (_, op, fixture) => {
    const given = tapeCase(fixture)
    const found = exactResults(exactCall(op, given, valuesOf(fixture)))
    const tolerance = fixture.constants ? SINGLE : PRINTED
    expect(found.map(({ shape }) => shape)).toEqual(fixture.outputs.map(({ shape }) => shape))
    for (const [i, { data }] of fixture.outputs.entries()) expectClose(found[i]!.data, data, tolerance)
    if (fixture.choice) return
    for (const [name, { data }] of Object.entries(fixture.gradients ?? {})) {
      const loss = (x: Float64Array) =>
        exactResults(exactCall(op, given, other => (other === name ? x : valuesOf(fixture)(other))))
          .flatMap((y, i) => Array.from(y.data, (value, n) => value * fixture.dOutputs![i]!.data[n]!))
          .reduce((sum, value) => sum + value, 0)
      const x = Float64Array.from(fixture.inputs![name]!.data)
      expectClose(finiteDifference(loss, x), data, Math.max(DIFFERENCES, tolerance))
    }
  })

  test('every op that PyTorch has agrees with it', () => {
    const ours = ['concatSequences', 'splitSequences', 'shift']
    const names = Object.keys(exactCalls).filter(op => !op.endsWith('Packed') && !ours.includes(op))
    expect(names.filter(op => !cases.some(fixture => fixture.op === op))).toEqual([])
  })

  test.each(running)('running statistics at momentum $momentum', fixture => {
    const { x, runningMean, runningVar, momentum, newMean, newVar } = fixture
    const of = ({ shape, data }: { shape: number[]; data: number[] }) => exact.nd(shape, data)
    const options = { runningMean: of(runningMean), runningVar: of(runningVar), momentum, training: true }
    const found = exact.batchNorm(of(x), options)
    expectClose(found.runningMean!.data, newMean.data, PRINTED)
    expectClose(found.runningVar!.data, newVar.data, PRINTED)
  })
})

describe('the ops of the tape in float64', () => {
  const row = (...values: number[]) => exact.nd([values.length], values)
  const data = (x: exact.NdArray) => [...x.data]

  test('NaN and equal numbers', () => {
    expect(data(exact.argmax(row(1, 5, 5)))).toEqual([1])
    expect(data(exact.argmax(row(1, NaN, 7, NaN)))).toEqual([1])
    expect(data(exact.argmax(row(-Infinity, -Infinity)))).toEqual([0])
    expect(data(exact.amax(row(1, NaN)))).toEqual([NaN])
    expect(data(exact.amin(row(NaN, 1)))).toEqual([NaN])
    const { values, indices } = exact.topk(row(2, NaN, 2, 3, -Infinity), 5)
    expect(data(values)).toEqual([NaN, 3, 2, 2, -Infinity])
    expect(data(indices)).toEqual([1, 3, 0, 2, 4])
    expect(data(exact.topk(row(2, NaN, 2, 3), 4, { largest: false }).indices)).toEqual([0, 2, 3, 1])
    expect(data(exact.maximum(row(NaN, 1), row(1, NaN)))).toEqual([NaN, NaN])
    expect(data(exact.pow(row(1, NaN, -1), row(NaN, 0, Infinity)))).toEqual([1, 1, 1])
  })

  test('empty arrays', () => {
    const nothing = exact.nd([0, 2], [])
    expect(data(exact.sum(nothing, { dim: 0 }))).toEqual([0, 0])
    expect(data(exact.mean(nothing))).toEqual([NaN])
    expect(data(exact.logsumexp(nothing, { dim: 0 }))).toEqual([-Infinity, -Infinity])
    expect(exact.softmax(nothing).shape).toEqual([0, 2])
    expect(data(exact.matmul(exact.nd([2, 0], []), nothing))).toEqual([0, 0, 0, 0])
    const empty = { rows: nothing, lengths: [0, 0] }
    expect(data(exact.segmentMean(empty))).toEqual([0, 0, 0, 0])
    expect(data(exact.segmentLogsumexp({ rows: nothing, lengths: [0] }))).toEqual([-Infinity, -Infinity])
  })

  test('erfc is accurate for tiny results', () => {
    // From tables, to 15 digits.
    for (const [x, expected] of [
      [0, 1],
      [0.5, 0.479500122186953],
      [1, 0.157299207050285],
      [2, 0.00467773498104727],
      [3, 2.20904969985854e-5],
      [5, 1.53745979442803e-12],
      [10, 2.08848758376254e-45],
      [-1, 1.84270079294971],
    ] as const) {
      expect(Math.abs(exact.erfc(x) / expected - 1), `at ${x}`).toBeLessThan(1e-13)
    }
    expect(exact.erfc(Infinity)).toBe(0)
    expect(exact.erfc(NaN)).toBeNaN()
  })

  test('sequences: shift, unfold, concatSequences and splitSequences', () => {
    const x = { rows: exact.nd([5, 1], [1, 2, 3, 4, 5]), lengths: [3, 0, 2] }
    expect(data(exact.shift(x, 1, -9).rows)).toEqual([-9, 1, 2, -9, 4])
    expect(data(exact.shift(x, -2).rows)).toEqual([3, 0, 0, 0, 0])
    expect(data(exact.flipSequences(x).rows)).toEqual([3, 2, 1, 5, 4])
    const causal = exact.unfold(x, { kernelSize: 2 })
    expect(data(causal.rows)).toEqual([0, 1, 1, 2, 2, 3, 0, 4, 4, 5])
    const valid = exact.unfold(x, { kernelSize: 3, padding: 'valid' })
    expect([data(valid.rows), valid.lengths]).toEqual([
      [1, 2, 3],
      [1, 0, 0],
    ])
    // With two taps the padding is odd: the extra row comes after.
    const same = exact.unfold(x, { kernelSize: 2, padding: 'same' })
    expect(data(same.rows)).toEqual([1, 2, 2, 3, 3, 0, 4, 5, 5, 0])
    const both = exact.concatSequences(x, { rows: exact.nd([1, 1], [6]), lengths: [1] })
    expect([data(both.rows), both.lengths]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [3, 0, 2, 1],
    ])
    const parts = exact.splitSequences(both, [1, 3])
    expect(parts.map(part => [data(part.rows), part.lengths])).toEqual([
      [[1, 2, 3], [3]],
      [
        [4, 5, 6],
        [0, 2, 1],
      ],
    ])
  })
})
