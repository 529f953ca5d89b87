import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { cli } from './command.js'

let folder: string
const at = (name: string) => join(folder, name)
const articles = inventArticles(40, 9).map(({ category, text }) => ({
  category,
  text: tokenizers.whitespace(text).slice(0, 25).join(' '),
}))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-memorisation-'))
  await writeArticles(at('all.csv'), articles)
  const files = ['--train', at('all.csv'), '--test', at('all.csv')]
  const data = [...files, ...'--epochs 1 --batch-size 10 --quiet'.split(' ')]
  const [one, two] = [
    ['--preset', 'lstm64-adam', '--out', at('one')],
    ['--preset', 'bilstm128x2-adam', '--tokenizer', 'words', '--pooling', 'max', '--out', at('two')],
  ]
  for (const options of [one!, two!])
    expect(await cli(['train', ...data, ...options])).toMatchObject({ code: 0 })
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Words and shares, as a page of one reading has them beneath the text. */
function wordsOf(html: string): [string, number][] {
  const list = html.split('class="words"')[1]!.split('</ol>')[0]!
  return [...list.matchAll(/"name">(.*?)<.*?"value">(\d+)%</g)].map(([, word, share]) => [
    word!,
    Number(share),
  ])
}

test('a page of a text and two runs; predict --explain names the same words', async () => {
  const { text } = articles[3]!
  await writeFile(at('text.txt'), text)
  const runs = [at('one'), at('two')]
  const page = await cli(['memorisation', ...runs, at('text.txt'), '--out', at('page.html')])
  expect(page).toMatchObject({ code: 0, stderr: '' })
  const html = await readFile(at('page.html'), 'utf8')
  expect(html.match(/<section/g)).toHaveLength(2)

  const one = await cli(['memorisation', at('one'), at('text.txt'), '--out', at('one.html')])
  const [line, explained] = (await cli(['predict', at('one'), at('text.txt'), '--explain'])).stdout.split(
    '\n',
  )
  const [category, first] = line!.split('\t')
  expect(one.stdout).toBe(`${at('one')}, lstm64-adam: 25 tokens, ${first}\n`)
  expect(page.stdout.split('\n')[0]).toBe(one.stdout.trimEnd())
  expect(first!.startsWith(`${category} `)).toBe(true)
  const [empty, ...fields] = explained!.split('\t')
  expect(empty).toBe('')
  expect(fields).toHaveLength(10)
  const words = fields.map(field => field.split(' ') as [string, string])
  const onPage = wordsOf(await readFile(at('one.html'), 'utf8'))
  expect(onPage.map(([word]) => word)).toEqual(words.map(([word]) => word))
  // Whole percents there, 4 decimals here.
  for (const [i, [, percent]] of onPage.entries()) {
    expect(Math.abs(percent - 100 * Number(words[i]![1]))).toBeLessThan(0.51)
  }
})

test('an article of a file, from standard input, a part of it to be pointed at', async () => {
  const args = ['memorisation', at('one'), '--out', at('part.html'), '--tokens', '7']
  const fromFile = await cli([...args, at('all.csv'), '--article', '5'])
  const part = await readFile(at('part.html'), 'utf8')
  expect(fromFile.stdout).toContain(': 25 tokens, ')
  expect(part).toContain('The first 7 tokens can be selected')
  const piped = await cli([...args, '-'], { input: articles[5]!.text })
  expect(piped).toMatchObject({ code: 0, stdout: fromFile.stdout })
  expect(await readFile(at('part.html'), 'utf8')).toBe(part)
})

describe('predict --explain', () => {
  test('--explain N names N words, in any place on the command line, and leaves the predictions as they are', async () => {
    const input = `${articles[0]!.text}\n\n${articles[1]!.text}\n`
    const plain = await cli(['predict', at('one'), '-'], { input })
    const explained = await cli(['predict', '--explain', '3', at('one'), '-'], { input })
    const lines = explained.stdout.trimEnd().split('\n')
    expect(lines.filter((_, i) => i % 2 === 0).join('\n')).toBe(plain.stdout.trimEnd())
    expect(lines[1]).toMatch(/^(\t\S+ 0\.\d{4}){3}$/)
    expect(lines[3]).toBe('\t')
    const ten = await cli(['predict', '--explain', at('one'), '-'], { input })
    expect(ten.stdout.split('\n')[1]!.split('\t').slice(0, 4)).toEqual(lines[1]!.split('\t'))
  })

  test('shares add up to 1 where all words are named', async () => {
    const { stdout } = await cli(['predict', at('two'), '--explain', '99'], { input: articles[2]!.text })
    const shares = stdout
      .split('\n')[1]!
      .split('\t')
      .slice(1)
      .map(field => Number(field.split(' ')[1]))
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 2)
  })
})

test('an article a line: neither a lone CR nor U+2028 ends it', async () => {
  const words = tokenizers.whitespace(articles[0]!.text)
  const plain = await cli(['predict', at('one'), '-'], { input: `${words.join(' ')}\n` })
  for (const input of [`${words.join('\r')}\r\n`, words.join('\u2028')]) {
    expect(await cli(['predict', at('one'), '-'], { input })).toEqual(plain)
  }
})

test('predict rejects bytes that are not UTF-8, and names where they are', async () => {
  await writeFile(at('latin1.txt'), Buffer.from('sch\u00f6n\n', 'latin1'))
  const result = await cli(['predict', at('one'), at('latin1.txt')])
  expect(result).toMatchObject({ code: 1, stdout: '' })
  expect(result.stderr).toMatch(/latin1\.txt: wanted UTF-8 text/)
})

describe('what cannot be understood or read', () => {
  test.each<[string, () => string[], number, RegExp]>([
    ['no file', () => [at('one'), '--out', 'x'], 2, /wanted a run and a file/],
    ['no page', () => [at('one'), at('all.csv')], 2, /wanted --out PAGE/],
    [
      'no tokens',
      () => [at('one'), at('all.csv'), '--out', 'x', '--tokens', '0'],
      2,
      /--tokens: wanted a number of at least 1/,
    ],
    [
      'too many',
      () => [at('one'), at('all.csv'), '--out', 'x', '--tokens', '5000'],
      2,
      /--tokens: wanted at most 4000, got 5000/,
    ],
    [
      'an article that is not there',
      () => [at('one'), at('all.csv'), '--out', 'x', '--article', '40'],
      2,
      /--article: wanted one of 40, from 0, got 40/,
    ],
    ['a file that is not there', () => [at('one'), at('no.txt'), '--out', 'x'], 1, /no\.txt: ENOENT/],
    [
      'a page that cannot be written',
      () => [at('one'), at('text.txt'), '--out', at('no/page.html')],
      1,
      /no\/page\.html.*ENOENT/,
    ],
    ['an empty text', () => [at('one'), '-', '--out', 'x'], 1, /wanted at least one token/],
  ])('%s', async (_, args, code, message) => {
    const result = await cli(['memorisation', ...args()], { input: '' })
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toMatch(/\n {4}at /)
    expect(result).toMatchObject({ code, stdout: '' })
  })
})
