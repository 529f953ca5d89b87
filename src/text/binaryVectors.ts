import { badFile } from '../errors.js'
import type { ByteSource } from './byteSource.js'
import type { VectorReading } from './textVectors.js'
import { isBroken, type VectorTable } from './vectorTable.js'

const NEWLINE = 0x0a
const SPACE = 0x20
const LONGEST_WORD = 1 << 16
/** Numbers of the first row that detection reads, at most. Two or three are enough, but a row may have only one. */
const MOST_LOOKED_AT = 1024

/**
 * Reads rows of word2vec's binary format: the bytes of a word, a space, and its numbers as little-endian float32. The C
 * program writes a newline after each row and gensim does not, so a newline before a word is skipped.
 */
export async function readBinaryRows(
  source: ByteSource,
  table: VectorTable,
  reading: VectorReading,
): Promise<void> {
  const { file, promised, limit, warn } = reading
  const rows = Math.min(promised, limit)
  for (let row = 1; row <= rows; row++) {
    const space = await wholeRow(source, table.dim, file)
    if (space < 0) throw badFile(file, null, `${promised} rows`, row - 1)
    const start = source.bytes[source.at] === NEWLINE ? source.at + 1 : source.at
    takeRow(source.bytes, start, space, table, `${file}: row ${row}`, warn)
    source.at = space + 1 + 4 * table.dim
  }
  if (limit < promised) return
  if (source.bytes[source.at] === NEWLINE) source.at++
  if (await source.drain()) warn(`${file}: ignored the bytes after the ${promised} rows of the header`)
}

/** Reads until the next row is complete. Returns the position of the space after its word, or -1 at the end of the file. */
async function wholeRow(source: ByteSource, dim: number, file: string): Promise<number> {
  for (;;) {
    const space = source.bytes.indexOf(SPACE, source.at)
    if (space >= 0 && space + 1 + 4 * dim <= source.bytes.length) return space
    if (space < 0 && source.bytes.length - source.at > LONGEST_WORD) {
      throw badFile(file, null, `words of at most ${LONGEST_WORD} bytes`, 'a longer one')
    }
    if (!(await source.more())) return -1
  }
}

function takeRow(
  bytes: Buffer,
  start: number,
  space: number,
  table: VectorTable,
  place: string,
  warn: VectorReading['warn'],
): void {
  const word = bytes.toString('utf8', start, space)
  if (!table.wants(word)) return
  if (isBroken(word, bytes.subarray(start, space))) throw badFile(place, null, 'a word in UTF-8', `'${word}'`)
  if (table.has(word)) {
    warn(`${place}: skipped, '${word}' already has a vector`)
    return
  }
  const offset = table.add(word)
  for (let column = 0; column < table.dim; column++) {
    const value = bytes.readFloatLE(space + 1 + 4 * column)
    if (!Number.isFinite(value)) throw badFile(place, null, 'a finite number', value)
    table.data[offset + column] = value
  }
}

/** Returns `'binary'` if the numbers of the first row contain a byte that cannot occur there in the text format. */
export async function detectFormat(
  source: ByteSource,
  dim: number,
  file: string,
): Promise<'text' | 'binary'> {
  const looked = Math.min(dim, MOST_LOOKED_AT)
  await wholeRow(source, looked, file) // or up to the end, so that a truncated file is detected too
  const space = source.bytes.indexOf(SPACE, source.at)
  if (space < 0) return 'text'
  const numbers = source.bytes.subarray(space + 1, space + 1 + 4 * looked)
  const newline = numbers.indexOf(NEWLINE)
  // A short text row may end here, and the next word may be non-ASCII. A newline after anything else is part of a number.
  const isRow = newline >= 0 && /^[-+.0-9eE \r]+$/.test(numbers.toString('latin1', 0, newline))
  const end = isRow ? newline : numbers.length
  const strange = numbers.some((byte, i) => {
    const isControl = byte < SPACE && (byte < 0x09 || byte > 0x0d)
    return isControl || (byte >= 0x7f && i < end)
  })
  return strange ? 'binary' : 'text'
}
