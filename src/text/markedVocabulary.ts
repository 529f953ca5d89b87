import { checkInteger, checkList, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { UNK } from './vocabulary.js'

/** How the marks are shown, in the order of their ids. */
const MARKS = ['<unk>', '<s>', '</s>'] as const

/** Options of `MarkedVocabulary.fromDocuments`. */
export interface MarkedVocabularyOptions {
  /** Leaves out words that occur less often; default 1. */
  minCount?: number
  /** Keeps so many words at most, the most frequent ones; the three marks are not counted. Default: all. */
  maxWords?: number
}

/** Which marks `MarkedVocabulary.encode` adds. */
export interface EncodeOptions {
  /** Whether the ids start with the begin mark; default false. */
  begin?: boolean
  /** Whether the ids end with the end mark; default false. */
  end?: boolean
}

/**
 * Words and their ids, with marks for the begin and the end of a sentence: what a decoder reads and predicts. Id 0 is UNK, 1
 * the begin mark, 2 the end mark, and the words follow from 3. There is no id for padding, because packed batches have none.
 * No token of a text is ever encoded as a mark: a token `</s>` is a word like others. Immutable.
 *
 * One vocabulary can serve both languages: count it over the documents of both.
 *
 * @example
 * ```ts
 * import { MarkedVocabulary } from 'packed-rnn/text'
 *
 * const vocabulary = MarkedVocabulary.fromDocuments([['ein', 'Hund'], ['der', 'Hund']], { maxWords: 2 })
 * console.log(vocabulary.words, vocabulary.size) // ['Hund', 'ein'] 5
 * const ids = vocabulary.encode(['ein', 'roter', 'Hund'], { begin: true, end: true })
 * console.log(ids, vocabulary.decode(ids)) // Int32Array(5) [1, 4, 0, 3, 2] ['ein', '<unk>', 'Hund']
 * const restored = MarkedVocabulary.fromJSON(JSON.parse(JSON.stringify(vocabulary)))
 * console.log(restored.words) // ['Hund', 'ein']
 * ```
 */
export class MarkedVocabulary {
  /** The words in the order of their ids, without the marks. */
  readonly words: readonly string[]
  /** The id of every word that is not in the vocabulary: 0. */
  readonly unk = UNK
  /** The id of the begin mark: 1. */
  readonly begin = 1
  /** The id of the end mark: 2. */
  readonly end = 2
  readonly #ids: ReadonlyMap<string, number>

  private constructor(words: readonly string[]) {
    this.words = words
    this.#ids = new Map(words.map((word, i) => [word, MARKS.length + i]))
  }

  /**
   * Returns a vocabulary of these words, with ids in their order.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a duplicate word: dropping it would shift all later ids.
   */
  static fromWords(words: Iterable<string>): MarkedVocabulary {
    return MarkedVocabulary.#ofDistinct([...words], 'MarkedVocabulary.fromWords')
  }

  /**
   * Returns a vocabulary of the words of tokenized documents, the most frequent word first. Of words that occur equally often,
   * the one that occurs first comes first.
   *
   * @throws PackedRnnError ERR_OUT_OF_RANGE if `minCount` or `maxWords` is not a positive integer; ERR_INVALID_ARGUMENT for an
   * unknown option.
   */
  static fromDocuments(
    documents: Iterable<readonly string[]>,
    options: MarkedVocabularyOptions = {},
  ): MarkedVocabulary {
    const op = 'MarkedVocabulary.fromDocuments'
    checkOptions(op, options, { minCount: true, maxWords: true })
    const { minCount = 1, maxWords } = options
    checkInteger(op, 'minCount', minCount, 1)
    if (maxWords !== undefined) checkInteger(op, 'maxWords', maxWords, 1)
    const counts = new Map<string, number>()
    for (const tokens of documents) {
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    // A Map has the order of first occurrence, and the sort is stable.
    const frequent = [...counts].filter(([, count]) => count >= minCount).sort(([, a], [, b]) => b - a)
    return new MarkedVocabulary(frequent.slice(0, maxWords).map(([word]) => word))
  }

  /**
   * Returns the vocabulary that `toJSON` describes.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for anything but an object whose `words` are distinct strings.
   */
  static fromJSON(value: unknown): MarkedVocabulary {
    const op = 'MarkedVocabulary.fromJSON'
    const words = typeof value === 'object' && value !== null && 'words' in value ? value.words : undefined
    checkList(op, 'words', words, 'strings')
    return MarkedVocabulary.#ofDistinct(words as readonly unknown[], op)
  }

  static #ofDistinct(words: readonly unknown[], op: string): MarkedVocabulary {
    const seen = new Set<string>()
    for (const word of words) {
      if (typeof word !== 'string') throw badArgument(op, 'words', 'strings', word)
      if (seen.has(word)) throw badArgument(op, 'words', 'distinct words', `'${word}' twice`)
      seen.add(word)
    }
    return new MarkedVocabulary([...seen])
  }

  /** Returns what `fromJSON` takes; `JSON.stringify` calls it. */
  toJSON(): { words: string[] } {
    return { words: [...this.words] }
  }

  /** The number of ids, including the three marks: the rows of an embedding, and the classes of a decoder. */
  get size(): number {
    return MARKS.length + this.words.length
  }

  /** Whether a word is in the vocabulary. */
  has(word: string): boolean {
    return this.#ids.has(word)
  }

  /**
   * Returns the id of each token, UNK for unknown words, with the marks that `options` asks for.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown option.
   */
  encode(tokens: readonly string[], options: EncodeOptions = {}): Int32Array {
    checkOptions('MarkedVocabulary.encode', options, { begin: true, end: true })
    const { begin = false, end = false } = options
    const first = begin ? 1 : 0
    const ids = new Int32Array(first + tokens.length + (end ? 1 : 0))
    if (begin) ids[0] = this.begin
    for (const [i, token] of tokens.entries()) ids[first + i] = this.#ids.get(token) ?? UNK
    if (end) ids[ids.length - 1] = this.end
    return ids
  }

  /**
   * Returns the words of a sentence: those before the first end mark, without begin marks. UNK becomes `<unk>`, so the length
   * of the sentence is kept.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid id.
   */
  decode(ids: ArrayLike<number>): string[] {
    const words: string[] = []
    for (let i = 0; i < ids.length && ids[i] !== this.end; i++) {
      if (ids[i] !== this.begin) words.push(this.word(ids[i]!))
    }
    return words
  }

  /**
   * Returns the word of an id; `<unk>`, `<s>` and `</s>` for the marks.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid id.
   */
  word(id: number): string {
    const word = MARKS[id] ?? this.words[id - MARKS.length]
    if (word === undefined) {
      throw badArgument('MarkedVocabulary', 'id', `an id below ${this.size}`, id, 'ERR_OUT_OF_RANGE')
    }
    return word
  }
}
