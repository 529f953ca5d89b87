import { describe, expect, test } from 'vitest'
import { connectivity } from '../../src/explain/connectivity.js'
import { decidingWords, type Reader, readerOf, readingOf } from '../../src/explain/reading.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { labels, shortClassifier, vocabulary } from '../training/short.js'

const known = vocabulary.words.slice(0, 4)
const text = `  ${known[0]} ${known[1]}\n${known[0]},  ${known[2]}\u2028${known[3]} `

function readerOfShort(tokenizer: 'whitespace' | 'words' = 'words'): Reader {
  const model = shortClassifier('lstm64-adam')
  return readerOf('short', {
    preset: 'lstm64-adam',
    dialect: 'csv',
    posts: null,
    tokenizer,
    vocabulary,
    labels,
    model,
  })
}

describe('a reading', () => {
  test('has the tokens with their positions in the text and their connectivity', async () => {
    const reader = readerOfShort()
    const reading = await readingOf(reader, text)
    expect(reading.tokens).toEqual([known[0], known[1], known[0], ',', known[2], known[3]])
    const found = reading.starts.map((start, t) => text.slice(start, start + reading.tokens[t]!.length))
    expect(found).toEqual(reading.tokens)
    expect(reading.starts).toEqual(reading.starts.toSorted((a, b) => a - b))
    expect(reading).toMatchObject({ name: 'short', text, classes: labels.classes })
    const ids = reader.encode(reading.tokens)
    for (const [position, prediction] of reading.predictions.entries()) {
      expect(prediction).toEqual(await connectivity(reader.model, ids, position))
    }
  })

  test('may have predictions only after its first tokens; the last one is always after all tokens', async () => {
    const reader = readerOfShort()
    const whole = await readingOf(reader, text)
    for (const [positions, kept] of [
      [2, [0, 1, 5]],
      [1, [0, 5]],
      [5, [0, 1, 2, 3, 4, 5]],
      [6, [0, 1, 2, 3, 4, 5]],
    ] as const) {
      const part = await readingOf(reader, text, { positions })
      expect(part).toEqual({ ...whole, predictions: kept.map(position => whole.predictions[position]) })
    }
    await expect(readingOf(reader, text, { positions: 1.5 })).rejects.toThrow('readingOf: positions: wanted')
  })

  test('of an empty text, or with tokens that are not in the text, is an error', async () => {
    const reader = readerOfShort()
    await expect(readingOf(reader, ' \n')).rejects.toMatchObject({ code: 'ERR_EMPTY' })
    const wrong = { ...reader, tokenize: (all: string) => tokenizers.words(all.toUpperCase()) }
    await expect(readingOf(wrong, 'ein Satz')).rejects.toThrow(
      'readingOf: tokens[0]: wanted the next piece of the text, got EIN',
    )
  })
})

describe('decidingWords', () => {
  const tokens = ['the', 'sun', 'and', 'the', 'rain']

  test('adds a word’s occurrences, sorts by share, and shares are of all tokens', () => {
    const words = decidingWords(tokens, Float32Array.of(2, 4, 0, 3, 1), 3)
    expect(words).toEqual([
      { word: 'the', share: 0.5 },
      { word: 'sun', share: 0.4 },
      { word: 'rain', share: 0.1 },
    ])
    expect(decidingWords(tokens, Float32Array.of(2, 4, 0, 3, 1), 10)).toHaveLength(4)
  })

  test('keeps the order of the text for equal shares; without strengths all shares are 0', () => {
    const words = decidingWords(tokens, new Float32Array(5), 9)
    expect(words.map(({ word }) => word)).toEqual(['the', 'sun', 'and', 'rain'])
    expect(words.map(({ share }) => share)).toEqual([0, 0, 0, 0])
    expect(decidingWords([], new Float32Array(0), 3)).toEqual([])
  })

  test('rejects another number of strengths', () => {
    expect(() => decidingWords(tokens, new Float32Array(4), 3)).toThrow(
      'decidingWords: strengths: wanted 5 numbers, got 4',
    )
  })
})
