import { isUtf8 } from 'node:buffer'
import { badFile } from '../errors.js'

const FIRST_ROWS = 1024
/** In a row: 16 MB of float32, as much as a line may have. */
export const MOST_NUMBERS = 1 << 22

/** Words and their vectors: row `i` of `data`, `[words.length, dim]`, belongs to `words[i]`. */
export interface WordVectors {
  words: string[]
  dim: number
  data: Float32Array
}

export interface VectorTableOptions {
  file: string
  dim: number
  /** Rows that there can be at most; infinite where the file does not tell. */
  bound: number
  keep: ReadonlySet<string> | undefined
}

/** The rows taken so far from a file of word vectors. */
export class VectorTable {
  readonly dim: number
  data: Float32Array
  readonly #file: string
  readonly #bound: number
  readonly #keep: ReadonlySet<string> | undefined
  /** In the order of their rows. */
  readonly #words = new Set<string>()

  constructor({ file, dim, bound, keep }: VectorTableOptions) {
    this.dim = dim
    this.#file = file
    this.#keep = keep
    this.#bound = Math.min(bound, keep?.size ?? bound)
    // All at once where every row is wanted; growing would need twice the memory for a moment.
    const exact = keep === undefined && Number.isFinite(bound)
    this.data = this.#allocate(exact ? bound : Math.min(FIRST_ROWS, this.#bound))
  }

  /** Whether a word is asked for; the rows of the others are not looked at. */
  wants(word: string): boolean {
    return this.#keep === undefined || this.#keep.has(word)
  }

  /** Whether a word has its row. Of two rows the first counts. */
  has(word: string): boolean {
    return this.#words.has(word)
  }

  /** Makes room for the row of a new word; where in `data` it begins. */
  add(word: string): number {
    const offset = this.#words.size * this.dim
    if (offset === this.data.length) {
      const data = this.#allocate(Math.min(2 * this.#words.size, this.#bound))
      data.set(this.data)
      this.data = data
    }
    this.#words.add(word)
    return offset
  }

  finish(): WordVectors {
    const used = this.#words.size * this.dim
    const data = used === this.data.length ? this.data : this.data.slice(0, used)
    return { words: [...this.#words], dim: this.dim, data }
  }

  #allocate(rows: number): Float32Array {
    try {
      return new Float32Array(rows * this.dim)
    } catch {
      throw badFile(this.#file, 1, 'a table that fits in memory', `${rows} rows of ${this.dim}`)
    }
  }
}

/** Whether a word came from bytes that are not UTF-8: they decode to U+FFFD, but so does U+FFFD itself. */
export function isBroken(word: string, bytes: Buffer): boolean {
  return word.includes('\ufffd') && !isUtf8(bytes)
}
