import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { checkOptions, checkWord } from '../check.js'
import { badArgument, badFile, PackedRnnError } from '../errors.js'
import { fileFailure } from '../files/failure.js'
import { type CsvFormat, readRows } from './csv.js'

/** A document and its category. */
export interface Article {
  category: string
  text: string
}

/**
 * How rows are parsed. `'csv'`: as CSV with quotes. `'notebook'`: as the course's loader does; each line is split at its
 * first `;`, and the text keeps its quotes and its line end.
 */
export type Dialect = 'csv' | 'notebook'
/** All dialects. */
export const dialects = ['csv', 'notebook'] as const satisfies readonly Dialect[]

/** Options of `readArticles`. */
export interface ReadArticlesOptions {
  /** Default `'csv'`. */
  dialect?: Dialect
  /** Stops reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
}

const formats: Readonly<Record<Dialect, CsvFormat>> = {
  csv: { delimiter: ';', quote: "'" },
  notebook: { delimiter: ';', quote: null },
}

/**
 * Reads articles in 10kGNAD's format: UTF-8 rows `category;text` without a header. Fields are quoted with `'` if necessary,
 * and lines end in CRLF or LF. The file is decompressed if its name ends in `.gz`.
 *
 * @returns the articles in the file's order
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for a row without exactly two fields, a misplaced quote or
 * an empty category; ERR_FILE_FORMAT for a damaged `.gz` or invalid UTF-8; ERR_EMPTY for a file without rows;
 * ERR_INVALID_ARGUMENT for an unknown dialect or option, or if the file cannot be read. Rejects with the signal's reason
 * when it aborts.
 * @example
 * ```ts
 * import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readArticles } from 'packed-rnn/text'
 *
 * const folder = mkdtempSync(join(tmpdir(), 'articles-'))
 * writeFileSync(join(folder, 'train.csv'), "Sport;Der Ball war im Tor.\nWeb;'Neu; schnell'\n")
 * const articles = await readArticles(join(folder, 'train.csv'))
 * console.log(articles.length, articles[1]!.text) // 2 Neu; schnell
 * rmSync(folder, { recursive: true })
 * ```
 */
export async function readArticles(file: string, options: ReadArticlesOptions = {}): Promise<Article[]> {
  checkOptions('readArticles', options, { dialect: true, signal: true })
  const { dialect = 'csv', signal } = options
  checkWord('readArticles', 'dialect', dialect, dialects)
  const articles: Article[] = []
  const take = ([category = '', ...fields]: string[], line: number) => {
    if (category === '') throw badFile(file, line, 'a category', 'an empty field')
    if (fields.length === 0 || (dialect === 'csv' && fields.length > 1)) {
      throw badFile(file, line, 'two fields', fields.length + 1)
    }
    articles.push({ category, text: fields.join(';') + (dialect === 'csv' ? '' : '\n') })
  }
  await readRows(file, formats[dialect], take, signal)
  if (articles.length === 0) throw new PackedRnnError('ERR_EMPTY', `${file}: contains no articles`)
  return articles
}

/** Options of `writeArticles`. */
export interface WriteArticlesOptions {
  /** Default CRLF, as in the official files. */
  lineEnd?: '\r\n' | '\n'
}

/**
 * Writes articles in 10kGNAD's format, gzipped if the name ends in `.gz`. Reading an official file and writing it again
 * reproduces its bytes.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT for an empty category, an unknown line end or option, or if the
 * file cannot be written.
 * @example
 * ```ts
 * import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { writeArticles } from 'packed-rnn/text'
 *
 * const folder = mkdtempSync(join(tmpdir(), 'articles-'))
 * const file = join(folder, 'train.csv')
 * await writeArticles(file, [{ category: 'Web', text: 'Neu; schnell' }])
 * console.log(readFileSync(file, 'utf8').trim()) // Web;'Neu; schnell'
 * rmSync(folder, { recursive: true })
 * ```
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

/** Quotes a field where Python's csv writer does under QUOTE_MINIMAL. */
function quoted(field: string): string {
  return /[;'\r\n]/.test(field) ? `'${field.replaceAll("'", "''")}'` : field
}
