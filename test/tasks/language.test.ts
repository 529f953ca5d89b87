import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { LanguageModel } from '../../src/models/index.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import {
  generate,
  generateBest,
  type LanguageRun,
  loadLanguageModel,
  saveLanguageModel,
  scoreLines,
  scoreText,
} from '../../src/tasks/index.js'
import { memory } from '../../src/tensor.js'
import { MarkedVocabulary, tokenCodec } from '../../src/text/index.js'
import { rejectionOf } from '../device/own.js'

const words = ['a', 'b', 'c', 'd']
const vocabulary = MarkedVocabulary.fromWords(words)
const codec = tokenCodec('whitespace')
const newModel = () =>
  new LanguageModel({
    ...{ vocabularySize: vocabulary.size, embeddingDim: 5, hiddenSize: 7, numLayers: 2 },
    ...{ generator: new Generator(3), initial: { kind: 'uniform', bound: 1 } },
  })
const run: LanguageRun = { model: newModel(), codec, vocabulary, lowercase: false }
run.model.eval()

/** log p of all tokens after each of some ids, in float64. */
async function logProbabilitiesOf(ids: readonly number[]): Promise<number[][]> {
  const { logits, rows } = await scope(async () => {
    const { features } = noGrad(() => run.model.forward(packSequence([ids])))
    const rows = await features.data.toArray()
    return { logits: await noGrad(() => run.model.logits(features.data)).toArray(), rows }
  })
  expect(rows).toHaveLength(7 * ids.length)
  return ids.map((_, t) => {
    const row = [...logits.subarray(t * vocabulary.size, (t + 1) * vocabulary.size)]
    const largest = Math.max(...row)
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0)) + largest
    return row.map(x => x - total)
  })
}

/** The features of each token. */
async function featuresOf(ids: readonly number[]): Promise<number[][]> {
  const values = await scope(() =>
    noGrad(() => run.model.forward(packSequence([ids]))).features.data.toArray(),
  )
  return ids.map((_, t) => [...values.subarray(7 * t, 7 * (t + 1))])
}

describe('scoreText', () => {
  const text = ['a b c', '', 'd a x b', 'c c']
  const ids = text.flatMap(line => [...vocabulary.encode(codec.encode(line), { end: true })])

  test('is the mean of −log p of each token but the first', async () => {
    const found = await scoreText(run, text, { window: 4 })
    const log = await logProbabilitiesOf(ids.slice(0, -1))
    const losses = log.map((row, t) => -row[ids[t + 1]!]!)
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    expect(found.loss).toBeCloseTo(mean, 5)
    expect(found.perplexity).toBeCloseTo(Math.exp(mean), 4)
    expect(found.bits).toBeCloseTo(mean / Math.LN2, 5)
    expect(found.tokens).toBe(ids.length - 1)
    expect(found.unknown).toBeCloseTo(1 / ids.length, 9)
    const characters = text.reduce((sum, line) => sum + line.length + 1, 0)
    expect(found.bitsPerCharacter).toBeCloseTo((found.bits * ids.length) / characters, 9)
  })

  test.each([3, 100])('with a cache of %i tokens it is the mixture of Grave et al.', async window => {
    const [theta, lambda] = [0.7, 0.3]
    const found = await scoreText(run, text, { window: 4, cache: { window, theta, lambda } })
    const features = await featuresOf(ids.slice(0, -1))
    const log = await logProbabilitiesOf(ids.slice(0, -1))
    const losses = features.map((state, t) => {
      const p = Math.exp(log[t]![ids[t + 1]!]!)
      const held = features.slice(Math.max(0, t - window), t)
      if (held.length === 0) return -Math.log(p)
      const weights = held.map(other => Math.exp(theta * other.reduce((sum, x, k) => sum + x * state[k]!, 0)))
      const first = t - held.length
      const equal = weights.filter((_, i) => ids[first + i + 1] === ids[t + 1])
      const total = (some: readonly number[]) => some.reduce((sum, weight) => sum + weight, 0)
      return -Math.log((lambda * total(equal)) / total(weights) + (1 - lambda) * p)
    })
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    expect(found.loss).toBeCloseTo(mean, 5)
  })

  test('a cache makes no loss infinite', async () => {
    const certain = newModel().eval()
    // Its next token is c, with all others e¹²⁰ times less probable.
    const bias = new Float32Array(vocabulary.size).fill(-120)
    bias[vocabulary.encode(['c'])[0]!] = 0
    certain.output.bias!.assign(bias)
    certain.output.weight.assign(new Float32Array(certain.output.weight.size))
    const other = { ...run, model: certain }
    const plain = await scoreText(other, ['a b', 'd'])
    expect(plain.loss).toBeCloseTo(120, 3)
    const cached = await scoreText(other, ['a b', 'd'], { cache: { window: 2, theta: 1, lambda: 0 } })
    expect(cached.loss).toBeCloseTo(plain.loss, 3)
    certain.dispose()
  })

  test('a line of any length is scored', async () => {
    const [long] = await scoreLines(run, ['a '.repeat(150_000)])
    expect(long!.tokens).toBe(150_001)
    expect(Number.isFinite(long!.logProbability)).toBe(true)
  })

  test('a cache needs one stream, and a weight below 1', async () => {
    const cache = { window: 3, theta: 1, lambda: 0.5 }
    expect((await rejectionOf(scoreText(run, text, { batchSize: 2, cache }))).message).toBe(
      'scoreText: batchSize: wanted 1 with a cache, got 2',
    )
    const whole = { ...cache, lambda: 1 }
    expect((await rejectionOf(scoreText(run, text, { cache: whole }))).message).toContain('cache.lambda')
  })

  test('lines by themselves begin as after the end of a line', async () => {
    const found = await scoreLines(run, ['a b', ''])
    const [a, b] = [vocabulary.encode(['a'])[0]!, vocabulary.encode(['b'])[0]!]
    const log = await logProbabilitiesOf([vocabulary.end, a, b])
    const wanted = log[0]![a]! + log[1]![b]! + log[2]![vocabulary.end]!
    expect(found[0]!.logProbability).toBeCloseTo(wanted, 4)
    expect(found[1]!.logProbability).toBeCloseTo(log[0]![vocabulary.end]!, 5)
    expect(found.map(({ tokens }) => tokens)).toEqual([3, 1])
  })
})

describe('generate', () => {
  const textOf = async (prompt: string, options: Parameters<typeof generate>[2] = {}) => {
    let text = ''
    for await (const piece of generate(run, prompt, options)) text += piece
    return text
  }

  test('without sampling it continues with the most probable known token', async () => {
    const text = await textOf('a b', { length: 6, sampling: null })
    const ids = [vocabulary.end, ...vocabulary.encode(['a', 'b'])]
    const before = ids.length
    while (ids.length < before + 6) {
      const last = (await logProbabilitiesOf(ids)).at(-1)!
      const known = last.map((p, id) => (id === vocabulary.unk || id === vocabulary.begin ? -Infinity : p))
      ids.push(known.indexOf(Math.max(...known)))
    }
    const shown = ids
      .slice(1)
      .map(id => (id === vocabulary.end ? '\n' : vocabulary.word(id)))
      .join(' ')
      .replaceAll(' \n', '\n')
      .replaceAll('\n ', '\n')
    expect(`a b${text}`).toBe(shown)
  })

  test('a seed produces the same text again, and marks are never written', async () => {
    const options = { length: 200, sampling: { seed: 4, temperature: 2 } }
    const text = await textOf('', options)
    expect(await textOf('', options)).toBe(text)
    expect(await textOf('', { ...options, sampling: { ...options.sampling, seed: 5 } })).not.toBe(text)
    expect(text).toContain('\n')
    expect(text).not.toMatch(/</)
    expect(await textOf('', { ...options, unknown: true })).toContain('<unk>')
  })

  test('the word `<unk>` of a text counts as unknown, and is never written', async () => {
    const marked = MarkedVocabulary.fromWords(['<unk>', 'b'])
    using small = new LanguageModel({ vocabularySize: marked.size, embeddingDim: 3, hiddenSize: 4 })
    const ofMarked = { ...run, model: small, vocabulary: marked }
    const { unknown } = await scoreText(ofMarked, ['<unk> b <unk> c'])
    expect(unknown).toBeCloseTo(3 / 5, 9)
    let text = ''
    for await (const piece of generate(ofMarked, 'b', { length: 100, sampling: { seed: 1 } })) text += piece
    expect(text).toContain('b')
    expect(text).not.toContain('<unk>')
  })

  test('one line ends at its end, and an aborted text ends with the reason', async () => {
    const text = await textOf('a', { length: 500, oneLine: true, sampling: { seed: 1 } })
    expect(text).not.toContain('\n')
    expect(text.split(' ').length).toBeLessThan(400)
    const aborter = new AbortController()
    const pieces = generate(run, '', { signal: aborter.signal })
    await pieces.next()
    aborter.abort(new Error('enough'))
    await expect(
      (async () => {
        for await (const _ of pieces) {
        }
      })(),
    ).rejects.toThrow('enough')
  })

  test('a search finds the best of all continuations', async () => {
    const length = 3
    const found = await generateBest(run, 'a', { length, beams: 200, nBest: 5 })
    const prompt = [vocabulary.end, vocabulary.encode(['a'])[0]!]
    const known = [vocabulary.end, ...words.map(word => vocabulary.encode([word])[0]!)]
    const all: { ids: number[]; log: number }[] = []
    const extend = async (ids: number[], log: number): Promise<void> => {
      if (ids.length === length) {
        all.push({ ids, log })
        return
      }
      const next = (await logProbabilitiesOf([...prompt, ...ids])).at(-1)!
      for (const id of known) await extend([...ids, id], log + next[id]!)
    }
    await extend([], 0)
    all.sort((x, y) => y.log - x.log)
    expect(all).toHaveLength(known.length ** length)
    for (const [i, { logProbability }] of found.entries()) expect(logProbability).toBeCloseTo(all[i]!.log, 4)
  })

  test('nothing is left in memory, and a training model is one again', async () => {
    run.model.train()
    const before = memory().tensors
    await textOf('a', { length: 3 })
    await generateBest(run, 'a', { length: 3, beams: 2 })
    await scoreText(run, ['a b c'], { cache: { window: 2, theta: 1, lambda: 0.1 } })
    await scoreLines(run, ['a'])
    expect(memory().tensors).toBe(before)
    expect(run.model.training).toBe(true)
    run.model.eval()
  })
})

describe('a saved model', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-language-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('scores as before', async () => {
    await saveLanguageModel(run, folder)
    const loaded = await loadLanguageModel(folder)
    expect(await scoreLines(loaded, ['a b c'])).toEqual(await scoreLines(run, ['a b c']))
    expect(loaded.model.training).toBe(false)
  })

  test('with an invalid configuration is rejected with the name of the file', async () => {
    const file = join(folder, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...config, codec: { name: 'letters' } }))
    const error = await rejectionOf(loadLanguageModel(folder))
    expect([error.code, error.message]).toEqual(['ERR_FILE_FORMAT', expect.stringContaining('config.json')])
  })

  test('needs a vocabulary of its size', async () => {
    const other = MarkedVocabulary.fromWords(['a'])
    const error = await rejectionOf(saveLanguageModel({ ...run, vocabulary: other }, folder))
    expect(error.message).toBe('saveLanguageModel: run.vocabulary: wanted 7 ids, as the model, got 4')
  })
})
