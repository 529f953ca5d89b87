import { expect } from 'vitest'
import type { Device } from '../../src/device.js'
import type * as nn from '../../src/nn/index.js'
import { mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { type Matrix, type Tensor, tensor } from '../../src/tensor.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose } from '../suite/compare.js'

/** Inputs of the attention modules, and what they compute, in float64. */

export const LENGTHS = [3, 0, 5, 1]
export const QUERIES = [2, 1, 1, 3]
export const SIZE = 6
const MAX_LENGTH = 7
/** float32 sums of a few terms against float64. */
export const VALUE = 2e-6
export const GRADIENT = 2e-5

export type Values = Record<string, Float64Array>
type Query = Matrix | PackedSequence
type Row = readonly number[]

export const total = (lengths: readonly number[]) => lengths.reduce((sum, n) => sum + n, 0)
export const dot = (a: Row, b: Row) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
export const times = (matrix: readonly Row[], x: Row) => matrix.map(row => dot(row, x))

export function rowsOf(values: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, r) =>
    Array.from({ length: width }, (_, c) => values[r * width + c]!),
  )
}

/** [from, to) of each sequence. */
export function ranges(lengths: readonly number[]): [number, number][] {
  return lengths.map((length, b) => [total(lengths.slice(0, b)), total(lengths.slice(0, b)) + length])
}

export function softmax(scores: Row): number[] {
  const most = Math.max(...scores)
  const powers = scores.map(score => Math.exp(score - most))
  const all = powers.reduce((sum, power) => sum + power, 0)
  return powers.map(power => power / all)
}

/** The scores of one query over the rows of its sequence, as the module's documentation defines them. */
function scoresOf(score: nn.AttentionScore, values: Values, s: Row, h: readonly Row[]): number[] {
  const matrix = (name: string) => rowsOf(values[name]!, SIZE)
  if (score === 'dot') return h.map(row => dot(s, row))
  if (score === 'scaledDot') return h.map(row => dot(s, row) / Math.sqrt(SIZE))
  if (score === 'general') return h.map(row => dot(s, times(matrix('key.weight'), row)))
  if (score === 'cosine') return h.map(row => (3 * dot(s, row)) / Math.sqrt(dot(s, s) * dot(row, row)))
  if (score === 'location')
    return h.map((_, j) => times(matrix('query.weight'), s)[j]! + values['query.bias']![j]!)
  const [own, v] = [times(matrix('query.weight'), s), [...values['v.weight']!]]
  return h.map(row =>
    dot(
      v,
      times(matrix('key.weight'), row).map((x, a) => Math.tanh(x + own[a]!)),
    ),
  )
}

/** The weights of one query from its scores, its number and the rows of its sequence. */
export type Weigh = (scores: Row, values: Values, s: Row, i: number) => number[]

export function expected(score: nn.AttentionScore, values: Values, queries: readonly number[], weigh: Weigh) {
  const [s, h] = [rowsOf(values.query!, SIZE), rowsOf(values.encoded!, SIZE)]
  const [of, keys] = [ranges(queries), ranges(LENGTHS)]
  const weights: number[] = []
  const context = LENGTHS.flatMap((_, b) => {
    const rows = h.slice(...keys[b]!)
    return s.slice(...of[b]!).flatMap((query, i) => {
      const own = weigh(scoresOf(score, values, query, rows), values, query, of[b]![0] + i)
      weights.push(...own)
      return Array.from({ length: SIZE }, (_, c) => rows.reduce((sum, row, j) => sum + own[j]! * row[c]!, 0))
    })
  })
  return { context, weights }
}

export const soft: Weigh = scores => softmax(scores)

/** Random numbers for the inputs, and the module's own parameters. */
export async function drawn(module: nn.Module, queries: readonly number[], device: Device) {
  const generator = new Generator(3)
  const random = (count: number) => Float32Array.from({ length: count }, () => generator.uniform(-1, 1))
  const options = { device, requiresGrad: true }
  const query = tensor<2>(random(total(queries) * SIZE), [total(queries), SIZE], options)
  const encoded = tensor<2>(random(total(LENGTHS) * SIZE), [total(LENGTHS), SIZE], options)
  const tensors: Record<string, Tensor<'float32'>> = {
    query,
    encoded,
    ...Object.fromEntries(module.namedParameters()),
  }
  const values: Values = {}
  for (const [name, x] of Object.entries(tensors)) values[name] = Float64Array.from(await x.toArray())
  return { query, encoded: new PackedSequence(encoded, new Sequences(LENGTHS)), tensors, values }
}

/** Compares the gradients of Σ cos(i) · context[i] with differences of `reference`, and clears them. */
export async function expectGradients(
  context: Matrix,
  tensors: Record<string, Tensor<'float32'>>,
  values: Values,
  reference: (values: Values) => readonly number[],
): Promise<void> {
  const weights = Float32Array.from({ length: context.size }, (_, i) => Math.cos(i))
  const { device } = context
  sum(mul(context, tensor<2>(weights, context.shape, { device }))).backward()
  const loss = (found: readonly number[]) => found.reduce((all, x, i) => all + x * weights[i]!, 0)
  for (const [name, x] of Object.entries(tensors)) {
    const differences = finiteDifference(
      moved => loss(reference({ ...values, [name]: moved })),
      values[name]!,
    )
    expect(x.grad, name).not.toBe(null)
    expectClose(await x.grad!.toArray(), differences, GRADIENT, `d ${name}`, 0.1)
    x.grad!.dispose()
    x.grad = null
  }
}

export const options = { querySize: SIZE, memorySize: SIZE } as const
export const SCORES: Record<nn.AttentionScore, nn.ScoreOptions> = {
  dot: { ...options, score: 'dot' },
  scaledDot: { ...options, score: 'scaledDot' },
  general: { ...options, score: 'general' },
  additive: { ...options, score: 'additive', hiddenSize: 4 },
  location: { ...options, score: 'location', maxLength: MAX_LENGTH, bias: true },
  cosine: { ...options, score: 'cosine', scale: 3 },
}
export const NAMES: Record<nn.AttentionScore, string[]> = {
  dot: [],
  scaledDot: [],
  general: ['key.weight'],
  additive: ['query.weight', 'key.weight', 'v.weight'],
  location: ['query.weight', 'query.bias'],
  cosine: [],
}
export const KINDS = Object.values(SCORES)

/** One query for each sequence, or several. */
export const FORMS = [
  ['a query for each sequence', LENGTHS.map(() => 1)],
  ['packed queries', QUERIES],
] as const

export const formed = (query: Matrix, queries: readonly number[]): Query =>
  queries === QUERIES ? new PackedSequence(query, new Sequences(queries)) : query
export const rowsIn = (context: Query): Matrix => (context instanceof PackedSequence ? context.data : context)
