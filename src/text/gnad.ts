import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { CsvError, type Options, parse } from 'csv-parse'
import { checkOptions, checkWord } from '../check.js'
import { badArgument, badFile, PackedRnnError } from '../errors.js'
import { fileFailure, LONGEST_RECORD, readText } from './file.js'

/** One document and its class. */
export interface Article {
  category: string
  text: string
}

/**
 * How rows are read. `'csv'` as the format is meant. `'notebook'` as the course's loader did: each line is cut at its
 * first `;`, quotes stay in the text, and so does the line end.
 */
export type Dialect = 'csv' | 'notebook'
export const dialects = ['csv', 'notebook'] as const satisfies readonly Dialect[]

/** How articles are read. */
export interface ReadArticlesOptions {
  /** `'csv'` unless given. */
  dialect?: Dialect
  /** Stops the reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
}

// A field count is checked here and not by csv-parse, so that every complaint is worded alike.
const csv: Options = {
  delimiter: ';',
  quote: "'",
  escape: "'",
  record_delimiter: ['\r\n', '\n'],
  relax_column_count: true,
  max_record_size: LONGEST_RECORD,
}
const notebook: Options = { ...csv, quote: false, escape: null }

/**
 * Reads articles in 10kGNAD's format: UTF-8 rows `category;text`, quoted with `'` where needed, no header, line
 * ends CRLF or LF, the whole file gzipped if its name ends in `.gz`.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for a row that is not two fields, a misplaced quote or
 * an empty category, a damaged `.gz` or bytes that are no UTF-8; ERR_EMPTY for a file without rows;
 * ERR_INVALID_ARGUMENT for an unknown dialect or option, and where it cannot be read. The signal's reason when that aborts.
 */
export async function readArticles(file: string, options: ReadArticlesOptions = {}): Promise<Article[]> {
  checkOptions('readArticles', options, { dialect: true, signal: true })
  const { dialect = 'csv', signal } = options
  checkWord('readArticles', 'dialect', dialect, dialects)
  // A quoted field may span lines and the parser tells the last one; a complaint names the row's first.
  let line = 1
  const articles: Article[] = []
  const parser = parse({
    ...(dialect === 'csv' ? csv : notebook),
    on_record: ([category = '', ...fields], { lines }) => {
      if (category === '') throw badFile(file, line, 'a category', 'an empty field')
      if (fields.length === 0 || (dialect === 'csv' && fields.length > 1)) {
        throw badFile(file, line, 'two fields', fields.length + 1)
      }
      articles.push({ category, text: fields.join(';') + (dialect === 'csv' ? '' : '\n') })
      line = lines + 1
      return null // nothing to pass on
    },
  })
  try {
    await pipeline(readText(file, signal), parser.resume())
  } catch (error) {
    if (error instanceof CsvError) throw badFile(file, line, 'a well-formed row', error.message)
    throw error
  }
  if (articles.length === 0) throw new PackedRnnError('ERR_EMPTY', `${file}: holds no articles`)
  return articles
}

/** How articles are written. */
export interface WriteArticlesOptions {
  /** CRLF, as the official files, unless told otherwise. */
  lineEnd?: '\r\n' | '\n'
}

/**
 * Writes articles in 10kGNAD's format, so that reading and writing a file gives its bytes back.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT for an empty category, an unknown line end or option, and where the
 * file cannot be written.
 */
export async function writeArticles(
  file: string,
  articles: Iterable<Article>,
  options: WriteArticlesOptions = {},
): Promise<void> {
  checkOptions('writeArticles', options, { lineEnd: true })
  const { lineEnd = '\r\n' } = options
  if (lineEnd !== '\r\n' && lineEnd !== '\n') {
    throw badArgument('writeArticles', 'lineEnd', 'CRLF or LF', JSON.stringify(lineEnd))
  }
  function* rows(): Generator<string> {
    for (const { category, text } of articles) {
      if (category === '') throw badArgument('writeArticles', 'articles', 'a category in each', 'none')
      yield `${quoted(category)};${quoted(text)}${lineEnd}`
    }
  }
  try {
    const target = createWriteStream(file)
    await (file.endsWith('.gz') ? pipeline(rows, createGzip(), target) : pipeline(rows, target))
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Quotes where Python's csv writer does under QUOTE_MINIMAL, and nowhere else. */
function quoted(field: string): string {
  return /[;'\r\n]/.test(field) ? `'${field.replaceAll("'", "''")}'` : field
}
