import { checkInteger, checkOptions, checkWord } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { Generator } from '../random.js'
import { MOST_NUMBERS, type WordVectors } from './vectorTable.js'

/** The id of every word that a vocabulary does not hold. */
export const UNK = 0

/**
 * Which id stands for padding where somebody pads a batch. `'shared'`: UNK, as in the course notebook, so that padding
 * and unknown words are one row of the embedding. `'own'`: 1, with a row that no word has; words begin at 2.
 *
 * Packed batches are never padded. So the choice changes no result, and a row of its own is neither read nor trained: it
 * stays as it began, zeros in `embeddingTable`. It is there for other programs, in which the state's `embedding.weight`
 * then fits an embedding with `padding_idx=1`.
 */
export type Padding = 'shared' | 'own'

/** Which ids a vocabulary has besides its words'. */
export interface VocabularyOptions {
  /** `'shared'` unless given. */
  padding?: Padding
}

/** What `decode` answers for the ids before the first word's. */
const SPECIAL_WORDS = ['<unk>', '<pad>']

/** Words and their ids: UNK is 0, a padding of its own 1, and the words follow in their order. Immutable. */
export class Vocabulary {
  /** Without UNK and padding, in the order of their ids. */
  readonly words: readonly string[]
  /** Whether padding has an id of its own. */
  readonly padding: Padding
  /** The id of the first word: 1, or 2 after a padding of its own. */
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
   * Ids in the order given, so that row `i` of word vectors belongs to id `firstId + i`.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a word that comes twice: dropping it would shift every row after it; for
   * an unknown `padding` or option.
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
   * The words that come at least `minCount` times (1 unless given), in the order of their first use.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a `minCount` that is no positive integer, or an unknown `padding` or option.
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

  /** How many ids there are, those of UNK and padding among them: the rows of an embedding. */
  get size(): number {
    return this.firstId + this.words.length
  }

  /** The id to pad with: UNK if that is shared, else 1. */
  get paddingId(): number {
    return this.firstId - 1
  }

  /** Whether a word has an id of its own. */
  has(word: string): boolean {
    return this.#ids.has(word)
  }

  /** One id a token, UNK where the word is not known. */
  encode(tokens: readonly string[]): Int32Array {
    return Int32Array.from(tokens, token => this.#ids.get(token) ?? UNK)
  }

  /** The word of an id, `<unk>` for UNK and `<pad>` for a padding of its own. ERR_OUT_OF_RANGE if no word has it. */
  decode(id: number): string {
    const word = id >= 0 && id < this.firstId ? SPECIAL_WORDS[id] : this.words[id - this.firstId]
    if (word === undefined) {
      throw badArgument('Vocabulary.decode', 'id', `an id below ${this.size}`, id, 'ERR_OUT_OF_RANGE')
    }
    return word
  }
}

/**
 * What stands in the row of UNK, and of any word without a vector. `'uniform'`: draws from [0, 1) as in the course
 * notebook, which is some ten times as long as a trained vector; `'zero'`; `'mean'`: the mean of all the vectors.
 */
export type UnknownRows = 'uniform' | 'zero' | 'mean'

/** What stands where no vector does. */
export interface EmbeddingTableOptions {
  /** `'uniform'` unless given. */
  unk?: UnknownRows
  /** For `'uniform'`; 0 unless given. */
  seed?: number
}

/**
 * The weights `[vocabulary.size, vectors.dim]` of an embedding, row major: row `id` is the vector of that id. A padding
 * of its own is a row of zeros.
 *
 * @throws PackedRnnError ERR_SHAPE where `vectors.data` is not as long as words and `dim` say; ERR_OUT_OF_RANGE for a `dim` outside 0 to
 * 4,194,304, or a table of 2^31 numbers and more; ERR_EMPTY for the mean of no vectors; ERR_INVALID_ARGUMENT for a bad seed or an
 * unknown `unk` or option.
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

/** Makes the rows that no vector fills. */
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
