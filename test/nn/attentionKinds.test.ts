import { describe, expect, test } from 'vitest'
import * as nn from '../../src/nn/index.js'
import { add, mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { tensor } from '../../src/tensor.js'
import { targets } from '../decoding/models.js'
import { finiteDifference } from '../reference/gradient.js'
import { expectClose, expectSameBits } from '../suite/compare.js'
import {
  dot,
  drawn,
  expected,
  expectGradients,
  FORMS,
  formed,
  GRADIENT,
  LENGTHS,
  ranges,
  rowsIn,
  rowsOf,
  SCORES,
  SIZE,
  softmax,
  times,
  total,
  VALUE,
  type Values,
  type Weigh,
} from './attentionCases.js'

/** Local and hard attention: the formula in float64, with gradients of all inputs. */

describe.each(targets)('local attention on $name', target => {
  const device = target.open()
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
        ...{ device, window },
        positionSize: 5,
        generator: new Generator(2),
      })
      await scope(async () => {
        const { query, encoded, tensors, values } = await drawn(local, queries, device)
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
    using local = new nn.LocalAttention({ ...SCORES.dot, device, window: 1, generator: new Generator(2) })
    await scope(async () => {
      const rows = tensor<2>(new Float32Array(20 * SIZE).fill(0.1), [20, SIZE], { device })
      const encoded = new PackedSequence(rows, new Sequences([20]))
      const query = tensor<2>(new Float32Array(SIZE).fill(0), [1, SIZE], { device })
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

describe.each(targets)('hard attention on $name', target => {
  const device = target.open()

  test.each(FORMS)('one row, its log-probability and the gradient of it, for %s', async (_, queries) => {
    using hard = new nn.HardAttention({ ...SCORES.additive, device, generator: new Generator(4) })
    await scope(async () => {
      const { query, encoded, tensors, values } = await drawn(hard, queries, device)
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
      device,
      querySize: 1,
      memorySize: 1,
      generator: new Generator(5),
    })
    await scope(async () => {
      const draws = 5_000
      const encoded = packSequence([Float32Array.of(0, Math.log(3), Math.log(2))], { inputSize: 1, device })
      const queries = packSequence([new Float32Array(draws).fill(1)], { inputSize: 1, device })
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

  test('the same generator makes the same choice', async () => {
    using hard = new nn.HardAttention({ ...SCORES.dot, device })
    await scope(async () => {
      const { query, encoded } = await drawn(
        hard,
        LENGTHS.map(() => 1),
        device,
      )
      const prepared = hard.memory(encoded)
      const choice = () => hard.forward(query, prepared, { generator: new Generator(9) }).weights.toArray()
      expectSameBits(await choice(), await choice())
    })
  })

  test('with REINFORCE the query learns which row is rewarded', async () => {
    using hard = new nn.HardAttention({ ...SCORES.general, device, generator: new Generator(6) })
    // Three rows that differ, and a query.
    const rows = Float32Array.from({ length: 3 * SIZE }, (_, i) =>
      i % SIZE === Math.floor(i / SIZE) ? 1 : 0,
    )
    const memoryOf = () => hard.memory(packSequence([rows], { inputSize: SIZE, device }))
    const probability = () =>
      scope(async () => {
        const query = tensor<2>(new Float32Array(SIZE).fill(0.5), [1, SIZE], { device })
        return softmax([...(await hard.scores(query, memoryOf()).data.toArray())])[1]!
      })
    const first = await probability()
    for (let step = 0; step < 60; step++) {
      await scope(async () => {
        const queries = packSequence([new Float32Array(8 * SIZE).fill(0.5)], { inputSize: SIZE, device })
        const { weights, logProbability } = hard.forward(queries, memoryOf())
        const chosen = await weights.toArray()
        const rewards = Float32Array.from({ length: 8 }, (_, i) => chosen[3 * i + 1]! - 1 / 3)
        const loss = mul(sum(mul(logProbability, tensor(rewards, [8], { device }))), -1 / 8)
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
