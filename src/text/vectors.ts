import { isUtf8 } from 'node:buffer'
import { badArgument, badFile } from '../errors.js'
import { parseDecimal } from './decimal.js'
import { readBytes } from './file.js'

const NEWLINE = 0x0a
const SPACE = 0x20
const LONGEST_LINE = 1 << 24
const FIRST_ROWS = 1024

/** Words and their vectors: row `i` of `data`, `[words.length, dim]`, belongs to `words[i]`. */
export interface WordVectors {
  words: string[]
  dim: number
  data: Float32Array
}

export interface ReadWordVectorsOptions {
  /** Take these words only. The other rows are passed over unchecked, and take no memory. */
  keep?: ReadonlySet<string>
  /** Look at the first so many rows of the file only. */
  limit?: number
  /** Stops the reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Told of what the reader passes over: the later rows of a word, rows beyond the number promised. */
  onWarning?: (message: string) => void
}

/**
 * Reads word vectors in word2vec's and fastText's text format: a header `rows dim`, then a word and `dim` numbers a
 * line, single spaces between; gzipped if the name ends in `.gz`. Streams, so that memory is what is kept.
 *
 * Of a word that comes twice the first row counts. Rejects with ERR_FILE_FORMAT, naming the file and where possible
 * the line, for a bad header, a row that is not `dim + 1` parts, a number that is not finite in float32, a word that
 * is not UTF-8, fewer rows than promised, or a damaged `.gz`.
 */
export async function readWordVectors(
  file: string,
  options: ReadWordVectorsOptions = {},
): Promise<WordVectors> {
  const { keep, limit = Number.POSITIVE_INFINITY, signal, onWarning = () => {} } = options
  if (!(limit >= 1) || (limit < Number.POSITIVE_INFINITY && !Number.isInteger(limit))) {
    throw badArgument('readWordVectors', 'limit', 'a positive integer', limit)
  }
  let table: Table | undefined
  let line = 0
  reading: for await (const block of wholeLines(file, signal)) {
    for (let start = 0, next = 0; start < block.length; start = next) {
      const newline = block.indexOf(NEWLINE, start)
      next = newline < 0 ? block.length : newline + 1
      line++
      const end = rightStripped(block, start, next)
      if (!table) {
        const header = readHeader(file, block.toString('latin1', start, Math.min(end, start + 100)))
        table = new Table(file, header, keep, limit)
      } else if (line - 1 > table.promised) {
        // Read on, because a damaged .gz shows at its end only.
        if (line - 2 === table.promised) {
          onWarning(`${file}:${line}: passed over, after the ${table.promised} rows promised`)
        }
      } else {
        const repeated = table.take(block, start, end, line)
        if (repeated !== null) onWarning(`${file}:${line}: passed over, '${repeated}' has a vector already`)
        if (line - 1 === limit) break reading
      }
    }
  }
  if (!table) throw badFile(file, null, "a header 'rows dim'", 'an empty file')
  if (line - 1 < Math.min(table.promised, limit))
    throw badFile(file, null, `${table.promised} rows`, line - 1)
  return table.finish()
}

interface Header {
  rows: number
  dim: number
}

function readHeader(file: string, text: string): Header {
  const match = /^\s*([1-9]\d*)\s+([1-9]\d*)$/.exec(text)
  if (!match) throw badFile(file, 1, "a header 'rows dim'", `'${text}'`)
  return { rows: Number(match[1]), dim: Number(match[2]) }
}

/** The rows taken so far. */
class Table {
  /** The rows that the header tells of. */
  readonly promised: number
  readonly #file: string
  readonly #dim: number
  readonly #keep: ReadonlySet<string> | undefined
  /** In the order of their rows. */
  readonly #words = new Set<string>()
  readonly #bound: number
  #data: Float32Array

  constructor(file: string, header: Header, keep: ReadonlySet<string> | undefined, limit: number) {
    this.promised = header.rows
    this.#file = file
    this.#dim = header.dim
    this.#keep = keep
    this.#bound = Math.min(header.rows, limit, keep?.size ?? Number.POSITIVE_INFINITY)
    this.#data = this.#allocate(keep ? Math.min(FIRST_ROWS, this.#bound) : this.#bound)
  }

  #allocate(rows: number): Float32Array {
    try {
      return new Float32Array(rows * this.#dim)
    } catch {
      throw badFile(this.#file, 1, 'a table that fits in memory', `${rows} rows of ${this.#dim}`)
    }
  }

  /** Takes the row in `block[start, end)` if it is wanted; returns its word if that has one already, else null. */
  take(block: Buffer, start: number, end: number, line: number): string | null {
    const space = block.indexOf(SPACE, start)
    if (space < 0 || space >= end) throw badFile(this.#file, line, `${this.#dim + 1} parts`, 1)
    const word = block.toString('utf8', start, space)
    if (this.#keep && !this.#keep.has(word)) return null
    // Bytes that are not UTF-8 decode to U+FFFD, but so does U+FFFD itself.
    if (word.includes('\ufffd') && !isUtf8(block.subarray(start, space))) {
      throw badFile(this.#file, line, 'a word in UTF-8', `'${word}'`)
    }
    if (this.#words.has(word)) return word

    const offset = this.#words.size * this.#dim
    if (offset === this.#data.length) this.#grow()
    const parsed = this.#parse(block, space + 1, end, offset)
    if (parsed !== this.#dim) throw this.#badRow(block.toString('utf8', start, end), parsed, line)
    this.#words.add(word)
    return null
  }

  /** Writes the row's numbers at `offset`; returns how many were good, `dim` if all of them and no more. */
  #parse(block: Buffer, start: number, end: number, offset: number): number {
    let from = start
    for (let column = 0; column < this.#dim; column++) {
      let to = from
      while (to < end && block[to] !== SPACE) to++
      const value = parseDecimal(block, from, to)
      if (!Number.isFinite(Math.fround(value))) return column
      this.#data[offset + column] = value
      from = to + 1
    }
    return from > end ? this.#dim : this.#dim + 1
  }

  #badRow(text: string, parsed: number, line: number): Error {
    const parts = text.split(' ')
    return parts.length === this.#dim + 1
      ? badFile(this.#file, line, 'a finite number', `'${parts[parsed + 1]}'`)
      : badFile(this.#file, line, `${this.#dim + 1} parts`, parts.length)
  }

  #grow(): void {
    const data = this.#allocate(Math.min(2 * this.#words.size, this.#bound))
    data.set(this.#data)
    this.#data = data
  }

  finish(): WordVectors {
    const used = this.#words.size * this.#dim
    const data = used === this.#data.length ? this.#data : this.#data.slice(0, used)
    return { words: [...this.#words], dim: this.#dim, data }
  }
}

/** Where a line ends without its ASCII white space. Bytes, because a word may be NBSP or U+3000. */
function rightStripped(bytes: Buffer, start: number, end: number): number {
  let at = end
  while (at > start && (bytes[at - 1] === SPACE || (bytes[at - 1]! >= 0x09 && bytes[at - 1]! <= 0x0d))) at--
  return at
}

/** The file in blocks of whole lines; only the last may lack its newline. */
async function* wholeLines(file: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  for await (const chunk of readBytes(file, signal)) {
    const cut = chunk.lastIndexOf(NEWLINE) + 1
    if (cut > 0) {
      yield Buffer.concat([...rest, chunk.subarray(0, cut)])
      rest = []
    }
    rest.push(chunk.subarray(cut))
    if (rest.reduce((sum, part) => sum + part.length, 0) > LONGEST_LINE) {
      throw badFile(file, null, `lines of at most ${LONGEST_LINE} bytes`, 'a longer one')
    }
  }
  yield Buffer.concat(rest)
}
