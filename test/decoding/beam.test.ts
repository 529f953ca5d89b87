import { describe, expect, test } from 'vitest'
import {
  type BeamOptions,
  beamSearch,
  type DecodeStep,
  greedy,
  type Hypothesis,
} from '../../src/decoding/index.js'
import { type PackedIds, Sequences } from '../../src/packed.js'
import type { State } from '../../src/state.js'
import { memory, tensor } from '../../src/tensor.js'
import { ownDevice, rejectionOf } from '../device/own.js'
import { allTexts, type Wanted } from './exhaustive.js'
import { constant, gruModel, type Model, tableModel, targets } from './models.js'

/** Sums of some log-probabilities of float32 logits around 5. */
const CLOSE = 1e-5

const C = 4
const END = 3
/** More than there are candidates of a sentence at any step: C · 3³. */
const ALL = 128

function expectTexts(found: readonly Hypothesis[], wanted: readonly Hypothesis[]): void {
  expect(found.map(({ tokens, ended }) => ({ tokens, ended }))).toEqual(
    wanted.map(({ tokens, ended }) => ({ tokens, ended })),
  )
  for (const [i, { score, logProbability }] of found.entries()) {
    expect(Math.abs(score - wanted[i]!.score)).toBeLessThan(CLOSE)
    expect(Math.abs(logProbability - wanted[i]!.logProbability)).toBeLessThan(CLOSE)
  }
}

interface Case {
  name: string
  options: Pick<BeamOptions<null>, 'lengthPenalty'>
  wanted: Omit<Wanted, 'maxLength' | 'end'>
}
const cases: Case[] = [
  { name: 'no penalty', options: {}, wanted: {} },
  {
    name: 'length^0.7',
    options: { lengthPenalty: { alpha: 0.7 } },
    wanted: { penalty: length => length ** 0.7 },
  },
  {
    name: 'length',
    options: { lengthPenalty: { alpha: 1, form: 'power' } },
    wanted: { penalty: length => length },
  },
  {
    name: 'the penalty of GNMT',
    options: { lengthPenalty: { alpha: 0.9, form: 'gnmt' } },
    wanted: { penalty: length => ((5 + length) / 6) ** 0.9 },
  },
]

const lengths = [4, 0, 2, 3, 1]
const sentences = lengths.map((_, b) => b)

async function expectExhaustive<S extends State>(model: Model<S>, { options, wanted }: Case): Promise<void> {
  for (const nBest of [1, 6]) {
    const found = await beamSearch(model.step, {
      ...{ state: model.start(sentences), sentences: lengths.length, begin: 0, end: END },
      ...{ maxLength: lengths, beams: ALL, nBest, ...options },
    })
    for (const [b, texts] of found.entries()) {
      if (lengths[b] === 0) {
        expect(texts).toEqual([{ tokens: [], logProbability: 0, ended: false, score: 0 }])
        continue
      }
      const all = allTexts(model, b, { ...wanted, end: END, maxLength: lengths[b]! })
      expectTexts(texts, all.slice(0, nBest))
    }
  }
  const [unmarked] = await beamSearch(model.step, {
    ...{ state: model.start([0]), sentences: 1, begin: 0, end: null, maxLength: 3, beams: 64, nBest: 64 },
    ...options,
  })
  expectTexts(unmarked!, allTexts(model, 0, { ...wanted, end: null, maxLength: 3 }))
}

describe.each(targets)('beam search on $name', target => {
  const on = target.open()

  describe('with enough beams is exhaustive search', () => {
    test.each(cases)('of a table, $name', async each => expectExhaustive(tableModel(on, C), each))
    test.each(cases)('of a GRU, $name', async each => expectExhaustive(gruModel(on, C), each))
  })

  test('adds the coverage penalty of each hypothesis', async () => {
    const model = tableModel(on, C)
    const [tokens, beta] = [[3, 0, 2], 0.4]
    /** The attention to source token j after a token was read; never in all to one source token. */
    const weight = (token: number, j: number, count: number) => {
      const all = Array.from({ length: count }, (_, i) => 1 + ((3 * token + 2 * i) % 5))
      return all[j]! / all.reduce((sum, x) => sum + x, 0)
    }
    const step: typeof model.step = (last, state) => {
      const weights = tokens.flatMap((count, b) => {
        const own = last.ids.subarray(last.sequences.offsets[b]!, last.sequences.offsets[b + 1]!)
        return [...own].flatMap(token => Array.from({ length: count }, (_, j) => weight(token, j, count)))
      })
      return { ...model.step(last, state), attention: tensor(weights, [weights.length], { device: on }) }
    }
    const found = await beamSearch(step, {
      ...{ state: model.start([0, 1, 2]), sentences: 3, begin: 0, end: END, maxLength: 4 },
      ...{ beams: ALL, nBest: 8, lengthPenalty: { alpha: 0.6 } },
      coverage: { beta, source: new Sequences(tokens) },
    })
    for (const [b, texts] of found.entries()) {
      const coverage = (asked: readonly number[]) => {
        return (
          beta *
          Array.from({ length: tokens[b]! }, (_, j) => {
            const sum = asked.reduce((total, token) => total + weight(token, j, tokens[b]!), 0)
            return Math.log(Math.min(sum, 1))
          }).reduce((total, x) => total + x, 0)
        )
      }
      const wanted = { end: END, maxLength: 4, penalty: (length: number) => length ** 0.6, coverage }
      expectTexts(texts, allTexts(model, b, wanted).slice(0, 8))
    }
    expect(found[0]![0]!.score).toBeLessThan(found[0]![0]!.logProbability / 5 ** 0.6)
  })

  test('with one beam is greedy decoding', async () => {
    for (const model of [tableModel(on, 9, 3), tableModel(on, 9, 4)]) {
      const options = { state: model.start([0, 1, 2, 3]), sentences: 4, begin: 0, end: 2, maxLength: 7 }
      const wanted = await greedy(model.step, options)
      const found = await beamSearch(model.step, { ...options, beams: 1 })
      expect(found.map(([text]) => text)).toEqual(
        wanted.map(text => ({ ...text, score: text.logProbability })),
      )
      const normalised = await beamSearch(model.step, {
        ...{ ...options, beams: 1, stop: 'beams' as const, lengthPenalty: { alpha: 1 } },
      })
      expect(normalised.map(([text]) => text!.tokens)).toEqual(wanted.map(({ tokens }) => tokens))
    }
  })

  test('of equal candidates takes the earlier hypothesis, then the lower token', async () => {
    const options = { state: null, sentences: 1, begin: 0, end: null, maxLength: 2, beams: 4, nBest: 4 }
    const [found] = await beamSearch(constant(on, [1, 1, 1]), options)
    expect(found!.map(({ tokens }) => tokens)).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ])
  })

  test('of equal scores takes the text that ended earlier', async () => {
    // Each token halves the probability, and the score is the mean.
    const [found] = await beamSearch(constant(on, [0, 0]), {
      ...{ state: null, sentences: 1, begin: 0, end: 1, maxLength: 9, beams: 3, nBest: 3 },
      lengthPenalty: { alpha: 1 },
    })
    expect(found!.map(({ tokens }) => tokens)).toEqual([[], [0], [0, 0]])
  })

  test('finds for many sentences at once what it finds for each alone', async () => {
    const model = gruModel(on, 12, 5)
    const options = { begin: 0, end: 4, beams: 5, nBest: 3, lengthPenalty: { alpha: 0.8 } }
    const maxLength = [6, 9, 3, 0, 8, 1, 7]
    const all = maxLength.map((_, b) => b)
    const together = await beamSearch(model.step, {
      ...{ ...options, state: model.start(all), sentences: all.length, maxLength },
    })
    for (const b of all) {
      const alone = { ...options, state: model.start([b]), sentences: 1, maxLength: maxLength[b]! }
      expect(await beamSearch(model.step, alone)).toEqual([together[b]])
    }
  })

  test('asks nothing of a sentence that is done, and at most `beams` rows of the others', async () => {
    const asked: number[][] = []
    const model = tableModel(on, 9, 4)
    const step: typeof model.step = (last, state) => {
      asked.push([...last.sequences.lengths()])
      return model.step(last, state)
    }
    const options = { state: model.start([0, 1, 2]), sentences: 3, begin: 0, end: 2, beams: 4 }
    await beamSearch(step, { ...options, maxLength: [5, 0, 2] })
    expect(asked[0]).toEqual([1, 0, 1])
    expect(asked[1]).toEqual([4, 0, 4])
    for (const lengths of asked.slice(2)) {
      expect([lengths[1], lengths[2]]).toEqual([0, 0])
      expect(lengths[0]).toBe(4)
    }
    expect(asked.length).toBeLessThanOrEqual(5)
    asked.length = 0
    expect(await beamSearch(step, { ...options, maxLength: 0 })).toHaveLength(3)
    expect(asked).toEqual([])
  })

  test('is done when no living hypothesis can score more', async () => {
    const counted = async (options: Partial<BeamOptions<null>>) => {
      let steps = 0
      // log p of the end mark is −0.55, of each of the others −1.55.
      const model = constant(on, [0, 0, 1])
      const step: DecodeStep<null> = (last, state) => {
        steps++
        return model(last, state)
      }
      const [found] = await beamSearch(step, {
        ...{ state: null, sentences: 1, begin: 0, end: 2, maxLength: 40, beams: 2, ...options },
      })
      return { steps, tokens: found!.map(({ tokens }) => tokens) }
    }
    expect(await counted({})).toEqual({ steps: 1, tokens: [[]] })
    // The second best text, [0], ends in the second step.
    expect(await counted({ nBest: 2 })).toEqual({ steps: 2, tokens: [[], [0]] })
    // Bound: −1.55 n / 40, against −0.55 of the empty text: n = 15.
    expect(await counted({ lengthPenalty: { alpha: 1 } })).toEqual({ steps: 15, tokens: [[]] })
    expect((await counted({ lengthPenalty: { alpha: 1 }, stop: 'beams' })).steps).toBe(2)
  })

  test('lets `topK` tokens of each hypothesis compete', async () => {
    const [found] = await beamSearch(constant(on, [3, 2, 1, 0]), {
      ...{ state: null, sentences: 1, begin: 0, end: null, maxLength: 2, beams: 16, nBest: 16, topK: 2 },
    })
    expect(found!.map(({ tokens }) => tokens)).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ])
  })

  test('never takes a token of probability 0', async () => {
    const [found] = await beamSearch(constant(on, [0, -Infinity, 0]), {
      ...{ state: null, sentences: 1, begin: 0, end: null, maxLength: 1, beams: 3, nBest: 3 },
    })
    expect(found!.map(({ tokens }) => tokens)).toEqual([[0], [2]])
  })

  test('ends before the next step when its signal aborts', async () => {
    const stop = new AbortController()
    let steps = 0
    const model = gruModel(on, C)
    const step: typeof model.step = (last, state) => {
      if (++steps === 2) stop.abort(new Error('enough'))
      return model.step(last, state)
    }
    const options = { state: model.start([0]), sentences: 1, begin: 0, end: null, maxLength: 9, beams: 2 }
    await expect(beamSearch(step, { ...options, signal: stop.signal })).rejects.toThrow('enough')
    expect(steps).toBe(2)
    await expect(beamSearch(step, { ...options, signal: stop.signal })).rejects.toThrow('enough')
    expect(steps).toBe(2)
  })
})

test('holds as much memory after it as before it, also if it fails', async () => {
  const on = ownDevice()
  const model = gruModel(on, C)
  const state = model.start([0, 1])
  const options = { state, sentences: 2, begin: 0, end: END, maxLength: 6, beams: 3 }
  const step: typeof model.step = (last, s) => {
    const found = model.step(last, s)
    const many = last.ids.map((_, row) => row)
    return { ...found, attention: tensor(Float32Array.from(many), [many.length], { device: on }) }
  }
  const search = () => beamSearch(step, { ...options, coverage: { beta: 1, source: new Sequences([1, 1]) } })
  // The first one leaves the layer's workspaces.
  await search()
  await on.synchronize()
  const before = [memory().tensors, on.memory().held]
  await search()
  await on.synchronize()
  expect([memory().tensors, on.memory().held]).toEqual(before)
  let steps = 0
  const failing: typeof model.step = (last, s) => {
    if (++steps === 3) throw new Error('no more')
    return step(last, s)
  }
  await expect(beamSearch(failing, { ...options, end: null })).rejects.toThrow('no more')
  await on.synchronize()
  expect([memory().tensors, on.memory().held]).toEqual(before)
})

describe('errors name the argument', () => {
  const on = targets[0]!.open()
  const step = constant(on, [0, 1, 2])
  const good = { state: null, sentences: 2, begin: 0, end: 2, maxLength: 3, beams: 2 }
  const refused = async (wrong: object, of: unknown = step) =>
    (await rejectionOf(Reflect.apply(beamSearch, null, [of, { ...good, ...wrong }]))).message

  test.each([
    [{ beam: 3 }, 'beamSearch: options.beam: wanted a known option, perhaps beams, got beam'],
    [{ beams: 0 }, 'beamSearch: beams: wanted an integer from 1 to 1048576, got 0'],
    [{ nBest: 3 }, 'beamSearch: nBest: wanted an integer from 1 to 2, got 3'],
    [{ stop: 'now' }, 'beamSearch: stop: wanted one of bound, beams, got now'],
    [{ topK: 0 }, 'beamSearch: topK: wanted an integer from 1 to 2147483647, got 0'],
    [
      { lengthPenalty: { alpha: -1 } },
      'beamSearch: lengthPenalty.alpha: wanted a number from 0 to Infinity, got -1',
    ],
    [{ lengthPenalty: { beta: 1 } }, /^beamSearch: lengthPenalty.beta: wanted a known option/],
    [
      { lengthPenalty: { alpha: 1, form: 'x' } },
      'beamSearch: lengthPenalty.form: wanted one of power, gnmt, got x',
    ],
    [
      { coverage: { beta: 1, source: [1, 2] } },
      'beamSearch: coverage.source: wanted a Sequences, got [1, 2]',
    ],
    [
      { coverage: { beta: 1, source: new Sequences([1]) } },
      'beamSearch: coverage.source: wanted 2 sequences, got 1',
    ],
    [
      { coverage: { beta: 1, source: new Sequences([1, 1]) } },
      'beamSearch: step: attention: wanted weights, for `coverage`, got undefined',
    ],
    [{ end: 3 }, 'beamSearch: end: wanted a token from 0 to 2, as the step has logits for, got 3'],
    [{ begin: [0] }, 'beamSearch: begin: wanted 2 integers, one a sentence, got 1'],
    [{ maxLength: [1, -1] }, 'beamSearch: maxLength[1]: wanted an integer from 0 to 2147483647, got -1'],
  ])('%o', async (wrong, message) => {
    expect(await refused(wrong)).toMatch(message)
  })

  test('of the step', async () => {
    expect(await refused({}, 3)).toBe('beamSearch: step: wanted a function, got 3')
    expect(await refused({}, () => null)).toBe(
      'beamSearch: step: wanted a function that returns logits and a state, got null',
    )
    const state = { h: tensor([1, 2, 3, 4], [2, 2], { device: on }) }
    expect(await refused({ state, sentences: 3 })).toBe(
      'beamSearch: state.h: wanted shape [3, ...], got [2, 2]',
    )
    const short = (last: PackedIds) => ({ ...step(last, null), state: { h: [tensor([1])] } })
    expect(await refused({}, short)).toBe('beamSearch: step: state.h.0: wanted shape [2, ...], got [1]')
    const wide = () => ({ logits: tensor([1, 2]), state: null })
    expect(await refused({}, wide)).toBe('beamSearch: step: logits: wanted shape [2, *], got [2]')
    const code = await rejectionOf(beamSearch(constant(on, [Number.NaN, 1, 1]), good))
    expect([code.code, code.message]).toEqual([
      'ERR_NON_FINITE',
      'beamSearch: step: logits: wanted a finite logit for sentence 0, and neither NaN nor Infinity, got NaN',
    ])
  })
})
