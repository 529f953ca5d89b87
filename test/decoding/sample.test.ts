import { describe, expect, test } from 'vitest'
import {
  type DecodeStep,
  greedy,
  type SampleOptions,
  sample,
  sampleStream,
} from '../../src/decoding/index.js'
import { manualSeed } from '../../src/random.js'
import { rejectionOf } from '../device/own.js'
import { constant, gruModel, logSoftmaxOf, tableModel, targets } from './models.js'

const DRAWS = 5_000
/** χ² that is exceeded once in 1,000 seeds, for 1 to 5 degrees of freedom. */
const LIMITS = [10.83, 13.82, 16.27, 18.47, 20.52]

describe.each(targets)('sampling on $name', target => {
  const on = target.open()
  const logits = [1, -0.5, 2, 0, 0.3, -1.2]

  /** How often each token was drawn as the first one of so many sentences. */
  async function counts(options: Partial<SampleOptions<null>>): Promise<number[]> {
    const drawn = await sample(constant(on, logits), {
      ...{ state: null, sentences: DRAWS, begin: 0, end: null, maxLength: 1, seed: 17, ...options },
    })
    const found = logits.map(() => 0)
    for (const { tokens } of drawn) found[tokens[0]!]!++
    return found
  }

  /** Compares counts with weights, of which those that are 0 must not be drawn. */
  function expectDistribution(found: readonly number[], weights: readonly number[]): void {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    let chiSquare = 0
    for (const [token, weight] of weights.entries()) {
      const wanted = (DRAWS * weight) / total
      if (weight === 0) expect(found[token]).toBe(0)
      else chiSquare += (found[token]! - wanted) ** 2 / wanted
    }
    expect(chiSquare).toBeLessThan(LIMITS[weights.filter(weight => weight > 0).length - 2]!)
    expect(chiSquare).toBeGreaterThan(0)
  }

  const p = logSoftmaxOf(logits).map(Math.exp)
  const kept = (tokens: readonly number[], of = p) => of.map((x, token) => (tokens.includes(token) ? x : 0))
  const colder = p.map(x => x ** 2)
  // The probabilities in order: of token 2 0.55, 0 0.20, 4 0.10, 3 0.07, 1 0.05, 5 0.02.
  test.each<[string, Partial<SampleOptions<null>>, number[]]>([
    ['as the model has it', {}, p],
    ['at temperature 1/2', { temperature: 0.5 }, colder],
    ['at temperature 3', { temperature: 3 }, p.map(x => x ** (1 / 3))],
    ['the 3 most probable', { topK: 3 }, kept([0, 2, 4])],
    ['more than there are', { topK: 99 }, p],
    ['without the most probable one', { exclude: [2] }, kept([0, 1, 3, 4, 5])],
    ['the nucleus of 0.7', { topP: 0.7 }, kept([0, 2])],
    ['the nucleus of 0.85', { topP: 0.85 }, kept([0, 2, 4])],
    ['the nucleus of 0.9', { topP: 0.9 }, kept([0, 2, 4, 3])],
    [
      'the nucleus of 0.7 at temperature 3',
      { topP: 0.7, temperature: 3 },
      kept(
        [2, 0, 4, 3],
        p.map(x => x ** (1 / 3)),
      ),
    ],
    ['the nucleus of 0.9 among the 4 most probable', { topP: 0.9, topK: 4 }, kept([0, 2, 4])],
    ['those of at least 0.09', { minProbability: 0.09 }, kept([0, 2, 4])],
    [
      'those of at least 0.09 at temperature 1/2',
      { minProbability: 0.09, temperature: 0.5 },
      kept([0, 2, 4], colder),
    ],
  ])('draws %s', async (_, options, weights) => {
    expectDistribution(await counts(options), weights)
  })

  test('always keeps the most probable token', async () => {
    expect((await counts({ minProbability: 1 }))[2]).toBe(DRAWS)
    expect((await counts({ topP: 1e-9 }))[2]).toBe(DRAWS)
    expect((await counts({ topK: 1 }))[2]).toBe(DRAWS)
  })

  test('draws each step anew', async () => {
    const [text] = await sample(constant(on, [0, 0]), {
      ...{ state: null, sentences: 1, begin: 0, end: null, maxLength: 400, seed: 3 },
    })
    const ones = text!.tokens.filter(token => token === 1).length
    const changes = text!.tokens.filter((token, i) => i > 0 && token !== text!.tokens[i - 1]).length
    // Five standard deviations of 400 coins are 50.
    for (const count of [ones, changes]) expect(Math.abs(count - 200)).toBeLessThan(50)
  })

  test('the same seed draws the same texts, whatever else draws numbers; another seed draws others', async () => {
    const model = tableModel(on, 12, 6)
    const options = { state: model.start([0, 1, 2]), sentences: 3, begin: 0, end: null, maxLength: 12 }
    manualSeed(1)
    const first = await sample(model.step, { ...options, seed: 5, topK: 8 })
    manualSeed(2)
    expect(await sample(model.step, { ...options, seed: 5, topK: 8 })).toEqual(first)
    expect(await sample(model.step, { ...options, seed: 6, topK: 8 })).not.toEqual(first)
  })

  test('a text does not depend on the other sentences', async () => {
    const model = gruModel(on, 12, 6)
    const draw = (maxLength: number[]) =>
      sample(model.step, {
        ...{ state: model.start(maxLength.map((_, b) => b)), sentences: maxLength.length },
        ...{ begin: 0, end: 2, maxLength, seed: 4, temperature: 1.5, topK: 6 },
      })
    const together = await draw([9, 9, 9, 9])
    expect(new Set(together.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(1)
    expect((await draw([0, 9, 1, 9]))[3]).toEqual(together[3])
    expect((await draw([0, 9, 1, 9]))[1]).toEqual(together[1])
    expect(await draw([9, 9])).toEqual(together.slice(0, 2))
  })

  test('its log-probability is the model’s, whatever shapes it', async () => {
    const model = gruModel(on, 6, 2)
    const all = [0, 1, 2]
    const found = await sample(model.step, {
      ...{ state: model.start(all), sentences: 3, begin: 0, end: 1, maxLength: 6 },
      ...{ seed: 2, temperature: 2, topK: 4, topP: 0.95 },
    })
    for (const [b, { tokens, ended, logProbability }] of found.entries()) {
      const wanted = [...tokens, ...(ended ? [1] : [])].reduce(
        (sum, token, t) => sum + model.after(b, tokens.slice(0, t))[token]!,
        0,
      )
      expect(Math.abs(logProbability - wanted)).toBeLessThan(1e-5)
    }
  })

  test('streams the same tokens', async () => {
    const model = gruModel(on, 6, 2)
    const options = { state: model.start([0, 1]), sentences: 2, begin: 0, end: 1, maxLength: 9, seed: 8 }
    const streamed: number[][] = [[], []]
    for await (const { sentences, tokens } of sampleStream(model.step, options)) {
      for (const [row, b] of sentences.entries()) streamed[b]!.push(tokens[row]!)
    }
    expect(streamed).toEqual((await sample(model.step, options)).map(({ tokens }) => tokens))
  })
})

describe('errors name the argument', () => {
  const step = constant(targets[0]!.open(), [0, 1, 2])
  const good = { state: null, sentences: 2, begin: 0, end: 2, maxLength: 3, seed: 1 }
  test.each([
    [{ temperature: 0 }, 'sample: temperature: wanted a number above 0 (`greedy` is the limit at 0), got 0'],
    [{ temperature: Number.NaN }, 'sample: temperature: wanted a number above 0, got NaN'],
    [{ topK: 0 }, 'sample: topK: wanted an integer from 1 to 2147483647, got 0'],
    [{ topP: 0 }, 'sample: topP: wanted a number above 0, at most 1, got 0'],
    [{ topP: 1.5 }, 'sample: topP: wanted a number above 0, at most 1, got 1.5'],
    [{ minProbability: 2 }, 'sample: minProbability: wanted a number from 0 to 1, got 2'],
    [{ seed: -1 }, 'Generator: seed: wanted an integer from 0 to 2^53 - 1, got -1'],
    [{ top_k: 1 }, 'sample: options.top_k: wanted a known option, perhaps topK, got top_k'],
    [{ sentences: 1.5 }, 'sample: sentences: wanted an integer from 0 to 2147483647, got 1.5'],
  ])('%o', async (wrong, message) => {
    const call: Promise<unknown> = Reflect.apply(sample, null, [step, { ...good, ...wrong }])
    expect((await rejectionOf(call)).message).toBe(message)
  })

  test('greedy takes none of the options of sampling', async () => {
    const call: Promise<unknown> = Reflect.apply(greedy, null, [step, good])
    expect((await rejectionOf(call)).message).toMatch(/^greedy: options.seed: wanted a known option/)
  })

  test('a token that cannot be', async () => {
    const nothing: DecodeStep<null> = constant(targets[0]!.open(), [-Infinity, -Infinity, -Infinity])
    expect((await rejectionOf(sample(nothing, good))).code).toBe('ERR_NON_FINITE')
    const { seed: _, ...rest } = good
    expect((await rejectionOf(greedy(nothing, rest))).code).toBe('ERR_NON_FINITE')
  })
})

describe.each(targets)('excluded tokens on $name', target => {
  test('leave the probabilities of the others as they are', async () => {
    const logits = [1, -0.5, 2, 0]
    const step = constant(target.open(), logits)
    const options = { state: null, sentences: 1, begin: 0, end: null, maxLength: 1, exclude: [2] }
    const [found] = await greedy(step, options)
    expect(found!.tokens).toEqual([0])
    expect(found!.logProbability).toBeCloseTo(logSoftmaxOf(logits)[0]!, 5)
    const error = await rejectionOf(greedy(step, { ...options, exclude: [0, 4] }))
    expect(error.message).toContain('exclude[1]: wanted a token from 0 to 3')
  })
})
