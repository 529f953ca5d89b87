import { pipeline } from 'node:stream/promises'
import { badFile } from '../errors.js'
import { readText } from '../files/read.js'

/** Characters of a row, at most. It stops an unclosed quote, or a `.gz` that expands without end, from filling the memory. */
const LONGEST_RECORD = 1 << 24

/** The characters with a meaning in a CSV file. */
export interface CsvFormat {
  delimiter: string
  /** Encloses fields, and is doubled within them; null: fields are not quoted. */
  quote: string | null
}

/**
 * Reads a CSV file row by row, with line ends LF or CRLF. Rows may differ in their number of fields.
 *
 * @param onRow receives a row's fields and the line it begins on, from 1. Quoted fields may contain line ends.
 * @throws PackedRnnError (rejects) as `readText`; ERR_FILE_FORMAT (file and line) for a misplaced or unclosed quote, and for
 * a row of more than 2²⁴ characters. Rejects with what `onRow` throws.
 */
export async function readRows(
  file: string,
  { delimiter, quote }: CsvFormat,
  onRow: (fields: string[], line: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  // Imported here, so that importing the package does not load the parser.
  const { CsvError, parse } = await import('csv-parse')
  // The parser reports the line a row ends on; errors name the line it begins on.
  let line = 1
  const parser = parse({
    delimiter,
    ...(quote === null ? { quote: false, escape: null } : { quote, escape: quote }),
    record_delimiter: ['\r\n', '\n'],
    // The callers check the number of fields, with messages like this package's others.
    relax_column_count: true,
    max_record_size: LONGEST_RECORD,
    on_record: (fields: string[], { lines }) => {
      onRow(fields, line)
      line = lines + 1
      return null // the parser keeps nothing
    },
  })
  try {
    await pipeline(readText(file, signal), parser.resume())
  } catch (error) {
    if (error instanceof CsvError) throw badFile(file, line, 'a well-formed row', error.message)
    throw error
  }
}
