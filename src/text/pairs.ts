import { checkInteger, checkOptions, checkWord } from '../check.js'
import { badArgument, badFile, PackedRnnError } from '../errors.js'
import { readText } from '../files/read.js'
import { lines } from './lines.js'

/** A text and its translation. */
export interface TextPair {
  source: string
  target: string
}

/** Options of `readPairs`. */
export interface ReadPairsOptions {
  /**
   * What becomes of a pair with an empty side, or one of only white space. `'keep'` (default): it is a pair like others, so that
   * pair `i` is line `i + 1`, as scores of a test set need it. `'skip'`: it is left out, as is usual for training.
   */
  empty?: 'keep' | 'skip'
  /** Stops reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** Options of `readPairTable`. */
export interface PairTableOptions extends ReadPairsOptions {
  /** The column of the source, from 0, or several, whose fields stay joined by tabs; default 0. */
  source?: number | readonly number[]
  /** The column of the target, or several; default 1. */
  target?: number | readonly number[]
}

/**
 * Reads two files of UTF-8 text whose lines belong together: line `i` of one is the translation of line `i` of the other.
 * Lines end in LF or CRLF. A file is decompressed if its name ends in `.gz`.
 *
 * @returns the pairs in the files' order
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT if the numbers of lines differ (both files and numbers), for a damaged `.gz`
 * or invalid UTF-8; ERR_EMPTY for files without pairs; ERR_INVALID_ARGUMENT for an unknown option or value of `empty`, or if a
 * file cannot be read. Rejects with the signal's reason when it aborts.
 *
 * @example
 * ```ts
 * import { writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readPairs } from 'packed-rnn/text'
 *
 * const [german, english] = ['de', 'en'].map(language => join(tmpdir(), `pairs-${process.pid}.${language}`))
 * writeFileSync(german!, 'Ein Hund\n\nDer Ball\n')
 * writeFileSync(english!, 'A dog\n\nThe ball\n')
 * const pairs = await readPairs(german!, english!, { empty: 'skip' })
 * console.log(pairs.length, pairs[1]!.source, '–', pairs[1]!.target) // 2 Der Ball – The ball
 * ```
 */
export async function readPairs(
  sourceFile: string,
  targetFile: string,
  options: ReadPairsOptions = {},
): Promise<TextPair[]> {
  checkOptions('readPairs', options, { empty: true, signal: true })
  const { empty = 'keep', signal } = options
  checkEmpty('readPairs', empty)
  const [sources, targets] = [lines(readText(sourceFile, signal)), lines(readText(targetFile, signal))]
  const pairs: TextPair[] = []
  const counts = { source: 0, target: 0 }
  try {
    // To the end of both, so that the numbers of lines are known.
    for (;;) {
      const [source, target] = [await sources.next(), await targets.next()]
      if (!source.done) counts.source++
      if (!target.done) counts.target++
      if (source.done && target.done) break
      if (counts.source === counts.target) {
        take(pairs, { source: source.value ?? '', target: target.value ?? '' }, empty)
      }
    }
  } finally {
    await Promise.all([sources.return(undefined), targets.return(undefined)])
  }
  if (counts.source !== counts.target) {
    throw badFile(targetFile, null, `${counts.source} lines, as ${sourceFile} has`, counts.target)
  }
  return someOf(`${sourceFile}, ${targetFile}`, pairs)
}

/**
 * Reads pairs from a table of UTF-8 text: a pair a line, fields separated by tabs, without quotes and without a header. Lines
 * end in LF or CRLF. The file is decompressed if its name ends in `.gz`.
 *
 * @returns the pairs in the file's order
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for a line without one of the columns (an empty line too,
 * unless `empty` is `'skip'`), for a damaged `.gz` or invalid UTF-8; ERR_EMPTY for a file without pairs; ERR_OUT_OF_RANGE for
 * a column below 0; ERR_INVALID_ARGUMENT for no columns, an unknown option or value of `empty`, or if the file cannot be read.
 * Rejects with the signal's reason when it aborts.
 *
 * @example
 * ```ts
 * import { writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readPairTable } from 'packed-rnn/text'
 *
 * const file = join(tmpdir(), `table-${process.pid}.tsv`)
 * writeFileSync(file, 'A dog\tEin Hund\tlicence\nThe ball\tDer Ball\tlicence\n')
 * console.log(await readPairTable(file, { source: 1, target: 0 }).then(([pair]) => pair!.source)) // Ein Hund
 * ```
 */
export async function readPairTable(file: string, options: PairTableOptions = {}): Promise<TextPair[]> {
  const op = 'readPairTable'
  checkOptions(op, options, { source: true, target: true, empty: true, signal: true })
  const { empty = 'keep', signal } = options
  checkEmpty(op, empty)
  const source = columnsOf(op, 'source', options.source ?? 0)
  const target = columnsOf(op, 'target', options.target ?? 1)
  const needed = Math.max(...source, ...target) + 1
  const pairs: TextPair[] = []
  let line = 0
  for await (const text of lines(readText(file, signal))) {
    line++
    if (text === '' && empty === 'skip') continue
    const fields = text.split('\t')
    if (fields.length < needed) throw badFile(file, line, `at least ${needed} fields`, fields.length)
    const joined = (columns: readonly number[]) => columns.map(column => fields[column]!).join('\t')
    take(pairs, { source: joined(source), target: joined(target) }, empty)
  }
  return someOf(file, pairs)
}

function checkEmpty(op: string, empty: string): void {
  checkWord(op, 'empty', empty, ['keep', 'skip'])
}

function columnsOf(op: string, name: string, given: number | readonly number[]): readonly number[] {
  const columns = typeof given === 'number' ? [given] : given
  if (!Array.isArray(columns) || columns.length === 0)
    throw badArgument(op, name, 'a column or several', given)
  for (const column of columns) checkInteger(op, name, column, 0)
  return columns
}

function take(pairs: TextPair[], pair: TextPair, empty: 'keep' | 'skip'): void {
  if (empty === 'skip' && (pair.source.trim() === '' || pair.target.trim() === '')) return
  pairs.push(pair)
}

function someOf(files: string, pairs: TextPair[]): TextPair[] {
  if (pairs.length === 0) throw new PackedRnnError('ERR_EMPTY', `${files}: contains no pairs`)
  return pairs
}
