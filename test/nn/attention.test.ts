import { describe, expect, test } from 'vitest'
import * as nn from '../../src/nn/index.js'
import { embedding } from '../../src/ops/embedding.js'
import { packedRows } from '../../src/ops/rows.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Matrix, memory, tensor } from '../../src/tensor.js'
import { targets } from '../decoding/models.js'
import { expectClose, expectSameBits } from '../suite/compare.js'
import {
  dot,
  drawn,
  expected,
  expectGradients,
  FORMS,
  formed,
  KINDS,
  LENGTHS,
  NAMES,
  options,
  QUERIES,
  ranges,
  rowsIn,
  rowsOf,
  SCORES,
  SIZE,
  soft,
  softmax,
  times,
  total,
  VALUE,
  type Values,
} from './attentionCases.js'

/** Attention by each score, and over the rows of a sequence itself: the formula in float64, with gradients of all inputs. */

const cases = targets.flatMap(target =>
  KINDS.map(given => [given.score, target.name, given, target] as const),
)

describe.each(cases)('score %s on %s', (score, _, kind, target) => {
  const given = { ...kind, device: target.open() }

  test('parameters are those of linear layers', () => {
    using attention = new nn.Attention(given)
    expect(attention.namedParameters().map(([name]) => name)).toEqual(NAMES[score])
  })

  test.each(FORMS)('contexts, weights and gradients of %s', async (_, queries) => {
    using attention = new nn.Attention({ ...given, generator: new Generator(1) })
    await scope(async () => {
      const { query, encoded, tensors, values } = await drawn(attention, queries, given.device)
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
      const { query, encoded, tensors, values } = await drawn(attention, queries, given.device)
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
      const { query, encoded } = await drawn(attention, QUERIES, given.device)
      const own = new PackedSequence(query, new Sequences(QUERIES))
      const before = attention.forward(own, attention.memory(encoded), { weights: true })
      const numbers = await encoded.data.toArray()
      numbers.fill(9, 3 * SIZE, 8 * SIZE) // the third sentence
      const { device } = given
      const changed = new PackedSequence(tensor<2>(numbers, [9, SIZE], { device }), encoded.sequences)
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

describe.each(targets)('self-attention on $name', target => {
  test.each([
    { projections: true, causal: false },
    { projections: true, causal: true },
    { projections: false, causal: true },
  ])('projections $projections, causal $causal', async ({ projections, causal }) => {
    const sizes = projections ? { hiddenSize: 4, outputSize: 3 } : {}
    using attention = new nn.SelfAttention({
      device: target.open(),
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
      const { encoded, tensors, values } = await drawn(attention, LENGTHS, target.open())
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

test('invalid arguments throw', () => {
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
