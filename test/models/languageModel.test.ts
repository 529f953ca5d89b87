import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { greedy } from '../../src/decoding/index.js'
import { LanguageModel, type LanguageModelOptions } from '../../src/models/index.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { thrownBy } from '../device/own.js'
import { expectClose, expectSameBits } from '../suite/compare.js'

const sizes = { vocabularySize: 11, embeddingDim: 4, hiddenSize: 6, numLayers: 3 }
const make = (options: Partial<LanguageModelOptions> = {}) =>
  new LanguageModel({ ...sizes, generator: new Generator(1), ...options })
const texts = [
  [1, 2, 3, 4, 5, 6],
  [7, 8, 9, 10, 0, 1],
]
const part = (from: number, to: number) => packSequence(texts.map(text => text.slice(from, to)))

describe('layers', () => {
  test('names and shapes', () => {
    using model = make()
    expect(model.namedParameters().map(([name, { shape }]) => `${name} ${shape}`)).toEqual([
      'embedding.weight 11,4',
      'rnns.0.module.weight_ih_l0 24,4',
      'rnns.0.module.weight_hh_l0 24,6',
      'rnns.0.module.bias_ih_l0 24',
      'rnns.0.module.bias_hh_l0 24',
      'rnns.1.module.weight_ih_l0 24,6',
      'rnns.1.module.weight_hh_l0 24,6',
      'rnns.1.module.bias_ih_l0 24',
      'rnns.1.module.bias_hh_l0 24',
      'rnns.2.module.weight_ih_l0 24,6',
      'rnns.2.module.weight_hh_l0 24,6',
      'rnns.2.module.bias_ih_l0 24',
      'rnns.2.module.bias_hh_l0 24',
      'output.weight 11,6',
      'output.bias 11',
    ])
  })

  test('tied: the output layer has the word vectors, and the last layer their size', () => {
    using model = make({ tied: true, bias: false })
    const names = model.namedParameters().map(([name]) => name)
    expect(names).not.toContain('output.weight')
    expect(names).not.toContain('output.bias')
    expect(model.output.weight).toBe(model.embedding.weight)
    expect([...model.rnns].map(rnn => rnn.module.hiddenSize)).toEqual([6, 6, 4])
  })

  test('parameters start as Merity et al. say, or as asked', async () => {
    using model = make()
    const words = await model.embedding.weight.toArray()
    expect(Math.max(...words.map(Math.abs))).toBeLessThanOrEqual(0.1)
    expect(Math.max(...words)).toBeGreaterThan(0.05)
    expect([...(await model.output.bias!.toArray())]).toEqual(new Array(11).fill(0))
    using uniform = make({ initial: { kind: 'uniform', bound: 0.01 } })
    for (const parameter of uniform.parameters()) {
      expect(Math.max(...(await parameter.toArray()).map(Math.abs))).toBeLessThanOrEqual(0.01)
    }
  })

  test.each<[string, Partial<LanguageModelOptions>, string]>([
    ['a size', { hiddenSize: 0 }, 'hiddenSize'],
    ['layers', { numLayers: 0 }, 'LanguageModel: numLayers'],
    ['words', { vocabularySize: 0 }, 'LanguageModel: vocabularySize'],
    ['a probability', { dropout: { weights: 2 } }, 'p: wanted'],
  ])('an invalid number of %s is rejected', (_, options, message) => {
    const error = thrownBy(() => make(options))
    expect(error.code).toBe('ERR_OUT_OF_RANGE')
    expect(error.message).toContain(message)
  })
})

test('the state of another number of layers is rejected', () => {
  using model = make()
  using other = make({ numLayers: 2 })
  const { state } = other.forward(part(0, 2))
  const error = thrownBy(() => model.forward(part(2, 4), state))
  expect([error.code, error.message]).toEqual([
    'ERR_SHAPE',
    'LanguageModel.forward: state: wanted the states of 3 layers, got 2',
  ])
  expect(thrownBy(() => model.decoding(2, state)).code).toBe('ERR_SHAPE')
})

test('windows that hand on the state compute what one pass computes', async () => {
  using model = make().eval()
  await scope(async () => {
    const whole = model.forward(part(0, 6))
    const first = model.forward(part(0, 2))
    const second = model.forward(part(2, 6), first.state)
    const rows = await whole.features.data.toArray()
    const [a, b] = [await first.features.data.toArray(), await second.features.data.toArray()]
    const width = 6
    const row = (i: number) => rows.slice(i * width, (i + 1) * width)
    for (const [stream, at] of [0, 6].entries()) {
      for (let t = 0; t < 6; t++) {
        const [from, i] = t < 2 ? [a, 2 * stream + t] : [b, 4 * stream + t - 2]
        expectSameBits(from.slice(i * width, (i + 1) * width), row(at + t))
      }
    }
  })
})

describe('dropout', () => {
  const all = { words: 0.3, input: 0.4, hidden: 0.3, output: 0.4, weights: 0.5 }

  test('is off in evaluation, and each kind changes the result in training', async () => {
    const featuresOf = async (options: Partial<LanguageModelOptions>, training: boolean) => {
      using model = make(options)
      model.train(training)
      return scope(() => noGrad(() => model.forward(part(0, 6)).features.data.toArray()))
    }
    const plain = await featuresOf({}, false)
    expectSameBits(await featuresOf({ dropout: all }, false), plain)
    for (const [kind, p] of Object.entries(all)) {
      expect(await featuresOf({ dropout: { [kind]: p } }, true), kind).not.toEqual(plain)
    }
  })

  test('of locked masks drops the same features of all tokens, and other ones of each text', async () => {
    for (const locked of [true, false]) {
      using model = make({ locked, dropout: { output: 0.5 }, hiddenSize: 40 })
      const { features } = model.forward(part(0, 6))
      const zeros = [...(await features.data.toArray())].map(x => x === 0)
      const rows = Array.from({ length: 12 }, (_, i) => zeros.slice(40 * i, 40 * i + 40).join())
      expect(new Set(rows.slice(0, 6)).size === 1).toBe(locked)
      expect(rows[0]).not.toBe(rows[6])
      features.dispose()
    }
  })

  test('every parameter has a gradient', async () => {
    using model = make({ dropout: all, tied: true })
    await scope(async () => {
      const { features } = model.forward(part(0, 5))
      const next = texts.flatMap(text => text.slice(1))
      crossEntropy(model.logits(features.data), next).backward()
      for (const [name, { grad }] of model.namedParameters()) {
        const largest = Math.max(...(await grad!.toArray()).map(Math.abs))
        expect(largest, name).toBeGreaterThan(0)
      }
      model.zeroGrad()
    })
  })
})

test('greedy decoding takes the likeliest token after the whole text', async () => {
  using model = make({ initial: { kind: 'uniform', bound: 1 } }).eval()
  await scope(async () => {
    const prompt = [
      [1, 2],
      [7, 8],
    ]
    const begun = model.forward(packSequence(prompt.map(ids => ids.slice(0, -1))))
    const { state, step } = model.decoding(2, begun.state)
    const options = { state, sentences: 2, begin: [2, 8], end: null, maxLength: 4 }
    const found = (await greedy(step, options)).map(({ tokens }) => tokens)
    for (const [b, given] of prompt.entries()) {
      const text = [...given]
      for (const token of found[b]!) {
        const logits = await model.logits(model.forward(packSequence([text])).features.data).toArray()
        const last = [...logits.slice(-11)]
        expect(last.indexOf(Math.max(...last))).toBe(token)
        text.push(token)
      }
    }
    // Without a state, the text begins with its first token.
    const { state: zeros, step: first } = model.decoding(1)
    const one = await greedy(first, { state: zeros, sentences: 1, begin: 3, end: null, maxLength: 1 })
    const logits = [...(await model.logits(model.forward(packSequence([[3]])).features.data).toArray())]
    expect(one[0]!.tokens).toEqual([logits.indexOf(Math.max(...logits))])
    expectClose(
      [one[0]!.logProbability],
      [Math.max(...logits) - Math.log(logits.reduce((s, x) => s + Math.exp(x), 0))],
      1e-5,
    )
  })
})
