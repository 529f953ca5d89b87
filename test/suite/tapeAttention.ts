import { describe, expect, test } from 'vitest'
import { additiveAttention, dotAttention } from '../../src/ops/attention.js'
import { add, mul, tanh } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { bmm, matmul } from '../../src/ops/products.js'
import { packedRows } from '../../src/ops/rows.js'
import { repeatRows, segmentSoftmax, segmentSum } from '../../src/ops/sequences.js'
import { expand, reshape, transpose } from '../../src/ops/shape.js'
import { softmax } from '../../src/ops/softmax.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Matrix, ranked, type Tensor, tensor, zeros } from '../../src/tensor.js'
import * as exact from '../reference/exact.js'
import { attentionOptions, type TapeCase, type TapeOptions } from '../reference/exactCalls.js'
import { expectClose, expectSameBits } from './compare.js'
import { expectOpReproducible } from './op.js'
import {
  type Calls,
  elsewhere,
  expectRefusals,
  type Float,
  packed,
  testNothing,
  testTape,
  untyped,
} from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** `query`, packed as `queries` says or a row for each sequence; `keys` and `values` packed as `lengths` says. */
function given(x: Readonly<Record<string, Float>>, o: TapeOptions) {
  return {
    query: o.queries === undefined ? ranked(x.query!, 2) : packed(x.query, o.queries),
    keys: packed(x.keys, o.lengths),
    values: packed(x.values, o.lengths),
  }
}

export const attentionCalls: Calls = {
  dotAttention: (x, o) => {
    const { query, keys, values } = given(x, o)
    const options = attentionOptions(o)
    return query instanceof PackedSequence
      ? dotAttention(query, keys, values, options)
      : dotAttention(query, keys, values, options)
  },
  additiveAttention: (x, o) => {
    const { query, keys, values } = given(x, o)
    const v = ranked(x.v!, 1)
    return query instanceof PackedSequence
      ? additiveAttention(query, keys, values, v)
      : additiveAttention(query, keys, values, v)
  },
}

/**
 * Scores are sums of `width` products below 1, with an error of √width / 4 roundings and a scale of √width / 3; exp and a
 * mean of values add a few. The gradient has another sum over values, keys or queries in it.
 */
const VALUE: Tolerance = everywhere(16 * UNIT)
const GRADIENT: Tolerance = everywhere(64 * UNIT)

/** An input moves up to 70 outputs, each with the noise of op.ts, and gradients are near 0.1. */
const DIFFERENCES = 2e-4

const KEYS = [3, 0, 7, 1, 18, 2]
const QUERIES = [2, 1, 0, 3, 5, 17]
const total = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0)

function inputs(width: number, columns: number, queries: number, keys: number) {
  return { query: [queries, width], keys: [keys, width], values: [keys, columns] }
}

/** Packed queries, or one for each sequence. */
function cases(width: number, columns: number, lengths = KEYS, queries = QUERIES): TapeCase[] {
  return [
    {
      inputs: inputs(width, columns, total(queries), total(lengths)),
      options: { lengths, queries },
    },
    { inputs: inputs(width, columns, lengths.length, total(lengths)), options: { lengths } },
  ]
}

export function attentionTapeSuite(target: Target): void {
  describe(`attention on ${target.name}`, () => {
    // The reference differs in each element, so few sequences have rows of several vectors.
    const wide = { inputs: inputs(37, 70, 3, 9), options: { lengths: [3, 1, 5] } }
    for (const some of [cases(5, 3), cases(16, 17, [3, 0, 4], [2, 1, 3]), [wide]]) {
      for (const { inputs, options } of some) {
        const tolerated = { value: VALUE, gradient: GRADIENT, differences: DIFFERENCES }
        testTape(target, attentionCalls, 'dotAttention', {
          inputs,
          options: { ...options!, scale: 0.5 },
          ...tolerated,
        })
        testTape(target, attentionCalls, 'dotAttention', {
          inputs,
          options: { ...options!, causal: true },
          ...tolerated,
        })
        testTape(target, attentionCalls, 'additiveAttention', {
          inputs: { ...inputs, v: [inputs.query[1]!] },
          options: options!,
          ...tolerated,
        })
      }
    }

    testNothing(
      target,
      attentionCalls,
      [
        { inputs: inputs(3, 2, 0, 0), options: { lengths: [] } },
        { inputs: inputs(3, 2, 0, 0), options: { lengths: [0, 0], queries: [0, 0] } },
        { inputs: inputs(3, 2, 0, 4), options: { lengths: [4, 0], queries: [0, 0] } },
        { inputs: inputs(3, 2, 3, 0), options: { lengths: [0, 0], queries: [1, 2] } },
        { inputs: inputs(3, 0, 2, 4), options: { lengths: [1, 3] } },
        { inputs: inputs(0, 2, 2, 4), options: { lengths: [2, 2] } },
      ].flatMap((one): [string, TapeCase][] => [
        ['dotAttention', one],
        ['dotAttention', { ...one, options: { ...one.options, causal: true } }],
        ['additiveAttention', { ...one, inputs: { ...one.inputs, v: [one.inputs.query[1]!] } }],
      ]),
    )

    test('weights are the reference’s, add up to 1, and carry no gradient', () => expectWeights(target))
    test('the same as composed from small ops', () => expectComposition(target))
    test('padded attention with one length', () => expectPadded(target))
    test('keys and values may be one batch, and indexed', () => expectShared(target))
    test('a sequence keeps its bits whatever its neighbours are', () => expectAlone(target))
    test('with `causal` nothing of a later key is seen, not even NaN', () => expectCausal(target))

    for (const causal of [false, true]) {
      test(`the same bits with any number of threads, causal ${causal}`, () =>
        expectOpReproducible(target, {
          name: 'attention',
          run: input => {
            const keys = Array.from({ length: 24 }, (_, b) => (b * 37) % 61)
            const queries = Array.from({ length: 24 }, (_, b) => (b * 23) % 41)
            const rows = (name: string, lengths: number[], width: number) =>
              packed(input(name, [total(lengths), width]), lengths)
            const [query, key, values] = [
              rows('query', queries, 45),
              rows('keys', keys, 45),
              rows('values', keys, 70),
            ]
            const dot = dotAttention(query, key, values, { causal, scale: 0.2 })
            const additive = additiveAttention(query, key, values, input('v', [45]))
            return [dot.data, additive.data]
          },
        }))
    }

    test('invalid arguments are errors', () => refused(target))
  })
}

/** Random rows of those sequences. */
function rowsOf(target: Target, lengths: readonly number[], width: number, seed: number): PackedSequence {
  const generator = new Generator(seed)
  const numbers = Float32Array.from({ length: total(lengths) * width }, () => generator.uniform(-1, 1))
  const data = tensor<2>(numbers, [total(lengths), width], { device: target.open(), requiresGrad: true })
  return new PackedSequence(data, new Sequences(lengths))
}
function batchesOf(target: Target, width = 19, columns = 35) {
  return {
    query: rowsOf(target, QUERIES, width, 1),
    keys: rowsOf(target, KEYS, width, 2),
    values: rowsOf(target, KEYS, columns, 3),
    v: tensor<1>(
      Float32Array.from({ length: width }, (_, a) => Math.cos(a)),
      [width],
      { device: target.open(), requiresGrad: true },
    ),
  }
}
async function known(x: PackedSequence): Promise<exact.Rows> {
  return {
    rows: exact.nd([...x.data.shape], await x.data.toArray()),
    lengths: [...x.sequences.lengths()],
  }
}

async function expectWeights(target: Target): Promise<void> {
  await scope(async () => {
    const { query, keys, values, v } = batchesOf(target)
    const rows = [await known(query), await known(keys), await known(values)] as const
    const dot = dotAttention(query, keys, values, { weights: true, causal: true })
    const additive = additiveAttention(query, keys, values, v, { weights: true })
    const factors = exact.nd([19], await v.toArray())
    for (const [found, wanted] of [
      [dot, exact.dotAttention(...rows, { causal: true })],
      [additive, exact.additiveAttention(...rows, factors)],
    ] as const) {
      const weights = await found.weights.toArray()
      expectClose(weights, wanted.weights, VALUE[target.precision], 'weights')
      expect(found.weights.node).toBe(null)
      expect(found.context.data.node).not.toBe(null)
      let at = 0
      for (const [b, queries] of QUERIES.entries()) {
        for (let i = 0; i < queries; i++, at += KEYS[b]!) {
          const sum = weights.subarray(at, at + KEYS[b]!).reduce((all, weight) => all + weight, 0)
          expect(Math.abs(sum - (KEYS[b] === 0 ? 0 : 1))).toBeLessThan(8 * UNIT)
        }
      }
      expect(at).toBe(weights.length)
    }
    // One query for each sequence: as many weights as keys.
    const single = zeros([KEYS.length, 19], { device: target.open() })
    const { context, weights } = dotAttention(single, keys, values, { weights: true })
    expect([context.shape, weights.shape]).toEqual([[KEYS.length, 35], [total(KEYS)]])
  })
}

/** Each pair of query and key as a row, as a composition makes it. */
function composedAdditive(query: Matrix, keys: PackedSequence, values: PackedSequence, v: Matrix): Matrix {
  const hidden = tanh(add(packedRows(repeatRows(query, keys.sequences)), keys.data))
  const weights = segmentSoftmax(new PackedSequence(matmul(hidden, v), keys.sequences))
  return segmentSum(
    new PackedSequence(mul(values.data, expand(weights.data, [-1, values.width])), keys.sequences),
  )
}

async function expectComposition(target: Target): Promise<void> {
  const run = (fused: boolean) =>
    scope(async () => {
      const { keys, values, v } = batchesOf(target)
      const query = rowsOf(
        target,
        KEYS.map(() => 1),
        19,
        4,
      )
      const context = fused
        ? additiveAttention(query.data, keys, values, v)
        : composedAdditive(query.data, keys, values, ranked(reshape(v, [19, 1]), 2))
      context.backward(context.detach())
      const all = [context, ...[query.data, keys.data, values.data, v].map(x => x.grad!)]
      const found = await Promise.all(all.map(x => x.toArray()))
      for (const x of all.slice(1)) x.dispose()
      return found
    })
  const [fused, composed] = [await run(true), await run(false)]
  // The composition's product is rounded as the device's precision says; the op's sums are float32.
  const tolerance = { float32: 64 * UNIT, tf32: 2 ** -8, bfloat16: 2 ** -5 }[target.precision]
  for (const [i, values] of composed.entries()) expectClose(fused[i]!, values, tolerance, `result ${i}`)
}

/** Against bmm and softmax where every sequence has 5 queries and 7 keys. */
async function expectPadded(target: Target): Promise<void> {
  await scope(async () => {
    const [B, M, N, A, C] = [3, 5, 7, 20, 9]
    const query = rowsOf(target, new Array<number>(B).fill(M), A, 1)
    const keys = rowsOf(target, new Array<number>(B).fill(N), A, 2)
    const values = rowsOf(target, new Array<number>(B).fill(N), C, 3)
    const cube = (x: PackedSequence, n: number) => ranked(reshape(x.data, [B, n, x.width]), 3)
    const scores = bmm(cube(query, M), ranked(transpose(cube(keys, N), 1, 2), 3))
    const padded = bmm(softmax(mul(scores, 0.25)), cube(values, N))
    const found = dotAttention(query, keys, values, { scale: 0.25 })
    const tolerance = { float32: 16 * UNIT, tf32: 2 ** -8, bfloat16: 2 ** -5 }[target.precision]
    expectClose(await found.data.toArray(), await padded.toArray(), tolerance)
  })
}

async function expectShared(target: Target): Promise<void> {
  await scope(async () => {
    const table = rowsOf(target, [6], 11, 5).data
    const run = async (expanded: boolean) => {
      const words = embedding(table, packSequence([[0, 3, 3], [], [5, 1, 0, 2]]))
      const x = expanded ? new PackedSequence(packedRows(words), words.sequences) : words
      const y = dotAttention(x, x, x)
      y.data.backward(y.data.detach())
      const gradient = await table.grad!.toArray()
      table.grad!.dispose()
      table.grad = null
      return { values: await y.data.toArray(), gradient }
    }
    const [indexed, plain] = [await run(false), await run(true)]
    expectSameBits(indexed.values, plain.values)
    expectClose(indexed.gradient, plain.gradient, 16 * UNIT, 'gradient')
  })
}

async function expectAlone(target: Target): Promise<void> {
  await scope(async () => {
    const { query, keys, values, v } = batchesOf(target)
    const alone = (x: PackedSequence, b: number) => {
      const [from, to] = [x.sequences.offsets[b]!, x.sequences.offsets[b + 1]!]
      return x.data.toArray().then(numbers => {
        const own = numbers.slice(from * x.width, to * x.width)
        return packSequence([own], { inputSize: x.width, device: target.open() })
      })
    }
    const runs = [
      (q: PackedSequence, k: PackedSequence, x: PackedSequence) => dotAttention(q, k, x, { causal: true }),
      (q: PackedSequence, k: PackedSequence, x: PackedSequence) => additiveAttention(q, k, x, v),
    ]
    for (const run of runs) {
      const all = await run(query, keys, values).data.toArray()
      for (const b of QUERIES.keys()) {
        const own = run(await alone(query, b), await alone(keys, b), await alone(values, b))
        const [from, to] = [query.sequences.offsets[b]!, query.sequences.offsets[b + 1]!]
        expectSameBits(await own.data.toArray(), all.slice(from * values.width, to * values.width))
      }
    }
  })
}

async function expectCausal(target: Target): Promise<void> {
  await scope(async () => {
    const lengths = [9, 6]
    const x = rowsOf(target, lengths, 13, 6)
    const clean = await dotAttention(x, x, x, { causal: true }).data.toArray()
    const numbers = await x.data.toArray()
    // Token 5 of the first sequence.
    numbers.fill(Number.NaN, 5 * 13, 6 * 13)
    const data = tensor<2>(numbers, [15, 13], { device: target.open(), requiresGrad: true })
    const spoilt = new PackedSequence(data, x.sequences)
    const found = dotAttention(spoilt, spoilt, spoilt, { causal: true })
    const values = await found.data.toArray()
    expectSameBits(values.slice(0, 5 * 13), clean.slice(0, 5 * 13), 'before')
    expect(values.subarray(5 * 13, 9 * 13).every(Number.isNaN)).toBe(true)
    expectSameBits(values.slice(9 * 13), clean.slice(9 * 13), 'the other sequence')
    const mask = values.map(value => (Number.isNaN(value) ? 0 : 1))
    found.data.backward(tensor<2>(mask, [15, 13], { device: target.open() }))
    const gradient = await data.grad!.toArray()
    data.grad!.dispose()
    expect(gradient.subarray(9 * 13).some(Number.isNaN), 'the other sequence’s gradient').toBe(false)
  })
}

function refused(target: Target): void {
  const device = target.open()
  const at = (lengths: number[], width: number) =>
    packed(zeros<number>([total(lengths), width], { device }), lengths)
  const [keys, values, query] = [at([2, 3], 4), at([2, 3], 6), at([1, 0], 4)]
  const v = zeros([4], { device })
  const gone = at([2, 3], 4)
  gone.dispose()
  const [narrow, one, loose, swapped, more, short] = [
    at([1, 0], 3),
    at([3], 4),
    zeros([3, 4], { device }),
    at([3, 2], 6),
    at([2, 3, 0], 6),
    zeros([3], { device }),
  ]
  const ops: Record<string, (...x: [PackedSequence, PackedSequence, PackedSequence]) => unknown> = {
    dotAttention: (...x) => dotAttention(...x),
    additiveAttention: (...x) => additiveAttention(...x, v),
  }
  for (const [op, call] of Object.entries(ops)) {
    expectRefusals([
      ['ERR_DISPOSED', `${op}: query`, () => call(gone, keys, values)],
      ['ERR_DISPOSED', `${op}: keys`, () => call(query, gone, values)],
      ['ERR_DISPOSED', `${op}: values`, () => call(query, keys, gone)],
      ['ERR_INVALID_ARGUMENT', `${op}: query`, () => call(untyped(3), keys, values)],
      ['ERR_INVALID_ARGUMENT', `${op}: keys`, () => call(query, untyped(v), values)],
      ['ERR_INVALID_ARGUMENT', `${op}: values`, () => call(query, keys, untyped(null))],
      ['ERR_SHAPE', `${op}: query`, () => call(narrow, keys, values)],
      ['ERR_SHAPE', `${op}: query: wanted 2 sequences, got 1`, () => call(one, keys, values)],
      ['ERR_SHAPE', `${op}: query`, () => call(untyped(loose), keys, values)],
      ['ERR_SHAPE', `${op}: values`, () => call(query, keys, swapped)],
      ['ERR_SHAPE', `${op}: values`, () => call(query, keys, more)],
    ])
  }
  expectRefusals([
    ['ERR_SHAPE', 'additiveAttention: v', () => additiveAttention(query, keys, values, short)],
    ['ERR_OUT_OF_RANGE', 'dotAttention: scale', () => dotAttention(query, keys, values, { scale: Infinity })],
    [
      'ERR_INVALID_ARGUMENT',
      'dotAttention: options.casual: wanted a known option, perhaps causal',
      () => dotAttention(query, keys, values, untyped({ casual: true })),
    ],
    [
      'ERR_INVALID_ARGUMENT',
      'additiveAttention: options.scale',
      () => additiveAttention(query, keys, values, v, untyped({ scale: 1 })),
    ],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = (x: PackedSequence) =>
    packed(zeros<number>([...x.data.shape], { device: other }), [...x.sequences.lengths()])
  const [farQuery, farValues] = [far(query), far(values)]
  const farV: Tensor<'float32', 1> = zeros([4], { device: other })
  expectRefusals([
    ['ERR_DEVICE', 'dotAttention: query', () => dotAttention(farQuery, keys, values)],
    ['ERR_DEVICE', 'dotAttention: values', () => dotAttention(query, keys, farValues)],
    ['ERR_DEVICE', 'additiveAttention: v', () => additiveAttention(query, keys, values, farV)],
  ])
}
