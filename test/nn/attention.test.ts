import { describe, expect, test } from 'vitest'
import * as nn from '../../src/nn/index.js'
import { add, mul } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { sum } from '../../src/ops/reduce.js'
import { packedRows } from '../../src/ops/rows.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Matrix, memory, type Tensor, tensor } from '../../src/tensor.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose, expectSameBits } from '../suite/compare.js'

/** The attention modules: each score and each kind against the formula in float64, with gradients of all inputs. */

const LENGTHS = [3, 0, 5, 1]
const QUERIES = [2, 1, 1, 3]
const SIZE = 6
const MAX_LENGTH = 7
/** float32 sums of a few terms against float64. */
const VALUE = 2e-6
const GRADIENT = 2e-5

type Values = Record<string, Float64Array>
type Query = Matrix | PackedSequence
type Row = readonly number[]

const total = (lengths: readonly number[]) => lengths.reduce((sum, n) => sum + n, 0)
const dot = (a: Row, b: Row) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
const times = (matrix: readonly Row[], x: Row) => matrix.map(row => dot(row, x))

function rowsOf(values: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, r) =>
    Array.from({ length: width }, (_, c) => values[r * width + c]!),
  )
}

/** [from, to) of each sequence. */
function ranges(lengths: readonly number[]): [number, number][] {
  return lengths.map((length, b) => [total(lengths.slice(0, b)), total(lengths.slice(0, b)) + length])
}

function softmax(scores: Row): number[] {
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
type Weigh = (scores: Row, values: Values, s: Row, i: number) => number[]

function expected(score: nn.AttentionScore, values: Values, queries: readonly number[], weigh: Weigh) {
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

const soft: Weigh = scores => softmax(scores)

/** Random numbers for the inputs, and the module's own parameters. */
async function drawn(module: nn.Module, queries: readonly number[]) {
  const generator = new Generator(3)
  const random = (count: number) => Float32Array.from({ length: count }, () => generator.uniform(-1, 1))
  const query = tensor<2>(random(total(queries) * SIZE), [total(queries), SIZE], { requiresGrad: true })
  const encoded = tensor<2>(random(total(LENGTHS) * SIZE), [total(LENGTHS), SIZE], { requiresGrad: true })
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
async function expectGradients(
  context: Matrix,
  tensors: Record<string, Tensor<'float32'>>,
  values: Values,
  reference: (values: Values) => readonly number[],
): Promise<void> {
  const weights = Float32Array.from({ length: context.size }, (_, i) => Math.cos(i))
  sum(mul(context, tensor<2>(weights, context.shape))).backward()
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

const options = { querySize: SIZE, memorySize: SIZE } as const
const SCORES: Record<nn.AttentionScore, nn.ScoreOptions> = {
  dot: { ...options, score: 'dot' },
  scaledDot: { ...options, score: 'scaledDot' },
  general: { ...options, score: 'general' },
  additive: { ...options, score: 'additive', hiddenSize: 4 },
  location: { ...options, score: 'location', maxLength: MAX_LENGTH, bias: true },
  cosine: { ...options, score: 'cosine', scale: 3 },
}
const NAMES: Record<nn.AttentionScore, string[]> = {
  dot: [],
  scaledDot: [],
  general: ['key.weight'],
  additive: ['query.weight', 'key.weight', 'v.weight'],
  location: ['query.weight', 'query.bias'],
  cosine: [],
}
const KINDS = Object.values(SCORES)

/** One query for each sequence, or several. */
const FORMS = [
  ['a query for each sequence', LENGTHS.map(() => 1)],
  ['packed queries', QUERIES],
] as const

const formed = (query: Matrix, queries: readonly number[]): Query =>
  queries === QUERIES ? new PackedSequence(query, new Sequences(queries)) : query
const rowsIn = (context: Query): Matrix => (context instanceof PackedSequence ? context.data : context)

describe.each(KINDS.map(given => [given.score, given] as const))('score %s', (score, given) => {
  test('parameters are those of linear layers', () => {
    using attention = new nn.Attention(given)
    expect(attention.namedParameters().map(([name]) => name)).toEqual(NAMES[score])
  })

  test.each(FORMS)('contexts, weights and gradients of %s', async (_, queries) => {
    using attention = new nn.Attention({ ...given, generator: new Generator(1) })
    await scope(async () => {
      const { query, encoded, tensors, values } = await drawn(attention, queries)
      const prepared = attention.memory(encoded)
      expect(prepared.values).toBe(encoded)
      const own = formed(query, queries)
      const found = attention.forward(own, prepared, { weights: true })
      const { context, weights } = expected(score, values, queries, soft)
      expectClose(await rowsIn(found.context).toArray(), context, VALUE, 'context')
      expectClose(await found.weights.toArray(), weights, VALUE, 'weights')
      const plain =
        own instanceof PackedSequence
          ? attention.forward(own, prepared).data
          : attention.forward(own, prepared)
      expectSameBits(await plain.toArray(), await rowsIn(found.context).toArray())
      await expectGradients(plain, tensors, values, moved => expected(score, moved, queries, soft).context)
    })
  })

  test.each(FORMS)('scores of all pairs of %s, with gradients', async (_, queries) => {
    using attention = new nn.Attention({ ...given, generator: new Generator(1) })
    await scope(async () => {
      const { query, encoded, tensors, values } = await drawn(attention, queries)
      const scores = attention.scores(formed(query, queries), attention.memory(encoded))
      const lengths = queries.flatMap((count, b) => new Array<number>(count).fill(LENGTHS[b]!))
      expect([...scores.sequences.lengths()]).toEqual(lengths)
      const raw = (moved: Values) => expected(score, moved, queries, given => [...given]).weights
      expectClose(await scores.data.toArray(), raw(values), VALUE, 'scores')
      if (score === 'location') return // nothing of the encoded rows is in them
      await expectGradients(scores.data, tensors, values, raw)
    })
  })

  test('a sentence keeps its bits when another one changes, and its weights add up to 1', async () => {
    using attention = new nn.Attention({ ...given, generator: new Generator(1) })
    await scope(async () => {
      const { query, encoded } = await drawn(attention, QUERIES)
      const own = new PackedSequence(query, new Sequences(QUERIES))
      const before = attention.forward(own, attention.memory(encoded), { weights: true })
      const numbers = await encoded.data.toArray()
      numbers.fill(9, 3 * SIZE, 8 * SIZE) // the third sentence
      const changed = new PackedSequence(tensor<2>(numbers, [9, SIZE]), encoded.sequences)
      const after = attention.forward(own, attention.memory(changed), { weights: true })
      const [a, b] = [await before.context.data.toArray(), await after.context.data.toArray()]
      expectSameBits(b.slice(0, 3 * SIZE), a.slice(0, 3 * SIZE))
      expectSameBits(b.slice(4 * SIZE), a.slice(4 * SIZE))
      expect(b.slice(3 * SIZE, 4 * SIZE)).not.toEqual(a.slice(3 * SIZE, 4 * SIZE))
      const weights = [...(await before.weights.toArray())]
      let at = 0
      for (const [sentence, count] of QUERIES.entries()) {
        for (let i = 0; i < count; i++, at += LENGTHS[sentence]!) {
          const all = total(weights.slice(at, at + LENGTHS[sentence]!))
          expect(all).toBeCloseTo(LENGTHS[sentence] === 0 ? 0 : 1, 6)
        }
      }
    })
  })
})

describe('local attention', () => {
  const window = 2
  const weigh: Weigh = (scores, values, s, _) => {
    const hidden = times(rowsOf(values['position.weight']!, SIZE), s).map(Math.tanh)
    const p = scores.length / (1 + Math.exp(-dot([...values['positionV.weight']!], hidden)))
    const inside = scores.map((score, j) => (Math.abs(j - p) <= window ? score : -Infinity))
    return softmax(inside).map((weight, j) => weight * Math.exp(-((j - p) ** 2) / (2 * (window / 2) ** 2)))
  }

  for (const score of ['dot', 'general', 'additive'] as const) {
    test.each(FORMS)(`${score}: contexts, weights and gradients of %s`, async (_, queries) => {
      using local = new nn.LocalAttention({
        ...SCORES[score],
        window,
        positionSize: 5,
        generator: new Generator(2),
      })
      await scope(async () => {
        const { query, encoded, tensors, values } = await drawn(local, queries)
        const prepared = local.memory(encoded)
        const found = local.forward(formed(query, queries), prepared, { weights: true })
        const wanted = expected(score, values, queries, weigh)
        expectClose(await rowsIn(found.context).toArray(), wanted.context, VALUE, 'context')
        expectClose(await found.weights.toArray(), wanted.weights, VALUE, 'weights')
        // Outside of the window: the third sentence has 5 rows, the window at most 5.
        const context = rowsIn(found.context)
        await expectGradients(
          context,
          tensors,
          values,
          moved => expected(score, moved, queries, weigh).context,
        )
      })
    })
  }

  test('rows outside the window have no weight', async () => {
    using local = new nn.LocalAttention({ ...SCORES.dot, window: 1, generator: new Generator(2) })
    await scope(async () => {
      const rows = tensor<2>(new Float32Array(20 * SIZE).fill(0.1), [20, SIZE])
      const encoded = new PackedSequence(rows, new Sequences([20]))
      const query = tensor<2>(new Float32Array(SIZE).fill(0), [1, SIZE])
      // The position is sigmoid(0) · 20 = 10.
      const { weights } = local.forward(query, local.memory(encoded), { weights: true })
      const outer = Math.exp(-2) / 3
      const wanted = Array.from({ length: 20 }, (_, j) =>
        j === 10 ? 1 / 3 : Math.abs(j - 10) === 1 ? outer : 0,
      )
      expectClose(await weights.toArray(), wanted, VALUE)
    })
  })
})

describe('hard attention', () => {
  test.each(FORMS)('one row, its log-probability and the gradient of it, for %s', async (_, queries) => {
    using hard = new nn.HardAttention({ ...SCORES.additive, generator: new Generator(4) })
    await scope(async () => {
      const { query, encoded, tensors, values } = await drawn(hard, queries)
      const prepared = hard.memory(encoded)
      const found = hard.forward(formed(query, queries), prepared)
      const chosen = [...(await found.weights.toArray())]
      const logs = expected('additive', values, queries, scores => softmax(scores).map(Math.log)).weights
      let at = 0
      const places = queries.flatMap((count, b) =>
        Array.from({ length: count }, () => {
          const own = chosen.slice(at, at + LENGTHS[b]!)
          at += own.length
          expect(total(own)).toBe(LENGTHS[b] === 0 ? 0 : 1)
          return own.indexOf(1)
        }),
      )
      const rows = rowsOf(values.encoded!, SIZE)
      const of = queries.flatMap((count, b) => new Array<number>(count).fill(b))
      const context = places.flatMap((place, i) =>
        place < 0 ? new Array<number>(SIZE).fill(0) : rows[ranges(LENGTHS)[of[i]!]![0] + place]!,
      )
      expect([...(await rowsIn(found.context).toArray())]).toEqual(context)
      const logsOf = (moved: Values) => {
        const all = expected('additive', moved, queries, scores => softmax(scores).map(Math.log)).weights
        let from = 0
        return places.map((place, i) => {
          const start = from
          from += LENGTHS[of[i]!]!
          return place < 0 ? 0 : all[start + place]!
        })
      }
      expect(logs).toHaveLength(chosen.length)
      expectClose(await found.logProbability.toArray(), logsOf(values), VALUE, 'log-probability')
      const column = add(found.logProbability, 0)
      sum(column).backward()
      for (const [name, x] of Object.entries(tensors)) {
        const loss = (moved: Float64Array) => total(logsOf({ ...values, [name]: moved }))
        expectClose(
          await x.grad!.toArray(),
          finiteDifference(loss, values[name]!),
          GRADIENT,
          `d ${name}`,
          0.1,
        )
        x.grad!.dispose()
        x.grad = null
      }
    })
  })

  test('rows are sampled with the probabilities of the scores; evaluation takes the most probable', async () => {
    using hard = new nn.HardAttention({
      ...SCORES.dot,
      querySize: 1,
      memorySize: 1,
      generator: new Generator(5),
    })
    await scope(async () => {
      const draws = 20_000
      const encoded = packSequence([Float32Array.of(0, Math.log(3), Math.log(2))], { inputSize: 1 })
      const queries = packSequence([new Float32Array(draws).fill(1)], { inputSize: 1 })
      const counts = async () => {
        const { context } = hard.forward(queries, hard.memory(encoded))
        const seen = await context.data.toArray()
        return [0, Math.log(3), Math.log(2)].map(
          value => seen.filter(x => Math.abs(x - value) < 1e-6).length / draws,
        )
      }
      // Four standard deviations of the largest.
      const allowed = 4 * Math.sqrt(0.25 / draws)
      for (const [i, share] of (await counts()).entries()) {
        expect(Math.abs(share - [1 / 6, 1 / 2, 1 / 3][i]!)).toBeLessThan(allowed)
      }
      hard.eval()
      expect(await counts()).toEqual([0, 1, 0])
    })
  })

  test('the same generator gives the same choice', async () => {
    using hard = new nn.HardAttention(SCORES.dot)
    await scope(async () => {
      const { query, encoded } = await drawn(
        hard,
        LENGTHS.map(() => 1),
      )
      const prepared = hard.memory(encoded)
      const choice = () => hard.forward(query, prepared, { generator: new Generator(9) }).weights.toArray()
      expectSameBits(await choice(), await choice())
    })
  })

  test('with REINFORCE the query learns which row is rewarded', async () => {
    using hard = new nn.HardAttention({ ...SCORES.general, generator: new Generator(6) })
    // Three rows that differ, and a query.
    const rows = Float32Array.from({ length: 3 * SIZE }, (_, i) =>
      i % SIZE === Math.floor(i / SIZE) ? 1 : 0,
    )
    const memoryOf = () => hard.memory(packSequence([rows], { inputSize: SIZE }))
    const probability = () =>
      scope(async () => {
        const query = tensor<2>(new Float32Array(SIZE).fill(0.5), [1, SIZE])
        return softmax([...(await hard.scores(query, memoryOf()).data.toArray())])[1]!
      })
    const first = await probability()
    for (let step = 0; step < 60; step++) {
      await scope(async () => {
        const queries = packSequence([new Float32Array(8 * SIZE).fill(0.5)], { inputSize: SIZE })
        const { weights, logProbability } = hard.forward(queries, memoryOf())
        const chosen = await weights.toArray()
        const rewards = Float32Array.from({ length: 8 }, (_, i) => chosen[3 * i + 1]! - 1 / 3)
        const loss = mul(sum(mul(logProbability, tensor(rewards))), -1 / 8)
        loss.backward()
        const weight = hard.key!.weight
        const [now, gradient] = [await weight.toArray(), await weight.grad!.toArray()]
        const moved = now.map((x, i) => x - 0.5 * gradient[i]!)
        hard.loadStateDict(new Map([['key.weight', { shape: weight.shape, data: moved }]]))
        hard.zeroGrad()
      })
    }
    expect(first).toBeLessThan(0.6)
    expect(await probability()).toBeGreaterThan(0.9)
  })
})

describe('self-attention', () => {
  test.each([
    { projections: true, causal: false },
    { projections: true, causal: true },
    { projections: false, causal: true },
  ])('projections $projections, causal $causal', async ({ projections, causal }) => {
    const sizes = projections ? { hiddenSize: 4, outputSize: 3 } : {}
    using attention = new nn.SelfAttention({
      inputSize: SIZE,
      projections,
      causal,
      ...sizes,
      generator: new Generator(7),
    })
    expect(attention.namedParameters().map(([name]) => name)).toEqual(
      projections ? ['query', 'key', 'value'].flatMap(name => [`${name}.weight`, `${name}.bias`]) : [],
    )
    await scope(async () => {
      const { encoded, tensors, values } = await drawn(attention, LENGTHS)
      const reference = (moved: Values) => {
        const x = rowsOf(moved.encoded!, SIZE)
        const of = (name: string) => {
          if (!projections) return x
          const [weight, bias] = [rowsOf(moved[`${name}.weight`]!, SIZE), moved[`${name}.bias`]!]
          return x.map(row => times(weight, row).map((y, a) => y + bias[a]!))
        }
        const [q, k, v] = [of('query'), of('key'), of('value')]
        return ranges(LENGTHS).flatMap(([from, to]) =>
          q.slice(from, to).flatMap((query, i) => {
            const end = causal ? from + i + 1 : to
            const weights = softmax(k.slice(from, end).map(key => dot(query, key) / Math.sqrt(q[0]!.length)))
            return v[0]!.map((_, c) => weights.reduce((all, weight, j) => all + weight * v[from + j]![c]!, 0))
          }),
        )
      }
      const y = attention.forward(encoded)
      expect(y.sequences).toBe(encoded.sequences)
      expectClose(await y.data.toArray(), reference(values), VALUE)
      const { query: _, ...own } = tensors
      await expectGradients(y.data, own, values, reference)
    })
  })
})

test('an indexed memory, and a memory without a sentence', async () => {
  const soft = new nn.Attention(SCORES.dot)
  const local = new nn.LocalAttention({ ...SCORES.dot, window: 2 })
  const hard = new nn.HardAttention(SCORES.dot).eval()
  for (const contextOf of [
    (x: PackedSequence, q: Matrix) => soft.forward(q, soft.memory(x)),
    (x: PackedSequence, q: Matrix) => local.forward(q, local.memory(x)),
    (x: PackedSequence, q: Matrix) => hard.forward(q, hard.memory(x)).context,
  ]) {
    await scope(async () => {
      const table = tensor<2>(
        Float32Array.from({ length: 4 * SIZE }, (_, i) => Math.sin(i)),
        [4, SIZE],
      )
      const words = embedding(table, packSequence([[0, 3, 3], [2]]))
      const plain = new PackedSequence(packedRows(words), words.sequences)
      const query = tensor<2>(new Float32Array(2 * SIZE).fill(0.3), [2, SIZE])
      expectSameBits(await contextOf(words, query).toArray(), await contextOf(plain, query).toArray())
      const nothing = packSequence([], { inputSize: SIZE })
      expect(contextOf(nothing, tensor<2>([], [0, SIZE])).shape).toEqual([0, SIZE])
    })
  }
})

test('a step leaves only its context', () => {
  using attention = new nn.Attention({ ...SCORES.additive })
  const encoded = packSequence([new Float32Array(SIZE)], { inputSize: SIZE })
  const query = tensor<2>(new Float32Array(SIZE), [1, SIZE])
  attention.freeze()
  const prepared = attention.memory(encoded)
  const before = memory().tensors
  const context = attention.forward(query, prepared)
  expect(memory().tensors - before).toBe(1)
  context.dispose()
})

test('what is refused', () => {
  type Call = [message: string, call: () => unknown]
  const untyped = <T>(value: unknown) => value as T
  const attention = new nn.Attention(SCORES.location)
  const dots = new nn.Attention(SCORES.dot)
  const encoded = packSequence([new Float32Array(SIZE)], { inputSize: SIZE })
  const calls: Call[] = [
    [
      'nn.Attention: score: wanted one of dot, ',
      () => new nn.Attention({ ...options, score: untyped('Dot') }),
    ],
    ['nn.Attention: querySize', () => new nn.Attention({ ...SCORES.dot, querySize: 0 })],
    [
      'nn.Attention: memorySize: wanted querySize 6 for',
      () => new nn.Attention({ ...SCORES.dot, memorySize: 7 }),
    ],
    ['nn.Attention: maxLength', () => new nn.Attention({ ...options, score: 'location' })],
    [
      'nn.Attention: hiddenSize: wanted none for the score dot',
      () => new nn.Attention({ ...SCORES.dot, hiddenSize: 3 }),
    ],
    ['nn.Attention: scale: wanted none', () => new nn.Attention({ ...SCORES.additive, scale: 2 })],
    ['nn.Attention: options.windw', () => new nn.Attention(untyped({ ...SCORES.dot, windw: 2 }))],
    ['nn.LocalAttention: window', () => new nn.LocalAttention({ ...SCORES.dot, window: 0.5 })],
    [
      'nn.SelfAttention: hiddenSize',
      () => new nn.SelfAttention({ inputSize: 3, projections: false, hiddenSize: 4 }),
    ],
    [
      'nn.Attention.memory: encoded: wanted sequences of at most maxLength 7 rows, got 8',
      () => attention.memory(packSequence([new Float32Array(8 * SIZE)], { inputSize: SIZE })),
    ],
    ['nn.Attention.memory: encoded', () => dots.memory(untyped(3))],
    [
      'nn.Attention.memory: encoded.data',
      () => dots.memory(packSequence([new Float32Array(4)], { inputSize: 4 })),
    ],
    ['nn.Attention: query', () => dots.forward(tensor<2>([1, 2], [1, 2]), dots.memory(encoded))],
    ['nn.Attention: query', () => dots.scores(untyped<Matrix>(null), dots.memory(encoded))],
    ['nn.Attention: memory: ', () => dots.forward(encoded, untyped(null))],
    ['nn.Attention: memory.values', () => dots.scores(encoded, untyped({ keys: encoded }))],
    ['nn.Attention: query', () => dots.forward(untyped<Matrix>('x'), dots.memory(encoded))],
    [
      'nn.Attention: query: wanted 1 sequences, got 2',
      () => dots.scores(tensor<2>(new Float32Array(2 * SIZE), [2, SIZE]), dots.memory(encoded)),
    ],
    [
      'nn.Attention: options.weigths',
      () => dots.forward(encoded, dots.memory(encoded), untyped({ weigths: true })),
    ],
  ]
  for (const [message, call] of calls) expect(call, message).toThrow(message)
})
