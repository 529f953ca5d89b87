import { checkOptions } from '../check.js'
import { badFile, PackedRnnError } from '../errors.js'
import { type CsvFormat, readRows } from './csv.js'

/** A reader's post on a news article, labelled for one category. A post labelled for n categories occurs n times. */
export interface Post {
  category: string
  /** Whether the category applies: 1 or 0; null if the post is not labelled. */
  value: 0 | 1 | null
  /** The corpus's fold that the post is in, from 1. */
  fold: number
  /** Empty if the post has no headline, which is common. */
  headline: string
  /** Empty if the post has only a headline. */
  body: string
}

/** Options of `readPosts`. */
export interface ReadPostsOptions {
  /** Returns only the rows about this category. By default all rows are returned. */
  category?: string
  /** Stops reading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal
}

const FORMAT: CsvFormat = { delimiter: ',', quote: '"' }
const HEADER = ['category', 'value', 'fold', 'headline', 'body']
const VALUES = new Map<string, Post['value']>([
  ['0', 0],
  ['1', 1],
  ['', null],
])

/**
 * Reads labelled posts of the One Million Posts Corpus (Schabus, Skowron, Trapp, SIGIR 2017): UTF-8 CSV with the header
 * `category,value,fold,headline,body`. Fields are quoted with `"` if necessary. The file is decompressed if its name ends in
 * `.gz`.
 *
 * @returns the posts in the file's order
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT (file and line) for another header, a row without exactly five fields, a
 * misplaced quote, a value other than 0, 1 or empty, or a fold that is not a positive integer; ERR_FILE_FORMAT for a damaged
 * `.gz` or invalid UTF-8; ERR_EMPTY if the file has no posts, or none of the category; ERR_INVALID_ARGUMENT for an unknown
 * option, or if the file cannot be read. Rejects with the signal's reason when it aborts.
 * @example
 * ```ts
 * import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readPosts } from 'packed-rnn/text'
 *
 * const folder = mkdtempSync(join(tmpdir(), 'posts-'))
 * writeFileSync(join(folder, 'posts.csv'), 'category,value,fold,headline,body\nPersonalStories,1,3,,"Well, I was there."\n')
 * const [post] = await readPosts(join(folder, 'posts.csv'), { category: 'PersonalStories' })
 * console.log(post!.value, post!.fold, post!.body) // 1 3 Well, I was there.
 * rmSync(folder, { recursive: true })
 * ```
 */
export async function readPosts(file: string, options: ReadPostsOptions = {}): Promise<Post[]> {
  checkOptions('readPosts', options, { category: true, signal: true })
  const { category: wanted, signal } = options
  const posts: Post[] = []
  const categories = new Set<string>()
  const take = (fields: string[], line: number) => {
    if (line === 1) {
      if (fields.join() !== HEADER.join()) throw badFile(file, 1, HEADER.join(), fields.join())
      return
    }
    const post = postOf(fields, file, line)
    categories.add(post.category)
    if (wanted === undefined || post.category === wanted) posts.push(post)
  }
  await readRows(file, FORMAT, take, signal)
  if (posts.length === 0) {
    const about = wanted === undefined ? '' : ` of ${wanted}, only of ${[...categories].join(', ') || 'none'}`
    throw new PackedRnnError('ERR_EMPTY', `${file}: contains no posts${about}`)
  }
  return posts
}

/** The distinct folds of some posts, in ascending order. */
export function foldsOf(posts: readonly Post[]): number[] {
  return [...new Set(posts.map(({ fold }) => fold))].sort((a, b) => a - b)
}

function postOf(fields: string[], file: string, line: number): Post {
  const [category = '', label = '', place = '', headline = '', body = ''] = fields
  if (fields.length !== HEADER.length) throw badFile(file, line, `${HEADER.length} fields`, fields.length)
  if (category === '') throw badFile(file, line, 'a category', 'an empty field')
  const value = VALUES.get(label)
  if (value === undefined) throw badFile(file, line, 'the value 0 or 1', label)
  const fold = Number(place)
  if (!Number.isSafeInteger(fold) || fold < 1) {
    throw badFile(file, line, 'a positive integer as the fold', place)
  }
  return { category, value, fold, headline, body }
}
