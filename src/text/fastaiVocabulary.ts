import { checkInteger, checkList, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { fastaiSpecials } from './fastaiRules.js'

/** Options of `FastaiVocabulary.fromDocuments`. */
export interface FastaiVocabularyOptions {
  /** The most words, the specials included; default 60,000. */
  maxVocabulary?: number
  /** Words that occur less often are unknown; default 2. */
  minFrequency?: number
}

const names: OptionNames<FastaiVocabularyOptions> = { maxVocabulary: true, minFrequency: true }

/** Sizes are multiples of it. */
const MULTIPLE = 8

/**
 * The vocabulary of fast.ai's first version: the specials come first, then words by frequency, then, below the maximum,
 * `xxfake` up to a multiple of 8.
 * Immutable.
 *
 * @example
 * ```ts
 * import { FastaiVocabulary } from 'packed-rnn/text'
 *
 * const vocabulary = FastaiVocabulary.fromDocuments([['xxbos', 'the', 'cat'], ['xxbos', 'the', 'dog']])
 * console.log(vocabulary.itos[9], vocabulary.itos.length) // the 16
 * console.log(vocabulary.textify(vocabulary.numericalize(['the', 'cat']))) // the xxunk
 * ```
 */
export class FastaiVocabulary {
  /** The words by id. */
  readonly itos: readonly string[]
  readonly #ids: ReadonlyMap<string, number>

  /**
   * @param itos the words by id, such as those of an `itos_wt103.pkl`; of a word that occurs twice, the first id counts
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for anything but strings.
   */
  constructor(itos: readonly string[]) {
    checkList('FastaiVocabulary', 'itos', itos, 'strings')
    const ids = new Map<string, number>()
    for (const [id, word] of itos.entries()) {
      if (typeof word !== 'string') throw badArgument('FastaiVocabulary', `itos[${id}]`, 'a string', word)
      if (!ids.has(word)) ids.set(word, id)
    }
    this.itos = [...itos]
    this.#ids = ids
  }

  /** Returns the vocabulary of tokenised documents. @throws PackedRnnError ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an option. */
  static fromDocuments(
    documents: Iterable<readonly string[]>,
    options: FastaiVocabularyOptions = {},
  ): FastaiVocabulary {
    const op = 'FastaiVocabulary.fromDocuments'
    checkOptions(op, options, names)
    const { maxVocabulary = 60_000, minFrequency = 2 } = options
    checkInteger(op, 'maxVocabulary', maxVocabulary, 1)
    checkInteger(op, 'minFrequency', minFrequency, 1)
    const counts = new Map<string, number>()
    for (const document of documents) {
      for (const token of document) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    const frequent = [...counts].sort(([, a], [, b]) => b - a).slice(0, maxVocabulary)
    const specials: readonly string[] = fastaiSpecials
    const words = frequent.flatMap(([word, count]) => {
      return count >= minFrequency && !specials.includes(word) ? [word] : []
    })
    const itos = [...specials, ...words].slice(0, maxVocabulary)
    // As in fast.ai, a padded vocabulary may be larger than the maximum.
    if (itos.length < maxVocabulary) while (itos.length % MULTIPLE !== 0) itos.push('xxfake')
    return new FastaiVocabulary(itos)
  }

  /** The id of a word; of `xxunk`, or 0, if it is not there. */
  id(word: string): number {
    return this.#ids.get(word) ?? this.#ids.get('xxunk') ?? 0
  }

  /** Whether a word is there. */
  has(word: string): boolean {
    return this.#ids.has(word)
  }

  /** Returns the id of each token. */
  numericalize(tokens: readonly string[]): Int32Array {
    return Int32Array.from(tokens, token => this.id(token))
  }

  /** Returns the words of ids, joined by `separator`. @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid id. */
  textify(ids: ArrayLike<number>, separator = ' '): string {
    return this.words(ids).join(separator)
  }

  /** Returns the words of ids. @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid id. */
  words(ids: ArrayLike<number>): string[] {
    return Array.from(ids, id => {
      const word = this.itos[id]
      if (word !== undefined) return word
      throw badArgument('FastaiVocabulary', 'id', `an id below ${this.itos.length}`, id, 'ERR_OUT_OF_RANGE')
    })
  }
}
