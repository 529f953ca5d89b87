import { badFile } from '../errors.js'
import type { ByteSource } from './byteSource.js'
import { parseDecimal } from './decimal.js'
import { isBroken, type VectorTable } from './vectorTable.js'

const NEWLINE = 0x0a
const SPACE = 0x20
const LONGEST_LINE = 1 << 24

/** A line without its end and trailing white space: `bytes[start, end)`, valid until the source reads more. */
export interface Line {
  bytes: Buffer
  start: number
  end: number
}

/** Arguments of the readers of both formats. */
export interface VectorReading {
  file: string
  /** Lines before the first row. */
  headerLines: number
  /** The header's number of rows; infinite without a header. */
  promised: number
  limit: number
  warn: (message: string) => void
}

/** Consumes and returns the next line of a source; null at the end of the file. */
export async function nextLine(source: ByteSource, file: string): Promise<Line | null> {
  let newline = source.bytes.indexOf(NEWLINE, source.at)
  while (newline < 0) {
    const left = source.bytes.length - source.at
    if (left > LONGEST_LINE) {
      throw badFile(file, null, `lines of at most ${LONGEST_LINE} bytes`, 'a longer one')
    }
    if (!(await source.more())) {
      if (left === 0) return null
      newline = source.bytes.length // the last line may lack its end
    } else newline = source.bytes.indexOf(NEWLINE, left)
  }
  const start = source.at
  source.at = Math.min(newline + 1, source.bytes.length)
  return { bytes: source.bytes, start, end: rightStripped(source.bytes, start, source.at) }
}

/** Reads text rows: a word and its numbers, separated by single spaces. */
export async function readTextRows(
  source: ByteSource,
  table: VectorTable,
  reading: VectorReading,
): Promise<void> {
  const { file, headerLines, promised, limit, warn } = reading
  let row = 0
  while (row < limit) {
    const line = await nextLine(source, file)
    if (line === null) break
    if (row === promised) {
      warn(`${file}:${headerLines + row + 1}: ignored the rows after the ${promised} of the header`)
      await source.drain()
      return
    }
    row++
    takeRow(line, table, file, headerLines + row, warn)
  }
  if (row < Math.min(limit, promised) && Number.isFinite(promised)) {
    throw badFile(file, null, `${promised} rows`, row)
  }
}

function takeRow(
  line: Line,
  table: VectorTable,
  file: string,
  number: number,
  warn: VectorReading['warn'],
): void {
  const { bytes, start, end } = line
  const space = bytes.indexOf(SPACE, start)
  if (space < 0 || space >= end) throw badFile(file, number, `${table.dim + 1} parts`, 1)
  const word = bytes.toString('utf8', start, space)
  if (!table.wants(word)) return
  if (isBroken(word, bytes.subarray(start, space)))
    throw badFile(file, number, 'a word in UTF-8', `'${word}'`)
  if (table.has(word)) {
    warn(`${file}:${number}: skipped, '${word}' already has a vector`)
    return
  }
  const offset = table.add(word)
  const good = parseRow(bytes, space + 1, end, table.data.subarray(offset, offset + table.dim))
  if (good === table.dim) return
  const parts = bytes.toString('utf8', start, end).split(' ')
  throw parts.length === table.dim + 1
    ? badFile(file, number, 'a finite number', `'${parts[good + 1]}'`)
    : badFile(file, number, `${table.dim + 1} parts`, parts.length)
}

/**
 * Writes the numbers into `row`. Returns how many were valid before the first invalid one; `row.length` if the line has
 * exactly that many valid numbers.
 */
function parseRow(bytes: Buffer, start: number, end: number, row: Float32Array): number {
  let from = start
  for (let column = 0; column < row.length; column++) {
    let to = from
    while (to < end && bytes[to] !== SPACE) to++
    const value = parseDecimal(bytes, from, to)
    if (!Number.isFinite(Math.fround(value))) return column
    row[column] = value
    from = to + 1
  }
  return from > end ? row.length : row.length + 1
}

/** Returns the line's end without trailing ASCII white space. Other white space is kept, because a word may be NBSP or U+3000. */
function rightStripped(bytes: Buffer, start: number, end: number): number {
  let at = end
  while (at > start && (bytes[at - 1] === SPACE || (bytes[at - 1]! >= 0x09 && bytes[at - 1]! <= 0x0d))) at--
  return at
}
