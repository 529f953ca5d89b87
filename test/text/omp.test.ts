import { writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { foldsOf, readPosts } from '../../src/text/omp.js'
import { dataFolder } from '../data.js'
import { temporaryFolder } from './folder.js'

const at = temporaryFolder()
const HEADER = 'category,value,fold,headline,body\n'

async function read(rows: string, options: Parameters<typeof readPosts>[1] = {}) {
  await writeFile(at('posts.csv'), HEADER + rows)
  return readPosts(at('posts.csv'), options)
}

test('reads fields with line ends, quotes and commas; empty headlines, bodies and values', async () => {
  const rows = 'Stories,1,3,"Well, well","I said ""no"",\r\nand left."\nFeedback,,10,,\n'
  const posts = [
    { category: 'Stories', value: 1, fold: 3, headline: 'Well, well', body: 'I said "no",\r\nand left.' },
    { category: 'Feedback', value: null, fold: 10, headline: '', body: '' },
  ]
  expect(await read(rows)).toEqual(posts)
  expect(await read(rows, { category: 'Feedback' })).toEqual([posts[1]])
  await writeFile(at('posts.csv.gz'), gzipSync(HEADER + rows))
  expect(await readPosts(at('posts.csv.gz'))).toEqual(posts)
})

test.each([
  ['another value', 'S,0,1,,a\nS,2,1,,b\n', /posts\.csv:3: wanted the value 0 or 1, got 2/],
  ['fold 0', 'S,0,0,,a\n', /posts\.csv:2: wanted a positive integer as the fold, got 0/],
  ['no fold', 'S,0,,,a\n', /posts\.csv:2: wanted a positive integer as the fold, got $/],
  [
    'four fields, after a row of two lines',
    'S,0,1,,"a\nb"\nS,0,1,a\n',
    /posts\.csv:4: wanted 5 fields, got 4/,
  ],
  ['no category', ',0,1,,a\n', /posts\.csv:2: wanted a category, got an empty field/],
  ['an open quote', 'S,0,1,,"a\n', /posts\.csv:2: wanted a well-formed row/],
])('%s is an error that names the line', async (_, rows, message) => {
  await expect(read(rows)).rejects.toThrow(message)
  await expect(read(rows)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
})

test('folds are those of the file', async () => {
  const posts = await read('S,0,12,,a\nS,1,3,,b\nS,1,12,,c\n')
  expect(foldsOf(posts)).toEqual([3, 12])
  expect(foldsOf([])).toEqual([])
})

test('errors: another header, no posts, no posts of the category, a missing file', async () => {
  await writeFile(at('other.csv'), 'category;text\nWeb;a\n')
  await expect(readPosts(at('other.csv'))).rejects.toThrow(/other\.csv:1: wanted category,value,/)
  await expect(read('')).rejects.toThrow(/posts\.csv: contains no posts$/)
  await expect(read('S,0,1,,a\n', { category: 'T' })).rejects.toThrow(/contains no posts of T, only of S/)
  await expect(readPosts(at('none.csv'))).rejects.toThrow(/none\.csv: ENOENT/)
})

test('a signal stops reading', async () => {
  const reason = new Error('enough')
  await expect(read('S,0,1,,a\n', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

const data = dataFolder()
test.skipIf(data === null)('the corpus (skipped without its file): 33,271 rows, nine folds', async () => {
  const posts = await readPosts(`${data}/omp/posts.csv.gz`)
  expect(posts).toHaveLength(33_271)
  const stories = posts.filter(({ category }) => category === 'PersonalStories')
  expect(stories).toHaveLength(8400)
  expect(stories.filter(({ value }) => value === 1)).toHaveLength(1463)
  expect(foldsOf(stories)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(posts.every(({ value, headline, body }) => value !== null && (headline || body))).toBe(true)
})
