import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readArticles, writeArticles } from '../../src/text/gnad.js'
import { dataFolder } from '../data.js'
import { temporaryFolder } from './folder.js'

const path = temporaryFolder()

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(path(name), content)
  return path(name)
}

const invented =
  'Sport;Der Krull glöste den Brand.\r\n' +
  "Web;'Er sagt: ''Ja''; dann geht er.'\r\n" +
  "Etat;'Zwei\nZeilen'\r\n" +
  'Kultur;\r\n'
const articles = [
  { category: 'Sport', text: 'Der Krull glöste den Brand.' },
  { category: 'Web', text: "Er sagt: 'Ja'; dann geht er." },
  { category: 'Etat', text: 'Zwei\nZeilen' },
  { category: 'Kultur', text: '' },
]

describe('readArticles', () => {
  it.each([
    ['as written', invented],
    ['with LF line ends', invented.replaceAll('\r\n', '\n')],
    ['without the last line end', invented.slice(0, -2)],
    ['with a byte order mark', '\ufeff' + invented],
  ])('reads quoted and plain rows %s', async (_, content) => {
    expect(await readArticles(await file('plain.csv', content))).toEqual(articles)
  })

  it('decompresses .gz', async () => {
    expect(await readArticles(await file('packed.csv.gz', gzipSync(invented)))).toEqual(articles)
  })

  it("splits lines like the course's loader in the notebook dialect", async () => {
    const name = await file('notebook.csv', "Web;'a; ''b'''\r\nEtat;c\r\n")
    expect(await readArticles(name, { dialect: 'notebook' })).toEqual([
      { category: 'Web', text: "'a; ''b'''\n" },
      { category: 'Etat', text: 'c\n' },
    ])
  })

  it.each([
    ['one field', 'Web;a\r\nEtat\r\n', 'bad.csv:2: wanted two fields, got 1'],
    ['an empty line', 'Web;a\r\n\r\nEtat;b\r\n', 'bad.csv:2: wanted a category, got an empty field'],
    ['three fields', "Web;'a\nb'\r\nEtat;b;c\r\n", 'bad.csv:3: wanted two fields, got 3'],
    ['an empty category', 'Web;a\r\n;b\r\n', 'bad.csv:2: wanted a category'],
    ['a quote inside a plain field', "Web;a\r\nWeb;b'c\r\n", 'bad.csv:2: wanted a well-formed row'],
    ['text after a closing quote', "Web;'a'b\r\n", 'bad.csv:1: wanted a well-formed row'],
    ['a quote that is never closed', "Web;a\r\nWeb;'b\r\nWeb;c\r\n", 'bad.csv:2: wanted a well-formed row'],
  ])('rejects %s', async (_, content, message) => {
    await expect(readArticles(await file('bad.csv', content))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining(message),
    })
  })

  it.each([
    ['an empty file', 'empty.csv', '', 'ERR_EMPTY'],
    ['an empty .gz', 'empty.csv.gz', gzipSync(''), 'ERR_EMPTY'],
    ['a truncated .gz', 'cut.csv.gz', gzipSync(invented).subarray(0, -5), 'ERR_FILE_FORMAT'],
    ['a .gz that is not gzip', 'plain.csv.gz', invented, 'ERR_FILE_FORMAT'],
    ['text that is not UTF-8', 'latin1.csv', Buffer.from('Web;über', 'latin1'), 'ERR_FILE_FORMAT'],
    [
      'text that ends inside a character',
      'half.csv',
      Buffer.from('Web;ü').subarray(0, -1),
      'ERR_FILE_FORMAT',
    ],
  ])('rejects %s', async (_, name, content, code) => {
    const error = { code, message: expect.stringContaining(name) }
    await expect(readArticles(await file(name, content))).rejects.toMatchObject(error)
  })

  it('rejects a missing file', async () => {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('missing.csv: ENOENT') }
    await expect(readArticles(path('missing.csv'))).rejects.toMatchObject(error)
  })

  it('stops with the reason of its signal', async () => {
    const name = await file('long.csv', invented.repeat(20_000))
    const controller = new AbortController()
    const reading = readArticles(name, { signal: controller.signal })
    setImmediate(() => controller.abort('enough'))
    await expect(reading).rejects.toBe('enough')
    await expect(readArticles(name, { signal: AbortSignal.abort('before') })).rejects.toBe('before')
  })
})

describe('writeArticles', () => {
  it('reproduces the bytes that were read', async () => {
    await writeArticles(path('again.csv'), await readArticles(await file('first.csv', invented)))
    expect(await readFile(path('again.csv'), 'utf8')).toBe(invented)
  })

  it('writes what readArticles reads, for any text', async () => {
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom(...';\'"\r\n '), fc.string({ unit: 'binary', maxLength: 1 })),
    })
    const category = text.filter(name => name !== '' && !name.startsWith('\ufeff'))
    const some = fc.array(fc.record({ category, text }), { minLength: 1 })
    const anyName = fc.constantFrom(path('any.csv'), path('any.csv.gz'))
    const property = fc.asyncProperty(some, anyName, async (written, name) => {
      await writeArticles(name, written)
      expect(await readArticles(name)).toEqual(written)
    })
    await fc.assert(property, { numRuns: 50 })
  })

  it('rejects an empty category and a missing folder', async () => {
    const nameless = [{ category: '', text: 'a' }]
    const error = { code: 'ERR_INVALID_ARGUMENT' }
    await expect(writeArticles(path('nameless.csv'), nameless)).rejects.toMatchObject(error)
    await expect(writeArticles(path('nowhere/a.csv'), articles)).rejects.toMatchObject(error)
  })
})

const data = dataFolder()

describe.skipIf(data === null)('712 articles of 10kGNAD (skipped without a data folder)', () => {
  const name = join(data ?? '', 'gnad', 'articles.csv')

  it('has the known counts', async () => {
    const counts = new Map<string, number>()
    for (const { category } of await readArticles(name)) counts.set(category, (counts.get(category) ?? 0) + 1)
    expect(Object.fromEntries(counts)).toEqual({
      Web: 117,
      Panorama: 117,
      International: 105,
      Wirtschaft: 98,
      Sport: 84,
      Inland: 70,
      Etat: 46,
      Wissenschaft: 39,
      Kultur: 36,
    })
  })

  it('is reproduced byte for byte', async () => {
    // The official files end their lines with CRLF, this extract with LF.
    await writeArticles(path('gnad.csv'), await readArticles(name), { lineEnd: '\n' })
    expect((await readFile(path('gnad.csv'))).equals(await readFile(name))).toBe(true)
  })
})
