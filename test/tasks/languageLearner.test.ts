import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type LanguageLearner, languageModelLearner, TextLMDataBunch } from '../../src/tasks/index.js'
import { memory } from '../../src/tensor.js'
import { rejectionOf } from '../device/own.js'
import { fastaiFile, fastaiTensors } from '../reference/fastaiFiles.js'
import { list, pickle, text } from '../reference/pickle.js'

const sentences = ['the cat sat on the mat', 'the dog lay on the rug', 'A BIRD sang in the tree!!!!']
const texts = Array.from({ length: 60 }, (_, i) => sentences[i % 3]!)
const data = TextLMDataBunch.fromTexts(texts, { batchSize: 4, bptt: 9 })
const layers = { embeddingDim: 12, hiddenSize: 16, numLayers: 2 }
const newLearner = (options = {}) =>
  languageModelLearner(data, { layers, generator: new Generator(1), ...options })

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-learner-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('TextLMDataBunch', () => {
  test('holds out a fifth of the texts, each with xxbos, and shuffles the others', () => {
    expect([data.train.length, data.valid.length]).toEqual([48, 12])
    const bos = data.vocabulary.id('xxbos')
    for (const document of [...data.train, ...data.valid]) expect(document[0]).toBe(bos)
    const idsOf = (epoch: number) =>
      [...data.trainLoader().epoch(epoch).from(0)].flatMap(({ batch }) => [...batch.ids.ids])
    expect(idsOf(1)).not.toEqual(idsOf(0))
    expect(idsOf(1)).toEqual(idsOf(1))
  })

  test('a table says which texts are validated on, and which column they stand in', async () => {
    await writeFile(at('a.csv'), 'label,text,is_valid\n1,"Hi, you",False\n0,No,True\n1,"a ""b""",False\n')
    const table = await TextLMDataBunch.fromCsv(at('a.csv'), { minFrequency: 1 })
    const show = (ids: Int32Array) => table.vocabulary.textify(ids)
    expect(table.train.map(show)).toEqual(['xxbos xxmaj hi , you', 'xxbos a " b "'])
    expect(table.valid.map(show)).toEqual(['xxbos xxmaj xxunk'])
    await writeFile(at('b.csv'), 'id,comment\n1,ein Hund\n2,ein Mops\n3,ein Hund\n4,ein Hund\n5,x\n')
    const other = await TextLMDataBunch.fromCsv(at('b.csv'), { textColumn: 'comment' })
    expect([other.train.length, other.valid.length]).toEqual([4, 1])
    const error = await rejectionOf(TextLMDataBunch.fromCsv(at('b.csv'), { textColumn: 'text' }))
    expect(error.message).toContain('b.csv:1: wanted a column text, got id,comment')
  })
})

describe('LanguageLearner', () => {
  test('learns along one cycle, and predicts', async () => {
    using learner = newLearner({ dropMult: 0 })
    const before = (await learner.validate()).loss!
    const records = await learner.fitOneCycle(12, 0.05, { momentums: [0.8, 0.7] })
    expect(records).toHaveLength(12)
    expect(records.at(-1)!.test!.loss).toBeLessThan(0.4 * before)
    expect((await learner.validate()).loss).toBeCloseTo(records.at(-1)!.test!.loss!, 6)
    expect(await learner.predict('the cat', 3, { temperature: 0.05 })).toBe('the cat sat on the')
    expect(await learner.predict('a bird', 0)).toBe('a bird')
    const drawn = await learner.predict('the', 8, { seed: 3, temperature: 3 })
    expect(await learner.predict('the', 8, { seed: 3, temperature: 3 })).toBe(drawn)
    expect(drawn).not.toContain('xxunk')
  })

  test('options of the cycle, weight decay, unknown words and separators', async () => {
    const rateOf = async (options: object) => {
      using learner = newLearner()
      return (await learner.fitOneCycle(2, 0.1, options))[0]!.learningRate
    }
    // After half of the cycle: its peak, or half of the way to it.
    expect(await rateOf({ pctStart: 0.5 })).toBeCloseTo(0.1, 2)
    expect(await rateOf({ pctStart: 1, divFactor: 10 })).toBeCloseTo((0.1 + 0.01) / 2, 2)
    expect(await rateOf({ pctStart: 1, divFactor: 2 })).toBeCloseTo((0.1 + 0.05) / 2, 2)

    const sizeOf = async (weightDecay: number) => {
      using learner = newLearner()
      await learner.fit(1, 0.01, { weightDecay })
      return Math.hypot(...(await learner.model.embedding.weight.toArray()))
    }
    expect(await sizeOf(20)).toBeLessThan(0.5 * (await sizeOf(0)))

    using learner = newLearner()
    const many = { temperature: 50, sep: '_' }
    expect(await learner.predict('the', 60, many)).not.toContain('xxunk')
    const all = await learner.predict('the', 60, { ...many, noUnk: false })
    expect(all).toContain('_xxunk_')
    expect(all).not.toContain(' ')
    const search = { beamSz: 40, topK: 20, sep: '_', temperature: 50, seed: 5 }
    expect(await learner.beamSearch('the', 2, search)).toMatch(/^the_the(_[^_ ]+)*$/)
  })

  test('groups: frozen ones do not change, and rates are spaced', async () => {
    using learner = newLearner()
    const valuesOf = () => Promise.all(learner.groups.map(group => group[0]!.toArray()))
    expect(learner.groups.map(group => group.length)).toEqual([4, 4, 2])
    learner.freeze()
    const before = await valuesOf()
    await learner.fit(1, { to: 0.01 })
    const after = await valuesOf()
    expect(after.map((values, i) => values.some((x, k) => x !== before[i]![k]))).toEqual([false, false, true])
    learner.freezeTo(-2)
    await learner.fit(1, { from: 1e-4, to: 1e-2 })
    const later = await valuesOf()
    expect(later.map((values, i) => values.some((x, k) => x !== after[i]![k]))).toEqual([false, true, true])
    learner.unfreeze()
    expect(learner.model.parameters().every(each => each.requiresGrad)).toBe(true)
    expect(() => learner.freezeTo(3)).toThrow('LanguageLearner.freezeTo: n')
  })

  /** log p of all words after each of some ids. */
  async function logsOf(learner: LanguageLearner, ids: readonly number[]): Promise<number[]> {
    const { model } = learner
    model.eval()
    const V = data.vocabulary.itos.length
    const logits = await scope(() =>
      noGrad(() => model.logits(model.forward(packSequence([ids])).features.data)).toArray(),
    )
    model.train()
    const row = [...logits.subarray((ids.length - 1) * V)]
    const largest = Math.max(...row)
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0)) + largest
    // After the softmax, as fast.ai does: the share of xxunk is nobody's.
    return row.map((x, id) => (id === data.vocabulary.id('xxunk') ? Number.NEGATIVE_INFINITY : x - total))
  }

  /** fast.ai's search: all texts that are left, in order of log p. */
  async function searched(
    learner: LanguageLearner,
    ids: readonly number[],
    words: number,
    topK: number,
    beamSz: number,
  ) {
    let nodes = [{ ids: [...ids], log: 0 }]
    for (let word = 0; word < words; word++) {
      const candidates: typeof nodes = []
      for (const node of nodes) {
        const logs = await logsOf(learner, node.ids)
        const best = logs.map((log, id) => ({ log, id })).sort((a, b) => b.log - a.log)
        for (const { log, id } of best.slice(0, topK)) {
          candidates.push({ ids: [...node.ids, id], log: node.log + log })
        }
      }
      nodes = candidates.sort((a, b) => b.log - a.log).slice(0, beamSz)
    }
    return nodes
  }

  test('the beam search is that of fast.ai: a prompt twice, a last draw, or fixed', async () => {
    using learner = newLearner()
    await learner.fit(1, 0.02)
    const { vocabulary } = data
    const prompt = [vocabulary.id('xxbos'), ...vocabulary.numericalize(['the', 'cat'])]
    const nodes = await searched(learner, prompt, 3, 4, 6)
    expect(nodes).toHaveLength(6)
    const shown = nodes.map(({ ids }) => `the cat ${vocabulary.textify(ids.slice(1))}`)
    const options = { topK: 4, beamSz: 6, temperature: 0.95 }
    const found = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      // Specials are undone, which none of these texts has.
      found.add(await learner.beamSearch('the cat', 3, { ...options, seed }))
    }
    const plain = shown.filter(each => !each.includes('xx'))
    for (const each of found) if (!/xx|[A-Z]/.test(each)) expect(plain).toContain(each)
    expect(found.size).toBeGreaterThan(2)
    const cold = await learner.beamSearch('the cat', 3, { ...options, temperature: 1e-4 })
    expect(cold).toBe(shown[0])
    const best = await learner.beamSearch('the cat', 3, { topK: 4, beamSz: 6, fixed: true })
    expect(best.startsWith('the cat')).toBe(true)
    await expect(learner.beamSearch('the cat', 3, { fixed: true, seed: 1 })).rejects.toThrow(
      'LanguageLearner.beamSearch: seed: wanted no seed with `fixed`',
    )
    expect(best).not.toContain('the cat the cat')
  })

  test('pretrained weights: rows by words, the mean for new ones, sizes of the file', async () => {
    const words = ['_unk_', '_pad_', 'the', 'cat', 'zebra', 'mat']
    const sizes = { words: 6, embedding: 8, hidden: 10, layers: 3, version: 0, prefix: '0.' } as const
    await writeFile(at('fwd.h5'), fastaiFile(sizes))
    await writeFile(at('itos.pkl'), pickle(list(...words.map(text))))
    using learner = newLearner()
    await learner.loadPretrained(at('fwd.h5'), at('itos.pkl'))
    expect([...learner.model.rnns].map(rnn => rnn.module.hiddenSize)).toEqual([10, 10, 8])
    expect(learner.groups.map(group => group.every(each => each.requiresGrad))).toEqual([
      ...[false, false, false, true],
    ])
    const rows = fastaiTensors(sizes).get('0.encoder.weight')!.data
    const found = await learner.model.embedding.weight.toArray()
    const rowOf = (word: string) => {
      const id = data.vocabulary.id(word)
      return found.slice(8 * id, 8 * id + 8)
    }
    expect(rowOf('cat')).toEqual(rows.slice(24, 32))
    expect(rowOf('xxunk')).toEqual(rows.slice(0, 8))
    for (let k = 0; k < 8; k++) {
      const mean = words.reduce((sum, _, i) => sum + rows[8 * i + k]!, 0) / 6
      expect(rowOf('dog')[k]).toBeCloseTo(mean, 6)
    }
    await learner.fitOneCycle(1, 0.01)
    await writeFile(at('wrong.pkl'), pickle(text('no list')))
    const error = await rejectionOf(learner.loadPretrained(at('fwd.h5'), at('wrong.pkl')))
    expect(error.message).toContain('wrong.pkl: wanted a list of strings')
  })

  test('nothing is left in memory', async () => {
    const before = memory().tensors
    const learner = newLearner()
    await learner.fitOneCycle(1)
    await learner.predict('the', 3)
    await learner.beamSearch('the', 3, { beamSz: 5, topK: 3 })
    learner.dispose()
    expect(memory().tensors).toBe(before)
  })
})
