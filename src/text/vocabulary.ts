import { checkInteger, checkOptions, checkWord } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { Generator } from '../random.js'
import { MOST_NUMBERS, type WordVectors } from './vectorTable.js'

/** The id of every word that is not in a vocabulary. */
export const UNK = 0

/**
 * The id for padding, for programs that pad batches. `'shared'`: UNK, as in the course notebook, so padding and unknown words
 * share a row of the embedding. `'own'`: 1, a row that no word uses; words then begin at 2.
 *
 * Packed batches are never padded, so the choice does not change any result. A separate padding row is neither read nor
 * trained and keeps its initial value, zeros in `embeddingTable`. Use it if another program is to load the saved
 * `embedding.weight` into an embedding with `padding_idx=1`.
 */
export type Padding = 'shared' | 'own'

/** Options of a vocabulary. */
export interface VocabularyOptions {
  /** Default `'shared'`. */
  padding?: Padding
}

/** The results of `decode` for the ids before the first word's. */
const SPECIAL_WORDS = ['<unk>', '<pad>']

/**
 * Words and their ids: 0 is UNK, 1 is padding if `padding` is `'own'`, and the words follow in order. Immutable.
 * @example
 * ```ts
 * import { tokenizers, Vocabulary } from 'packed-rnn/text'
 *
 * const documents = ['der Ball im Tor', 'der Ring'].map(tokenizers.whitespace)
 * const vocabulary = Vocabulary.fromDocuments(documents)
 * console.log(vocabulary.size) // 6
 * console.log(vocabulary.encode(['der', 'Ring', 'Wien'])) // Int32Array(3) [1, 5, 0]
 * console.log(vocabulary.decode(5)) // Ring
 * ```
 */
export class Vocabulary {
  /** The words in the order of their ids, without UNK and padding. */
  readonly words: readonly string[]
  /** Whether padding shares the id of UNK or has its own. */
  readonly padding: Padding
  /** The id of the first word: 1, or 2 if `padding` is `'own'`. */
  readonly firstId: number
  readonly #ids: ReadonlyMap<string, number>

  private constructor(words: readonly string[], { padding = 'shared' }: VocabularyOptions) {
    checkWord('Vocabulary', 'padding', padding, ['shared', 'own'])
    const firstId = padding === 'own' ? 2 : 1
    this.words = words
    this.padding = padding
    this.firstId = firstId
    this.#ids = new Map(words.map((word, i) => [word, firstId + i]))
  }

  /**
   * Returns a vocabulary of these words, with ids in their order: row `i` of word vectors belongs to id `firstId + i`.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a duplicate word (dropping it would shift all later rows), or for an
   * unknown `padding` or option.
   */
  static fromWords(words: Iterable<string>, options: VocabularyOptions = {}): Vocabulary {
    checkOptions('Vocabulary.fromWords', options, { padding: true })
    const seen = new Set<string>()
    for (const word of words) {
      if (seen.has(word)) {
        throw badArgument('Vocabulary.fromWords', 'words', 'distinct words', `'${word}' twice`)
      }
      seen.add(word)
    }
    return new Vocabulary([...seen], options)
  }

  /**
   * Returns a vocabulary of the words that occur at least `minCount` times (default 1), in the order of their first
   * occurrence.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT if `minCount` is not a positive integer, or for an unknown `padding` or
   * option.
   */
  static fromDocuments(
    documents: Iterable<readonly string[]>,
    options: VocabularyOptions & { minCount?: number } = {},
  ): Vocabulary {
    checkOptions('Vocabulary.fromDocuments', options, { padding: true, minCount: true })
    const { minCount = 1 } = options
    if (!Number.isInteger(minCount) || minCount < 1) {
      throw badArgument('Vocabulary.fromDocuments', 'minCount', 'a positive integer', minCount)
    }
    const counts = new Map<string, number>()
    for (const tokens of documents) {
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    const words = [...counts].filter(([, count]) => count >= minCount).map(([word]) => word)
    return new Vocabulary(words, options)
  }

  /** The number of ids, including UNK and padding: the rows of an embedding. */
  get size(): number {
    return this.firstId + this.words.length
  }

  /** The id to pad with: UNK if `padding` is `'shared'`, else 1. */
  get paddingId(): number {
    return this.firstId - 1
  }

  /** Whether a word is in the vocabulary. */
  has(word: string): boolean {
    return this.#ids.has(word)
  }

  /** Returns the id of each token, UNK for unknown words. */
  encode(tokens: readonly string[]): Int32Array {
    return Int32Array.from(tokens, token => this.#ids.get(token) ?? UNK)
  }

  /**
   * Returns the word of an id; `<unk>` for UNK, and `<pad>` for a separate padding id.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid id.
   */
  decode(id: number): string {
    const word = id >= 0 && id < this.firstId ? SPECIAL_WORDS[id] : this.words[id - this.firstId]
    if (word === undefined) {
      throw badArgument('Vocabulary.decode', 'id', `an id below ${this.size}`, id, 'ERR_OUT_OF_RANGE')
    }
    return word
  }
}

/**
 * The content of the row of UNK, and of the row of each word without a vector. `'uniform'`: numbers drawn from [0, 1), as in
 * the course notebook; such a row is about ten times as long as a trained vector. `'zero'`: zeros. `'mean'`: the mean of all
 * vectors.
 */
export type UnknownRows = 'uniform' | 'zero' | 'mean'

/** Options of `embeddingTable`. */
export interface EmbeddingTableOptions {
  /** Default `'uniform'`. */
  unk?: UnknownRows
  /** The seed for `'uniform'`; default 0. */
  seed?: number
}

/**
 * Returns the weights of an embedding: row `id` is the vector of that id. The row of a separate padding id is zeros.
 *
 * @returns [vocabulary.size, vectors.dim], row-major
 * @throws PackedRnnError ERR_SHAPE if the length of `vectors.data` is not `words.length * dim`; ERR_OUT_OF_RANGE for a `dim`
 * outside 0 to 4,194,304, or a table of 2^31 numbers or more; ERR_EMPTY for the mean of no vectors; ERR_INVALID_ARGUMENT for
 * an invalid seed, or an unknown `unk` or option.
 * @example
 * ```ts
 * import { embeddingTable, Vocabulary } from 'packed-rnn/text'
 *
 * const vectors = { words: ['Ball', 'Tor'], dim: 2, data: Float32Array.of(3, 0, 2, -1) }
 * const vocabulary = Vocabulary.fromWords(vectors.words)
 * console.log(embeddingTable(vocabulary, vectors, { unk: 'zero' })) // Float32Array(6) [0, 0, 3, 0, 2, -1]
 * ```
 */
export function embeddingTable(
  vocabulary: Vocabulary,
  vectors: WordVectors,
  options: EmbeddingTableOptions = {},
): Float32Array {
  checkOptions('embeddingTable', options, { unk: true, seed: true })
  const { unk = 'uniform', seed = 0 } = options
  const { words, dim, data } = vectors
  checkWord('embeddingTable', 'unk', unk, ['uniform', 'zero', 'mean'])
  checkInteger('embeddingTable', 'vectors.dim', dim, 0, MOST_NUMBERS)
  checkInteger('embeddingTable', 'numbers of the table', vocabulary.size * dim, 0)
  if (data.length !== words.length * dim) {
    throw badArgument(
      'embeddingTable',
      'vectors.data',
      `${words.length} · ${dim} numbers`,
      data.length,
      'ERR_SHAPE',
    )
  }
  const makeRow = rowMaker(unk, vectors, seed)
  const rows = new Map(words.map((word, row) => [word, row]))
  const table = new Float32Array(vocabulary.size * dim)
  table.set(makeRow(), UNK * dim)
  for (const [i, word] of vocabulary.words.entries()) {
    const row = rows.get(word)
    table.set(
      row === undefined ? makeRow() : data.subarray(row * dim, (row + 1) * dim),
      (vocabulary.firstId + i) * dim,
    )
  }
  return table
}

/** Returns a function that makes the rows without a vector. */
function rowMaker(unk: UnknownRows, vectors: WordVectors, seed: number): () => Float64Array {
  const row = new Float64Array(vectors.dim)
  switch (unk) {
    case 'uniform': {
      const generator = new Generator(seed)
      return () => row.map(() => generator.uniform())
    }
    case 'zero':
      return () => row
    case 'mean':
      addMean(row, vectors)
      return () => row
  }
}

function addMean(sum: Float64Array, { words, dim, data }: WordVectors): void {
  if (words.length === 0)
    throw new PackedRnnError('ERR_EMPTY', 'embeddingTable: vectors: no vectors to average')
  for (let at = 0; at < data.length; at += dim) {
    for (let d = 0; d < dim; d++) sum[d]! += data[at + d]! / words.length
  }
}
