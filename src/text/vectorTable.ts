import { isUtf8 } from 'node:buffer'
import { badFile } from '../errors.js'

const FIRST_ROWS = 1024
/** Numbers per row, at most: 16 MB of float32, the limit of a line. */
export const MOST_NUMBERS = 1 << 22

/** Words and their vectors. */
export interface WordVectors {
  words: string[]
  /** Numbers per vector. */
  dim: number
  /** [words.length, dim], row-major; row `i` is the vector of `words[i]`. */
  data: Float32Array
}

export interface VectorTableOptions {
  file: string
  dim: number
  /** The maximum number of rows; infinite if it is unknown. */
  bound: number
  keep: ReadonlySet<string> | undefined
}

/** Collects the rows of a file of word vectors. */
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
    // Allocated at once if every row is kept. Growing temporarily needs twice the memory.
    const exact = keep === undefined && Number.isFinite(bound)
    this.data = this.#allocate(exact ? bound : Math.min(FIRST_ROWS, this.#bound))
  }

  /** Whether a word is to be kept. Rows of other words are not checked. */
  wants(word: string): boolean {
    return this.#keep === undefined || this.#keep.has(word)
  }

  /** Whether a word already has a row. The first row of a word counts. */
  has(word: string): boolean {
    return this.#words.has(word)
  }

  /** Allocates the row of a new word. Returns its offset in `data`. */
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

/** Whether a word was decoded from invalid UTF-8. Invalid bytes decode to U+FFFD, but so does a valid U+FFFD. */
export function isBroken(word: string, bytes: Buffer): boolean {
  return word.includes('\ufffd') && !isUtf8(bytes)
}
