import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import { checkOptions } from '../check.js'
import { badFile, PackedRnnError } from '../errors.js'
import { LONGEST_RECORD, readText } from './file.js'

/** A post below an article, and whether a category applies to it. A post that was asked about in n categories comes n times. */
export interface Post {
  category: string
  /** Whether it applies: 1 or 0; null where nobody has said. */
  value: 0 | 1 | null
  /** From 1 to 10, the corpus's own division. */
  fold: number
  /** Empty where there is none, as often. */
  headline: string
  /** Empty where all of it stands in the headline. */
  body: string
}

/** Which posts are read. */
export interface ReadPostsOptions {
  /** Those about this category alone. */
  category?: string
  /** Stops the reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
}

const HEADER = ['category', 'value', 'fold', 'headline', 'body']
const VALUES = new Map<string, Post['value']>([
  ['0', 0],
  ['1', 1],
  ['', null],
])
export const MOST_FOLDS = 10

/**
 * Reads labelled posts of the One Million Posts Corpus: UTF-8 CSV with the header `category,value,fold,headline,body`,
 * quoted with `"` where needed, the whole file gzipped if its name ends in `.gz`.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for another header, a row that is not five fields, a
 * misplaced quote, a value or a fold that is none, a damaged `.gz` or bytes that are no UTF-8; ERR_EMPTY where no post is
 * left; ERR_INVALID_ARGUMENT for an unknown option, and where the file cannot be read. The signal's reason when that aborts.
 */
export async function readPosts(file: string, options: ReadPostsOptions = {}): Promise<Post[]> {
  checkOptions('readPosts', options, { category: true, signal: true })
  const { category: wanted, signal } = options
  // A quoted field may span lines and the parser tells the last one; a complaint names the row's first.
  let line = 1
  const posts: Post[] = []
  const categories = new Set<string>()
  const parser = parse({
    record_delimiter: ['\r\n', '\n'],
    // Checked here and not by csv-parse, so that every complaint is worded alike.
    relax_column_count: true,
    max_record_size: LONGEST_RECORD,
    on_record: (fields: string[], { lines }) => {
      if (line === 1) {
        if (fields.join() !== HEADER.join()) throw badFile(file, 1, HEADER.join(), fields.join())
      } else {
        const post = postOf(fields, file, line)
        categories.add(post.category)
        if (wanted === undefined || post.category === wanted) posts.push(post)
      }
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
  if (posts.length === 0) {
    const about = wanted === undefined ? '' : ` of ${wanted}, only of ${[...categories].join(', ') || 'none'}`
    throw new PackedRnnError('ERR_EMPTY', `${file}: holds no posts${about}`)
  }
  return posts
}

function postOf(fields: string[], file: string, line: number): Post {
  const [category = '', label = '', place = '', headline = '', body = ''] = fields
  if (fields.length !== HEADER.length) throw badFile(file, line, `${HEADER.length} fields`, fields.length)
  if (category === '') throw badFile(file, line, 'a category', 'an empty field')
  const value = VALUES.get(label)
  if (value === undefined) throw badFile(file, line, 'the value 0 or 1', label)
  const fold = Number(place)
  if (!(Number.isInteger(fold) && fold >= 1 && fold <= MOST_FOLDS)) {
    throw badFile(file, line, `a fold from 1 to ${MOST_FOLDS}`, place)
  }
  return { category, value, fold, headline, body }
}
