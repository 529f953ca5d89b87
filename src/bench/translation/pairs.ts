import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { Generator } from '../../random.js'
import { hashed } from '../hashed.js'

/** The ids of marks. Words follow. Padding is for peers: no sentence has it. */
export const marks = { unknown: 0, padding: 1, begin: 2, end: 3 } as const
const FIRST_WORD = 4

/** A sentence and its translation, each with the marks of its begin and its end. */
export interface Pair {
  source: number[]
  target: number[]
}

export interface Pairs {
  pairs: Pair[]
  /** Sizes of the vocabularies, with marks. */
  sourceVocabularySize: number
  targetVocabularySize: number
  /** Their source. */
  about: string
}

/** Rarer words are unknown. */
const LEAST_FREQUENCY = 2

/**
 * Reads `PREFIX.de.gz` and `PREFIX.en.gz`: a sentence a line, words separated by spaces.
 *
 * @throws Error (rejects) if a file is missing, or the files have different numbers of lines
 */
export async function readPairs(prefix: string): Promise<Pairs> {
  const { source, target } = await readWords(prefix)
  const [from, to] = [wordIds(source), wordIds(target)]
  return {
    pairs: source.map((words, i) => ({ source: numbered(words, from), target: numbered(target[i]!, to) })),
    sourceVocabularySize: FIRST_WORD + from.size,
    targetVocabularySize: FIRST_WORD + to.size,
    about: `${prefix}.{de,en}.gz`,
  }
}

/**
 * Reads sentences that are not for training.
 *
 * @param training the prefix of the files whose words are known
 * @returns ids with marks, translations of them, and how a sentence of ids is written
 * @throws Error (rejects) as `readPairs`
 */
export async function readTest(prefix: string, training: string) {
  const [{ source, target }, known] = [await readWords(prefix), await readWords(training)]
  const [from, to] = [wordIds(known.source), wordIds(known.target)]
  const words = new Map([...to].map(([word, id]) => [id, word]))
  return {
    sources: source.map(sentence => numbered(sentence, from)),
    references: target.map(sentence => sentence.join(' ')),
    /** Words that are not in the vocabulary, and marks, are `<unk>`. */
    textOf: (ids: readonly number[]) => ids.map(id => words.get(id) ?? '<unk>').join(' '),
  }
}

async function readWords(prefix: string): Promise<Record<'source' | 'target', string[][]>> {
  const read = async (language: string) => {
    const file = `${prefix}.${language}.gz`
    const text = gunzipSync(await readFile(file)).toString()
    const lines = text.replace(/\n$/, '').split('\n')
    return { file, sentences: lines.map(line => line.split(' ').filter(word => word !== '')) }
  }
  const [source, target] = [await read('de'), await read('en')]
  const [wanted, got] = [source.sentences.length, target.sentences.length]
  if (wanted !== got)
    throw new Error(`${target.file}: wanted ${wanted} lines, as in ${source.file}, got ${got}`)
  return { source: source.sentences, target: target.sentences }
}

function wordIds(sentences: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const word of sentences.flat()) counts.set(word, (counts.get(word) ?? 0) + 1)
  const frequent = [...counts.keys()].filter(word => counts.get(word)! >= LEAST_FREQUENCY)
  return new Map(frequent.map((word, i) => [word, FIRST_WORD + i]))
}

function numbered(words: readonly string[], ids: ReadonlyMap<string, number>): number[] {
  return marked(words.map(word => ids.get(word) ?? marks.unknown))
}

function marked(words: readonly number[]): number[] {
  return [marks.begin, ...words, marks.end]
}

/**
 * The lengths of Multi30k's sentences (lower case, normalised, split into tokens) are log-normal: mean and deviation of the
 * logarithm. German has 12.4 ± 4.2 words and English 13.0 ± 4.0, and their lengths correlate. The vocabularies are the words that
 * occur twice.
 */
const GERMAN = { mean: 2.468, deviation: 0.324, words: 7855 }
const ENGLISH = { mean: 2.522, deviation: 0.296, words: 5917 }
const CORRELATION = 0.86
const PAIRS = 29_000
const LONGEST = 44
const SEED = 1

/** Returns pairs of random words with the lengths of Multi30k. They are the same in every call. */
export function inventPairs(count = PAIRS): Pairs {
  const generator = new Generator(SEED)
  const lengthOf = ({ mean, deviation }: typeof GERMAN, z: number) =>
    Math.min(LONGEST, Math.max(1, Math.round(Math.exp(mean + deviation * z))))
  const lengths = Array.from({ length: count }, () => {
    const z = generator.normal()
    const other = CORRELATION * z + Math.sqrt(1 - CORRELATION ** 2) * generator.normal()
    return { source: lengthOf(GERMAN, z), target: lengthOf(ENGLISH, other) }
  })
  const numbers = hashed(lengths.reduce((sum, { source, target }) => sum + source + target, 0))
  let at = 0
  const sentence = (length: number, vocabulary: number) => {
    // Zipf's law with exponent 1: the logarithm of a word's rank is uniform.
    const ranks = numbers.subarray(at, at + length)
    at += length
    return marked(Array.from(ranks, u => FIRST_WORD + Math.floor(vocabulary ** (u + 0.5)) - 1))
  }
  return {
    pairs: lengths.map(({ source, target }) => ({
      source: sentence(source, GERMAN.words),
      target: sentence(target, ENGLISH.words),
    })),
    sourceVocabularySize: FIRST_WORD + GERMAN.words,
    targetVocabularySize: FIRST_WORD + ENGLISH.words,
    about: "invented sentences with the lengths of Multi30k's",
  }
}
