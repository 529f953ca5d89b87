import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { present } from '../../src/bench/latency/run.js'
import { findTorch } from '../../src/bench/peers/torch.js'
import { BenchProcess } from '../../src/bench/process.js'
import {
  batchSetsOf,
  predictedTokens,
  type Sentences,
  setNames,
} from '../../src/bench/translation/batches.js'
import { measureDecoding } from '../../src/bench/translation/decode.js'
import { inventPairs, marks, readPairs, readTest } from '../../src/bench/translation/pairs.js'
import { measureTranslation, type TranslationOptions } from '../../src/bench/translation/run.js'
import { type TranslationSide, torchTranslation } from '../../src/bench/translation/sides.js'
import { configOf, type TranslationConfig } from '../../src/bench/translation/workload.js'
import { translationLines } from '../../src/cli/benchTranslation.js'
import { median } from '../../src/median.js'

const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url)
const options: TranslationOptions = { rounds: 1, quick: true, log: () => {} }
const sizes = { embeddingDim: 6, hiddenSize: 8, batchSize: 5, batches: 3, sources: 4 }
const invented = inventPairs(40)
/** Few words, so that the models are small. */
const WORDS = 50
const fold = (ids: number[]) => ids.map(id => (id <= marks.end ? id : 4 + (id % (WORDS - 4))))
const few = invented.pairs.map(({ source, target }) => ({ source: fold(source), target: fold(target) }))
const batches = batchSetsOf(few, sizes)
const sources = few.slice(0, sizes.sources).map(({ source }) => source)
const timed = { batches, sources: sources.length }

let folder: string
let config: TranslationConfig
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-translation-test-'))
  const vocabularies = { sourceVocabularySize: WORDS, targetVocabularySize: WORDS }
  const files = { batches: at('batches.json'), parameters: at('parameters.safetensors') }
  config = configOf(sizes, { threads: 1, ...vocabularies, ...files })
  const sentences: Sentences = { sets: batches, sources }
  await writeFile(files.batches, JSON.stringify(sentences))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function packageItself(who: string, { ours = true, changes = {} } = {}): TranslationSide {
  const given = JSON.stringify({ ...config, ...changes, library: dist('compat.js').href })
  const args = [fileURLToPath(dist('bench/translation/ours.js')), given]
  return {
    process: new BenchProcess(who, process.execPath, args),
    ways: [{ who, way: 'packed', translates: true }],
    ours,
  }
}

/** A peer that answers every request with this. */
async function fake(answer: string): Promise<TranslationSide> {
  const file = at('fake.sh')
  await writeFile(file, `#!/bin/sh\necho '{"ready": true}'\nwhile read -r line; do echo '${answer}'; done\n`)
  await chmod(file, 0o755)
  return {
    process: new BenchProcess('fake', file, []),
    ways: [{ who: 'fake', way: 'any', translates: true }],
    ours: false,
  }
}

describe('sentence pairs', () => {
  const lengths = inventPairs().pairs.map(({ source, target }) => [source.length - 2, target.length - 2])
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
  const deviation = (values: readonly number[]) => {
    const m = mean(values)
    return Math.sqrt(mean(values.map(v => (v - m) ** 2)))
  }

  test("that are invented have the lengths of Multi30k's", () => {
    const [source, target] = [0, 1].map(side => lengths.map(pair => pair[side]!))
    expect(mean(source!)).toBeCloseTo(12.44, 0)
    expect(mean(target!)).toBeCloseTo(13.02, 0)
    expect(deviation(source!)).toBeCloseTo(4.17, 0)
    expect(deviation(target!)).toBeCloseTo(4.01, 0)
    const [m, n] = [mean(source!), mean(target!)]
    const together = mean(source!.map((s, i) => (s - m) * (target![i]! - n)))
    expect(together / deviation(source!) / deviation(target!)).toBeCloseTo(0.862, 1)
  })

  test('are the same in every call, and of words between the marks', () => {
    expect(inventPairs(40)).toEqual(invented)
    const { pairs, sourceVocabularySize, targetVocabularySize } = invented
    for (const [side, size] of [
      ['source', sourceVocabularySize],
      ['target', targetVocabularySize],
    ] as const) {
      const words = pairs.flatMap(pair => {
        expect([pair[side][0], pair[side].at(-1)]).toEqual([marks.begin, marks.end])
        return pair[side].slice(1, -1)
      })
      expect(Math.min(...words)).toBeGreaterThan(marks.end)
      expect(Math.max(...words)).toBeLessThan(size)
      // By Zipf's law half of the words have one of the square root of the ranks.
      expect(median(words)).toBeLessThan(4 * Math.sqrt(size))
    }
  })

  test('are read from two files; words that occur once are unknown', async () => {
    await writeFile(at('some.de.gz'), gzipSync('ein hund\nein  mann\n'))
    await writeFile(at('some.en.gz'), gzipSync('a dog\na dog\n'))
    expect(await readPairs(at('some'))).toEqual({
      pairs: [
        { source: [2, 4, 0, 3], target: [2, 4, 5, 3] },
        { source: [2, 4, 0, 3], target: [2, 4, 5, 3] },
      ],
      ...{ sourceVocabularySize: 5, targetVocabularySize: 6 },
      about: `${at('some')}.{de,en}.gz`,
    })
    await writeFile(at('test.de.gz'), gzipSync('ein haus\n'))
    await writeFile(at('test.en.gz'), gzipSync('a house\n'))
    const { sources, references, textOf } = await readTest(at('test'), at('some'))
    expect({ sources, references }).toEqual({ sources: [[2, 4, 0, 3]], references: ['a house'] })
    expect(textOf([4, 0, 5])).toBe('a <unk> dog')
    await writeFile(at('some.en.gz'), gzipSync('a dog\n'))
    await expect(readPairs(at('some'))).rejects.toThrow(
      /some\.en\.gz: wanted 2 lines, as in .*de\.gz, got 1$/,
    )
  })
})

describe('batches', () => {
  test('have the longest target first', () => {
    for (const { target } of setNames.flatMap(name => batches[name])) {
      const lengths = target.map(sentence => sentence.length)
      expect(lengths).toHaveLength(sizes.batchSize)
      expect(lengths).toEqual(lengths.toSorted((a, b) => b - a))
    }
  })

  test('by length come from all parts of the pairs', () => {
    const { pairs } = inventPairs(900)
    const { shuffled, byLength } = batchSetsOf(pairs, { batchSize: 9, batches: 10 })
    const spread = (target: number[][]) => target[0]!.length - target.at(-1)!.length
    expect(Math.max(...byLength.slice(1, -1).map(({ target }) => spread(target)))).toBeLessThan(3)
    expect(Math.min(...shuffled.map(({ target }) => spread(target)))).toBeGreaterThan(3)
    const all = pairs.reduce((sum, { target }) => sum + target.length - 1, 0)
    expect(predictedTokens(byLength) / 90 / (all / 900)).toBeCloseTo(1, 1)
  })

  test('need enough pairs', () => {
    expect(() => batchSetsOf(invented.pairs, { batchSize: 9, batches: 5 })).toThrow(
      'wanted at least 45 sentence pairs, got 40',
    )
  })
})

test('times every set beside a peer if their results agree', async () => {
  const sides = [packageItself('packed-rnn'), packageItself('twin', { ours: false })]
  const { sets, decoding, failed, largestError } = await measureTranslation(sides, timed, options)
  expect({ failed, largestError }).toEqual({ failed: {}, largestError: 0 })
  expect(decoding).toMatchObject({ sentences: 4, words: 13, same: 1 })
  expect(decoding.settings.map(({ beams, batch }) => [beams, batch])).toEqual([
    [1, 1],
    [1, 64],
    [5, 1],
    [5, 64],
  ])
  for (const { sides: rows } of decoding.settings) {
    const { 'packed-rnn': ours, twin } = rows
    expect(ours!.sentencesPerSecond).toBeCloseTo(4 / ours!.seconds, 6)
    expect(twin!.oursIsFasterBy).toBeCloseTo(twin!.seconds / ours!.seconds, 9)
  }
  for (const name of setNames) {
    const { ours, best, ratio, peer, tokens, sentences, sides: rows } = sets[name]
    expect({ peer, sentences, tokens }).toEqual({
      ...{ peer: 'twin', sentences: 15, tokens: predictedTokens(batches[name]) },
    })
    expect(Math.min(ours, best!)).toBeGreaterThan(0)
    expect(ratio).toBeCloseTo(best! / ours, 9)
    expect(rows.twin).toMatchObject({ ours: false, seconds: best, oursIsFasterBy: ratio })
    expect(rows['packed-rnn']!.tokensPerSecond).toBeCloseTo(tokens / 3 / ours, 6)
  }
})

describe('a peer', () => {
  test.each([
    ['a loss', '{"losses": [1, 1, 1], "norms": [1, 1, 1]}', 'losses of step 1: wanted '],
    ['the number of steps', '{"losses": [], "norms": []}', 'losses: wanted 3 numbers, got 0'],
  ])('with %s that is wrong is an error', async (_, answer, message) => {
    const sides = [packageItself('packed-rnn'), await fake(answer)]
    await expect(measureTranslation(sides, timed, options)).rejects.toThrow(
      `fake, batches in random order, teacher forcing 1: ${message}`,
    )
  })

  test('with another learning rate is an error', async () => {
    const changes = { lr: 2 * config.lr }
    const sides = [packageItself('packed-rnn'), packageItself('other', { ours: false, changes })]
    await expect(measureTranslation(sides, timed, options)).rejects.toThrow(
      /^other, batches in random order, teacher forcing 1: (losses|norms) of step [23]: wanted /,
    )
  })

  test('that translates otherwise is an error', async () => {
    const sides = [
      packageItself('packed-rnn'),
      await fake('{"seconds": 1, "words": [[1], [2], [3], [4]]}'),
    ] as const
    for (const { process } of sides) await process.answer()
    await sides[0].process.ask('parameters')
    const rules = { needed: (side: TranslationSide) => side === sides[0], failed: () => {} }
    await expect(measureDecoding(sides, 4, { ...options, rules, patience: 1 })).rejects.toThrow(
      'fake, beam 1: wanted our words in 95 % of sentences, got 0 %',
    )
    for (const { process } of sides) await process.close()
  })

  test('that fails is skipped and reported', async () => {
    const sides = [packageItself('packed-rnn'), await fake('{"error": "no memory"}')]
    const results = await measureTranslation(sides, timed, options)
    expect(results).toMatchObject({ failed: { fake: 'fake: no memory' }, largestError: null })
    expect(results.sets.byLength).toMatchObject({ best: null, peer: null, ratio: null })
  })
})

test('results are printed as a table', () => {
  const side = (seconds: number, oursIsFasterBy: number | null) => {
    return {
      ours: oursIsFasterBy === null,
      seconds,
      samples: [seconds],
      tokensPerSecond: 100 / seconds,
      oursIsFasterBy,
    }
  }
  const decoded = (seconds: number, oursIsFasterBy: number | null) => {
    const sentencesPerSecond = 8 / seconds
    return { ours: oursIsFasterBy === null, seconds, samples: [seconds], sentencesPerSecond, oursIsFasterBy }
  }
  const set = (about: string) => ({
    ...{ about, batches: 2, sentences: 20, tokens: 200 },
    ...{ ours: 0.05, best: 1, peer: 'PyTorch', ratio: 20 },
    sides: { 'packed-rnn': side(0.05, null), PyTorch: side(1, 20) },
  })
  const translation = {
    about: 'a model',
    sentences: { about: 'a file', sourceVocabularySize: 30, targetVocabularySize: 20 },
    sets: { shuffled: set('random'), byLength: set('by length') },
    decoding: {
      ...{ sentences: 8, words: 13, same: 0.996 },
      settings: [
        { beams: 1, batch: 1, sides: { 'packed-rnn': decoded(0.5, null), PyTorch: decoded(1, 2) } },
        { beams: 5, batch: 64, sides: { 'packed-rnn': decoded(0.04, null) } },
      ],
    },
    ...{ largestError: 1.25e-6, othersCores: 0.25, failed: { other: 'no memory' } },
  }
  const [heading, table, decoding, ...notes] = translationLines({ translation })
  expect(heading).toMatch(
    /^\ntranslation: a model; 30 and 20 words: a file; peers differ by 1\.3e-6; other processes took 0\.3 cores\n/,
  )
  expect(table!.split('\n').slice(0, 4)).toEqual([
    '                                                ms a step  tokens/s  ours is faster by',
    '  random: 2 batches of 10 pairs, 200 tokens',
    '    packed-rnn                                       50.0      2000',
    '    PyTorch                                          1000       100              20.00',
  ])
  expect(decoding!.split('\n')).toEqual([
    '  8 sentences translated, 13 words each; peers write the same words in 99.6 % of them  sentences/s  ours is faster by',
    '    the likeliest word of each step, 1 at a time',
    '      packed-rnn                                                                              16.0',
    '      PyTorch                                                                                  8.0               2.00',
    '    beam 5, 64 at a time',
    '      packed-rnn                                                                               200',
  ])
  expect(notes).toEqual(['  other was left out: no memory'])
})

test.skipIf('missing' in findTorch())('PyTorch computes the same (skipped without PyTorch)', async () => {
  const sides = [packageItself('packed-rnn'), ...present([torchTranslation(config)])]
  const { sets, decoding, failed, largestError } = await measureTranslation(sides, timed, options)
  expect(failed).toEqual({})
  expect(decoding.same).toBe(1)
  expect(largestError).toBeLessThan(1e-3)
  expect(Object.keys(sets.byLength.sides)).toEqual([
    'packed-rnn',
    "PyTorch, the tutorials' loop",
    'PyTorch, tuned',
  ])
})

test('bench/translation.js trains, translates and scores', async () => {
  const lines = Array.from({ length: 128 }, (_, i) => `one two three${i % 5}`).join('\n')
  for (const language of ['de', 'en']) await writeFile(at(`train.${language}.gz`), gzipSync(lines))
  const names = ['--train', at('train'), '--test', at('train'), '--json', at('bleu.json')]
  const args = ['bench/translation.js', ...names, '--epochs', '1', '--threads', '1', '--peers', 'none']
  execFileSync(process.execPath, args, { cwd: fileURLToPath(new URL('../..', import.meta.url)) })
  const { results } = JSON.parse(await readFile(at('bleu.json'), 'utf8'))
  expect(results).toEqual([
    {
      ...{ who: 'packed-rnn', bleu: expect.any(Number) },
      epochSeconds: [expect.any(Number)],
      signature: expect.stringMatching(/tok:none/),
    },
  ])
})
