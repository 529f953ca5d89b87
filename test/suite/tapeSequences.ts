import { describe, test } from 'vitest'
import { exp } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { packedRows } from '../../src/ops/rows.js'
import {
  concatSequences,
  flip,
  repeatRows,
  segmentLogsumexp,
  segmentMax,
  segmentMean,
  segmentSoftmax,
  segmentSum,
  shift,
  splitSequences,
  unfold,
} from '../../src/ops/sequences.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { type Matrix, ranked, tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import { type TapeCase, type TapeOptions, windowOptions } from '../reference/exactCalls.js'
import { expectClose, expectSameBits } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  apart,
  type Calls,
  elsewhere,
  expectRefusals,
  expectValues,
  packed,
  testNothing,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** All except `repeatRows` take `rows` [N, C] of sequences with `lengths`. */
export const sequenceCalls: Calls = {
  repeatRows: ({ x }, { lengths = [] }) => repeatRows(ranked(x!, 2), new Sequences(lengths)),
  segmentSum: ({ rows }, o) => segmentSum(packed(rows, o.lengths)),
  segmentMean: ({ rows }, o) => segmentMean(packed(rows, o.lengths)),
  segmentMax: ({ rows }, o) => segmentMax(packed(rows, o.lengths)),
  segmentLogsumexp: ({ rows }, o) => segmentLogsumexp(packed(rows, o.lengths)),
  segmentSoftmax: ({ rows }, o) => segmentSoftmax(packed(rows, o.lengths)),
  flipSequences: ({ rows }, o) => flip(packed(rows, o.lengths)),
  shift: ({ rows }, o) => shift(packed(rows, o.lengths), o.by!, o.fill === undefined ? {} : { fill: o.fill }),
  unfold: ({ rows }, o) => unfold(packed(rows, o.lengths), windowOptions(o)),
  concatSequences: ({ rows, more }, o) =>
    concatSequences(packed(rows, o.lengths), packed(more, o.moreLengths)),
  splitSequences: ({ rows }, o) => splitSequences(packed(rows, o.lengths), o.counts!),
}

/** Numbers are copied; the reference gradient of a copy is a finite difference. */
const EXACT: Tolerance = everywhere(0)
const COPIED: Tolerance = everywhere(1e-9)
/** The same of numbers up to 512. */
const FAR: Tolerance = everywhere(1e-7)
/** A sum of a few terms that has their scale, and a quotient. */
const FEW: Tolerance = everywhere(8 * UNIT)
/** Exponentials and logarithms to 4 units in the last place, and the sums and differences of a few of them. */
const FUNCTION: Tolerance = everywhere(16 * UNIT)

const LENGTHS = [2, 0, 5, 1, 0]
/** The rows of 8 tokens. */
const rows = (options: TapeOptions = {}, width = 3): TapeCase => ({
  inputs: { rows: [8, width] },
  options: { lengths: LENGTHS, ...options },
})

const COPIES: readonly (readonly [string, TapeCase])[] = [
  ['flipSequences', rows()],
  ['shift', rows({ by: 1 })],
  ['shift', rows({ by: -2, fill: 3.5 })],
  ['shift', rows({ by: 0 })],
  ['shift', rows({ by: 7, fill: -1 })],
  [
    'concatSequences',
    { inputs: { rows: [8, 3], more: [3, 3] }, options: { lengths: LENGTHS, moreLengths: [1, 2] } },
  ],
  [
    'concatSequences',
    { inputs: { rows: [8, 3], more: [0, 3] }, options: { lengths: LENGTHS, moreLengths: [0] } },
  ],
  ['splitSequences', rows({ counts: [2, 0, 3] })],
  ['splitSequences', rows({ counts: [1, 1, 1, 1, 1] })],
]

const SUMS: readonly (readonly [string, TapeCase])[] = [
  ['repeatRows', { inputs: { x: [5, 3] }, options: { lengths: LENGTHS } }],
  ...(['causal', 'same', 'valid'] as const).flatMap(padding =>
    [
      { kernelSize: 1 },
      { kernelSize: 2 },
      { kernelSize: 3 },
      { kernelSize: 3, dilation: 2 },
      { kernelSize: 4, dilation: 3 },
    ].map((window): readonly [string, TapeCase] => ['unfold', rows({ ...window, padding }, 2)]),
  ),
]

export function sequencesTapeSuite(target: Target): void {
  describe(`sequences of the tape on ${target.name}`, () => {
    for (const width of [1, 3, 19]) {
      for (const op of ['segmentSum', 'segmentMean']) {
        testTape(target, sequenceCalls, op, { ...rows({}, width), value: FEW, gradient: FEW })
      }
      testTape(target, sequenceCalls, 'segmentMax', {
        ...rows({}, width),
        value: EXACT,
        gradient: FAR,
        draw: apart,
      })
      testTape(target, sequenceCalls, 'segmentSoftmax', {
        ...rows({}, width),
        value: FUNCTION,
        gradient: FUNCTION,
      })
      // Without an empty sequence, because −∞ has no finite difference.
      const lengths = [2, 5, 1]
      testTape(target, sequenceCalls, 'segmentLogsumexp', {
        ...rows({ lengths }, width),
        value: FUNCTION,
        gradient: FUNCTION,
      })
    }
    for (const [op, given] of COPIES) {
      testTape(target, sequenceCalls, op, { ...given, value: EXACT, gradient: COPIED })
    }
    for (const [op, given] of SUMS)
      testTape(target, sequenceCalls, op, { ...given, value: EXACT, gradient: FEW })

    const options: TapeOptions = { lengths: [0, 0], moreLengths: [0], by: 1, kernelSize: 2, counts: [1, 1] }
    testNothing(target, sequenceCalls, [
      ...Object.keys(sequenceCalls).flatMap((op): [string, TapeCase][] => {
        if (op === 'repeatRows') return [[op, { inputs: { x: [2, 3] }, options }]]
        const more = op === 'concatSequences'
        const none = { ...options, lengths: [], counts: [0] }
        return [
          [op, { inputs: { rows: [0, 3], ...(more && { more: [0, 3] }) }, options }],
          [op, { inputs: { rows: [0, 2], ...(more && { more: [0, 2] }) }, options: none }],
        ]
      }),
      ['segmentSum', { inputs: { rows: [3, 0] }, options: { lengths: [3] } }],
      ['unfold', { inputs: { rows: [3, 2] }, options: { lengths: [1, 2], kernelSize: 3, padding: 'valid' } }],
    ])

    test('an empty sequence reduces to 0, 0, 0 and −∞, and receives no gradient', () =>
      scope(async () => {
        const device = target.open()
        const data = tensor<2>([1, 2, 3, 4], [2, 2], { device, requiresGrad: true })
        const batch = new PackedSequence(data, new Sequences([0, 2, 0]))
        const zero = [0, 0]
        expectValues(await segmentSum(batch).toArray(), [...zero, 4, 6, ...zero])
        expectValues(await segmentMean(batch).toArray(), [...zero, 2, 3, ...zero])
        expectValues(await segmentMax(batch).toArray(), [...zero, 3, 4, ...zero])
        const found = segmentLogsumexp(batch)
        const least = [-Infinity, -Infinity]
        expectValues(
          await found.toArray(),
          [...least, 3 + Math.log1p(Math.exp(-2)), 4 + Math.log1p(Math.exp(-2)), ...least],
          4,
        )
        found.backward(tensor([1, 1, 1, 1, 1, 1], [3, 2], { device }))
        const share = 1 / (1 + Math.exp(2))
        expectValues(await data.grad!.toArray(), [share, share, 1 - share, 1 - share], 8)
      }))

    test('NaN, and numbers whose exponential overflows, stay in their sequence and column', () =>
      scope(async () => {
        const device = target.open()
        const numbers = [1e4, NaN, 1e4, 1, -Infinity, 3e38, 0, -3e38]
        const data = tensor<2>(numbers, [4, 2], { device })
        const batch = new PackedSequence(data, new Sequences([2, 2]))
        expectValues(await segmentMax(batch).toArray(), [1e4, NaN, 0, 3e38])
        expectValues(await segmentSum(batch).toArray(), [2e4, NaN, -Infinity, 0])
        expectValues(await segmentLogsumexp(batch).toArray(), [1e4 + Math.log(2), NaN, 0, 3e38], 4)
        const shares = segmentSoftmax(batch)
        expectValues(await shares.data.toArray(), [0.5, NaN, 0.5, NaN, 0, 1, 1, 0], 4)
      }))

    test('indexed rows have the results of the rows that they represent', () =>
      scope(async () => {
        const device = target.open()
        const table = tensor<2>(
          Float32Array.from({ length: 12 }, (_, n) => Math.sin(n)),
          [4, 3],
          { device },
        )
        const indexed = embedding(table, packSequence([[2, 0, 2], [], [3, 3], [1]]))
        const plain = new PackedSequence(packedRows(indexed, 'test', 'rows'), indexed.sequences)
        const calls: Record<string, (x: PackedSequence) => Matrix | PackedSequence> = {
          segmentSum,
          segmentMean,
          segmentMax,
          segmentLogsumexp,
          segmentSoftmax,
          flip,
          exp,
          shift: x => shift(x, 1),
          unfold: x => unfold(x, { kernelSize: 2, padding: 'same' }),
          concatSequences: x => concatSequences(x, x),
          splitSequences: x => splitSequences(x, [1, 3])[1]!,
        }
        for (const [name, call] of Object.entries(calls)) {
          const [found, expected] = [call(indexed), call(plain)].map(y =>
            y instanceof PackedSequence ? packedRows(y, 'test', 'rows') : y,
          )
          expectSameBits(await found!.toArray(), await expected!.toArray(), name)
        }
      }))

    test('sums over many tokens', () =>
      scope(async () => {
        const device = target.open()
        const numbers = Float32Array.from({ length: 50_000 }, (_, n) => Math.sin(n) + 1)
        const batch = packSequence([numbers], { inputSize: 1, device })
        const known = { rows: exact.nd([numbers.length, 1], numbers), lengths: [numbers.length] }
        // Chains of a few hundred additions, most of whose roundings cancel.
        const tolerance = 32 * UNIT
        expectClose(await segmentSum(batch).toArray(), exact.segmentSum(known).data, tolerance)
        expectClose(await segmentMean(batch).toArray(), exact.segmentMean(known).data, tolerance)
        expectClose(await segmentLogsumexp(batch).toArray(), exact.segmentLogsumexp(known).data, tolerance)
        const shares = segmentSoftmax(batch)
        expectClose(await shares.data.toArray(), exact.segmentSoftmax(known).rows.data, tolerance)
      }))

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'sequences',
        run: input => {
          const many = new Sequences(Array.from({ length: 60 }, (_, b) => (b * 37) % 201))
          const x = new PackedSequence(input('rows', [many.rows, 45]), many)
          const summed = [segmentSum(x), segmentMean(x), segmentMax(x)]
          const kept = new Sequences([...many.lengths()].filter(length => length > 0))
          const finite = segmentLogsumexp(new PackedSequence(x.data, kept))
          const windows = unfold(x, { kernelSize: 3, dilation: 2, padding: 'same' })
          const again = concatSequences(flip(x), shift(segmentSoftmax(x), 2), repeatRows(summed[0]!, many))
          return [...summed, finite, windows.data, again.data]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const batch = packed(zeros<number>([3, 2], { device }), [1, 2])
  const wide = packed(zeros<number>([3, 4], { device }), [3])
  const matrix = zeros([2, 2], { device })
  const three = zeros([3, 2], { device })
  const gone = packed(zeros<number>([3, 2], { device }), [1, 2])
  gone.dispose()
  const calls: Record<string, (x: PackedSequence) => unknown> = {
    segmentSum,
    segmentMean,
    segmentMax,
    segmentLogsumexp,
    segmentSoftmax,
    flip,
    shift: x => shift(x, 1),
    unfold: x => unfold(x, { kernelSize: 2, padding: 'causal' }),
    splitSequences: x => splitSequences(x, [2]),
  }
  for (const [op, call] of Object.entries(calls)) {
    expectRefusals([
      ['ERR_DISPOSED', `${op}: x`, () => call(gone)],
      ['ERR_INVALID_ARGUMENT', `${op}: x`, () => call(untyped(3))],
    ])
  }
  const { sequences } = batch
  expectRefusals([
    ['ERR_SHAPE', 'repeatRows: x', () => repeatRows(three, sequences)],
    ['ERR_INVALID_ARGUMENT', 'repeatRows: sequences', () => repeatRows(matrix, untyped([1, 2]))],
    ['ERR_OUT_OF_RANGE', 'shift: by', () => shift(batch, 0.5)],
    ['ERR_OUT_OF_RANGE', 'unfold: kernelSize', () => unfold(batch, { kernelSize: 0, padding: 'same' })],
    [
      'ERR_OUT_OF_RANGE',
      'unfold: dilation',
      () => unfold(batch, { kernelSize: 2, dilation: 0, padding: 'same' }),
    ],
    [
      'ERR_INVALID_ARGUMENT',
      'unfold: padding',
      () => unfold(batch, { kernelSize: 2, padding: untyped('full') }),
    ],
    ['ERR_SHAPE', 'concatSequences: ', () => concatSequences(batch, wide)],
    ['ERR_INVALID_ARGUMENT', 'concatSequences: ', () => concatSequences()],
    ['ERR_DISPOSED', 'concatSequences: ', () => concatSequences(batch, gone)],
    ['ERR_SHAPE', 'splitSequences: counts', () => splitSequences(batch, [1])],
    ['ERR_OUT_OF_RANGE', 'splitSequences: counts[0]', () => splitSequences(batch, [-1, 3])],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = packed(zeros<number>([3, 2], { device: other }), [1, 2])
  expectRefusals([['ERR_DEVICE', 'concatSequences: ', () => concatSequences(batch, far)]])
}
