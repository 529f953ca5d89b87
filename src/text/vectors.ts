import { stat } from 'node:fs/promises'
import { checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument, badFile } from '../errors.js'
import { detectFormat, readBinaryRows } from './binaryVectors.js'
import { ByteSource } from './byteSource.js'
import { type Line, nextLine, readTextRows } from './textVectors.js'
import { MOST_NUMBERS, VectorTable, type WordVectors } from './vectorTable.js'

/** What a byte of gzip unpacks to at most. */
const MOST_UNPACKED = 1032

/** What is read of a file of word vectors. */
export interface ReadWordVectorsOptions {
  /** Take these words only. The other rows are passed over unchecked, and take no memory. */
  keep?: ReadonlySet<string>
  /** Look at the first so many rows of the file only. */
  limit?: number
  /** Word2vec's text or its binary format; unless given, the first row tells. */
  format?: 'text' | 'binary'
  /** The file, text then, begins with its first row, as GloVe's do. */
  noHeader?: boolean
  /** Stops the reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Told of what the reader passes over: the later rows of a word, rows beyond the number promised. */
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
 * Reads word vectors in word2vec's and fastText's text format (a header `rows dim`, then a word and `dim` numbers a line,
 * single spaces between), in the same without a header, or in word2vec's binary format; gzipped if the name ends in
 * `.gz`. Streams, so that memory is what is kept.
 *
 * Of a word that comes twice the first row counts.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT, naming the file and where possible the line or row, for a bad header,
 * a row that is not `dim + 1` parts, a number that is not finite in float32, a word that is not UTF-8, fewer rows than
 * promised, or a damaged `.gz`; ERR_INVALID_ARGUMENT for a bad or unknown option, and where the file cannot be read. The signal's
 * reason when that aborts.
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

/** The rows that a file has room for, two bytes or more a number: memory is not made for a promise that it cannot keep. */
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

/** Without a header the first row tells the dimension, and nobody how many rows there are. */
function shapeOfRow(file: string, { bytes, start, end }: Line): Shape {
  const dim = bytes.toString('latin1', start, end).split(' ').length - 1
  if (dim === 0) throw badFile(file, 1, 'a word and numbers', '1 part')
  return { rows: Number.POSITIVE_INFINITY, dim }
}
