import { stat } from 'node:fs/promises'
import { checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument, badFile } from '../errors.js'
import { detectFormat, readBinaryRows } from './binaryVectors.js'
import { ByteSource } from './byteSource.js'
import { type Line, nextLine, readTextRows } from './textVectors.js'
import { MOST_NUMBERS, VectorTable, type WordVectors } from './vectorTable.js'

/** The maximum number of bytes that a byte of gzip decompresses to. */
const MOST_UNPACKED = 1032

/** Options of `readWordVectors`. */
export interface ReadWordVectorsOptions {
  /** Keeps only these words. Other rows are skipped without checks and take no memory. By default all words are kept. */
  keep?: ReadonlySet<string>
  /** Reads only this many rows of the file, from its first. By default all rows are read. */
  limit?: number
  /** word2vec's text or binary format. By default the format is detected from the first row. */
  format?: 'text' | 'binary'
  /** Whether the file is text without a header line, like GloVe's files. Default false. */
  noHeader?: boolean
  /** Stops the reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Called for each thing that is skipped: repeated rows of a word, and rows beyond the header's number. */
  onWarning?: (message: string) => void
}

const optionNames: OptionNames<ReadWordVectorsOptions> = {
  keep: true,
  limit: true,
  format: true,
  noHeader: true,
  signal: true,
  onWarning: true,
}

/**
 * Reads word vectors in one of three formats. The text format of word2vec and fastText has a header `rows dim`, then lines
 * with a word and `dim` numbers, separated by single spaces. The second format is the same without a header. The third is
 * word2vec's binary format. The file is decompressed if its name ends in `.gz`. It is streamed, so only the kept rows take memory.
 *
 * If a word occurs more than once, its first row counts.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT, naming the file and if possible the line or row, for an invalid header;
 * a row without exactly `dim + 1` parts; a number that is not finite in float32; a word that is not UTF-8; fewer rows than
 * the header's number; or a damaged `.gz`. ERR_INVALID_ARGUMENT for an invalid or unknown option, or if the file cannot be
 * read. Rejects with the signal's reason when it aborts.
 * @example
 * ```ts
 * import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readWordVectors } from 'packed-rnn/text'
 *
 * const folder = mkdtempSync(join(tmpdir(), 'vectors-'))
 * writeFileSync(join(folder, 'words.vec'), '3 2\nder 0.5 1\nTor 2 -1\nBall 3 0\n')
 * const vectors = await readWordVectors(join(folder, 'words.vec'), { keep: new Set(['Tor', 'Ball']) })
 * console.log(vectors.words, vectors.data) // ['Tor', 'Ball'] Float32Array(4) [2, -1, 3, 0]
 * rmSync(folder, { recursive: true })
 * ```
 */
export async function readWordVectors(
  file: string,
  options: ReadWordVectorsOptions = {},
): Promise<WordVectors> {
  checkOptions('readWordVectors', options, optionNames)
  const { keep, limit = Number.POSITIVE_INFINITY, noHeader = false, signal, onWarning = () => {} } = options
  if (!(limit >= 1) || (limit < Number.POSITIVE_INFINITY && !Number.isInteger(limit))) {
    throw badArgument('readWordVectors', 'limit', 'a positive integer', limit)
  }
  if (options.format !== undefined) {
    checkWord('readWordVectors', 'format', options.format, ['text', 'binary'])
  }
  if (noHeader && options.format === 'binary') {
    throw badArgument('readWordVectors', 'format', "'text' without a header", 'binary')
  }
  const source = new ByteSource(file, signal)
  try {
    const first = await nextLine(source, file)
    if (first === null) throw badFile(file, null, noHeader ? 'rows' : "a header 'rows dim'", 'an empty file')
    const { rows, dim } = noHeader ? shapeOfRow(file, first) : readHeader(file, first)
    if (noHeader) source.at = first.start
    if (dim > MOST_NUMBERS) throw badFile(file, 1, `at most ${MOST_NUMBERS} numbers in a row`, dim)
    const bound = Math.min(limit, Number.isFinite(rows) ? Math.min(rows, await mostRows(file, dim)) : rows)
    const table = new VectorTable({ file, dim, bound, keep })
    const format = noHeader ? 'text' : (options.format ?? (await detectFormat(source, dim, file)))
    const reading = { file, headerLines: noHeader ? 0 : 1, promised: rows, limit, warn: onWarning }
    await (format === 'binary' ? readBinaryRows : readTextRows)(source, table, reading)
    return table.finish()
  } finally {
    await source.close()
  }
}

/**
 * The maximum number of rows for the file's size, at two bytes or more per number. It limits the memory that is allocated for
 * a wrong header.
 */
async function mostRows(file: string, dim: number): Promise<number> {
  const found = await stat(file)
  if (!found.isFile()) return Number.POSITIVE_INFINITY
  return Math.ceil((found.size * (file.endsWith('.gz') ? MOST_UNPACKED : 1)) / (2 * dim))
}

interface Shape {
  rows: number
  dim: number
}

function readHeader(file: string, line: Line): Shape {
  const text = line.bytes.toString('latin1', line.start, Math.min(line.end, line.start + 100))
  const match = /^\s*([1-9]\d*)\s+([1-9]\d*)$/.exec(text)
  if (!match) throw badFile(file, 1, "a header 'rows dim'", `'${text}'`)
  return { rows: Number(match[1]), dim: Number(match[2]) }
}

/** Without a header, the first row determines the dimension, and the number of rows is unknown. */
function shapeOfRow(file: string, { bytes, start, end }: Line): Shape {
  const dim = bytes.toString('latin1', start, end).split(' ').length - 1
  if (dim === 0) throw badFile(file, 1, 'a word and numbers', '1 part')
  return { rows: Number.POSITIVE_INFINITY, dim }
}
