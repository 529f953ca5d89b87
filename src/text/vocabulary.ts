import { badArgument, PackedRnnError } from '../errors.js'
import { Generator } from '../random.js'
import type { WordVectors } from './vectorTable.js'

/** The id of every word that a vocabulary does not hold. The course notebook pads with it too. */
export const UNK = 0

/** What `decode` answers for UNK. */
const UNK_WORD = '<unk>'

/** Words and their ids: UNK is 0, and the word at `words[i]` has id `i + 1`. Immutable. */
export class Vocabulary {
  /** Without UNK, in the order of their ids. */
  readonly words: readonly string[]
  readonly #ids: ReadonlyMap<string, number>

  private constructor(words: readonly string[]) {
    this.words = words
    this.#ids = new Map(words.map((word, i) => [word, i + 1]))
  }

  /**
   * Ids in the order given, so that row `i` of word vectors belongs to id `i + 1`. A word that comes twice is
   * ERR_INVALID_ARGUMENT: dropping it would shift every row after it.
   */
  static fromWords(words: Iterable<string>): Vocabulary {
    const seen = new Set<string>()
    for (const word of words) {
      if (seen.has(word)) {
        throw badArgument('Vocabulary.fromWords', 'words', 'distinct words', `'${word}' twice`)
      }
      seen.add(word)
    }
    return new Vocabulary([...seen])
  }

  /** The words that come at least `minCount` times (1 unless given), in the order of their first use. */
  static fromDocuments(
    documents: Iterable<readonly string[]>,
    options: { minCount?: number } = {},
  ): Vocabulary {
    const { minCount = 1 } = options
    if (!Number.isInteger(minCount) || minCount < 1) {
      throw badArgument('Vocabulary.fromDocuments', 'minCount', 'a positive integer', minCount)
    }
    const counts = new Map<string, number>()
    for (const tokens of documents) {
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    return new Vocabulary([...counts].filter(([, count]) => count >= minCount).map(([word]) => word))
  }

  /** How many ids there are, UNK's among them: the rows of an embedding. */
  get size(): number {
    return this.words.length + 1
  }

  has(word: string): boolean {
    return this.#ids.has(word)
  }

  /** One id a token, UNK where the word is not known. */
  encode(tokens: readonly string[]): Int32Array {
    return Int32Array.from(tokens, token => this.#ids.get(token) ?? UNK)
  }

  /** The word of an id, `<unk>` for UNK. ERR_OUT_OF_RANGE if no word has it. */
  decode(id: number): string {
    const word = id === UNK ? UNK_WORD : this.words[id - 1]
    if (word === undefined) {
      throw badArgument('Vocabulary.decode', 'id', `an id below ${this.size}`, id, 'ERR_OUT_OF_RANGE')
    }
    return word
  }
}

export interface EmbeddingTableOptions {
  /**
   * The row of UNK, and of any word without a vector. `'uniform'` (the default) draws from [0, 1) as the course
   * notebook does, which is some ten times as long as a trained vector; `'mean'` is the mean of all the vectors.
   */
  unk?: 'uniform' | 'zero' | 'mean'
  /** For `'uniform'`; 0 unless given. */
  seed?: number
}

/** The weights `[vocabulary.size, vectors.dim]` of an embedding, row major: row `id` is the vector of that id. */
export function embeddingTable(
  vocabulary: Vocabulary,
  vectors: WordVectors,
  options: EmbeddingTableOptions = {},
): Float32Array {
  const { unk = 'uniform', seed = 0 } = options
  const { words, dim, data } = vectors
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
    table.set(row === undefined ? makeRow() : data.subarray(row * dim, (row + 1) * dim), (i + 1) * dim)
  }
  return table
}

/** Makes the rows that no vector fills. */
function rowMaker(
  unk: NonNullable<EmbeddingTableOptions['unk']>,
  vectors: WordVectors,
  seed: number,
): () => Float64Array {
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
