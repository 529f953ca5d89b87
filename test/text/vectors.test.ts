import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDecimal } from '../../src/text/decimal.js'
import { readWordVectors } from '../../src/text/vectors.js'
import { dataFolder } from '../data.js'
import { temporaryFolder } from './folder.js'

const path = temporaryFolder()

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(path(name), content)
  return path(name)
}

const small = '3 2\nder 0.5 -1\nBrand 1e-2 .25 \nglöst +3 4.\n'
const read = { words: ['der', 'Brand', 'glöst'], dim: 2, data: Float32Array.of(0.5, -1, 0.01, 0.25, 3, 4) }

describe('readWordVectors', () => {
  it.each([
    ['plain', 'a.vec', small],
    ['gzipped', 'a.vec.gz', gzipSync(small)],
    ['without the last newline', 'b.vec', small.slice(0, -1)],
    ['with CRLF', 'c.vec', small.replaceAll('\n', '\r\n')],
  ])('reads a file %s', async (_, name, content) => {
    expect(await readWordVectors(await file(name, content))).toEqual(read)
  })

  it('treats non-ASCII white space as words, also at the start of a line', async () => {
    const words = ['\u00a0', '\u3000', '\u0085', '\ufeff', '\ufffd', '\u2028']
    const name = await file('odd.vec', `6 1\n${words.map((word, i) => `${word} ${i}\n`).join('')}`)
    expect(await readWordVectors(name)).toEqual({ words, dim: 1, data: Float32Array.of(0, 1, 2, 3, 4, 5) })
  })

  it('keeps only the requested words and does not check the others', async () => {
    const name = await file('keep.vec', '4 2\na 1 2\nb nonsense\nc 3 4\nd 5 6\n')
    const keep = new Set(['d', 'a', 'z'])
    expect(await readWordVectors(name, { keep })).toEqual({
      words: ['a', 'd'],
      dim: 2,
      data: Float32Array.of(1, 2, 5, 6),
    })
    expect(await readWordVectors(name, { keep: new Set() })).toEqual({
      words: [],
      dim: 2,
      data: new Float32Array(),
    })
  })

  it('with a limit reads only the first rows', async () => {
    const name = await file('limit.vec', '3 1\na 1\nb 2\nc nonsense')
    expect((await readWordVectors(name, { limit: 2 })).words).toEqual(['a', 'b'])
  })

  it('keeps the first row of a word, and warns of repeated rows and of rows beyond the header', async () => {
    const warnings: string[] = []
    const name = await file('twice.vec', '3 1\na 1\nb 2\na 3\nc 4\nd 5\n')
    const vectors = await readWordVectors(name, { onWarning: warning => warnings.push(warning) })
    expect(vectors).toEqual({ words: ['a', 'b'], dim: 1, data: Float32Array.of(1, 2) })
    expect(warnings).toEqual([
      expect.stringMatching(/twice\.vec:4: .*'a' already has a vector/),
      expect.stringMatching(/twice\.vec:5: ignored the rows after the 3 of the header/),
    ])
    expect(await readWordVectors(name)).toEqual(vectors)
  })

  it('grows beyond its first allocation, over many chunks', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `w${i} ${i} ${-i} ${'0'.repeat(200)}`)
    const name = await file('many.vec.gz', gzipSync(`5000 3\n${rows.join('\n')}\n`))
    const all = await readWordVectors(name)
    const keep = new Set(all.words.filter((_, i) => i % 2 === 0))
    const half = await readWordVectors(name, { keep })
    expect(all.words[4999]).toBe('w4999')
    expect([...all.data.slice(-3)]).toEqual([4999, -4999, 0])
    expect(half.words).toEqual([...keep])
    for (const [i, word] of half.words.entries()) expect(half.data[i * 3]).toBe(Number(word.slice(1)))
  })

  it.each([
    ['an empty file', '', "bad.vec: wanted a header 'rows dim', got an empty file"],
    ['no header', 'der 0.5 -1\n', "bad.vec:1: wanted a header 'rows dim', got 'der 0.5 -1'"],
    ['no dimensions', '3 0\n', 'bad.vec:1: wanted a header'],
    ['a table beyond all memory', '99999999999 99999\na 1\n', 'bad.vec:2: wanted 100000 parts, got 2'],
    ['too few numbers', '1 3\na 1 2\n', 'bad.vec:2: wanted 4 parts, got 3'],
    ['too many numbers', '1 1\na 1 2\n', 'bad.vec:2: wanted 2 parts, got 3'],
    ['a word alone', '2 1\na 1\nb\n', 'bad.vec:3: wanted 2 parts, got 1'],
    ['an empty line', '2 1\na 1\n\nb 2\n', 'bad.vec:3: wanted 2 parts, got 1'],
    ['two spaces', '1 2\na 1  2\n', 'bad.vec:2: wanted 3 parts, got 4'],
    ['a tab', '1 2\na 1\t2\n', 'bad.vec:2: wanted 3 parts, got 2'],
    ['NaN', '2 2\na 1 2\nb 3 nan\n', "bad.vec:3: wanted a finite number, got 'nan'"],
    ['infinity', '1 1\na Infinity\n', "bad.vec:2: wanted a finite number, got 'Infinity'"],
    ['a number beyond float32', '1 2\na 1e39 1\n', "bad.vec:2: wanted a finite number, got '1e39'"],
    ['a word for a number', '1 2\na 1 zwei\n', "bad.vec:2: wanted a finite number, got 'zwei'"],
    ['nothing for a number', '1 2\na  1\n', "bad.vec:2: wanted a finite number, got ''"],
    ['a hexadecimal number', '1 1\na 0x10\n', "bad.vec:2: wanted a finite number, got '0x10'"],
    ['fewer rows than promised', '3 1\na 1\nb 2\n', 'bad.vec: wanted 3 rows, got 2'],
    ['a word that is not UTF-8', Buffer.from('1 1\n\xfc 1\n', 'latin1'), 'bad.vec:2: wanted a word in UTF-8'],
    ['a line without end', `1 1\na ${'1'.repeat(1 << 25)}`, 'bad.vec: wanted lines of at most'],
  ])('rejects %s', async (_, content, message) => {
    await expect(readWordVectors(await file('bad.vec', content))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining(message),
    })
  })

  it.each([5, 40])('rejects a .gz without its last %i bytes', async missing => {
    const name = await file('cut.vec.gz', gzipSync(small).subarray(0, -missing))
    const error = {
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining('cut.vec.gz: wanted a whole gzip file'),
    }
    await expect(readWordVectors(name)).rejects.toMatchObject(error)
  })

  it.each([0, -1, 1.5, Number.NaN])('rejects a limit of %s', async limit => {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('limit') }
    await expect(readWordVectors(await file('fine.vec', small), { limit })).rejects.toMatchObject(error)
  })

  it('stops with the reason of its signal', async () => {
    const name = await file('long.vec', `100000 1\n${'a 1\n'.repeat(100_000)}`)
    const controller = new AbortController()
    const reading = readWordVectors(name, { signal: controller.signal })
    controller.abort('enough')
    await expect(reading).rejects.toBe('enough')
  })
})

describe('word vectors without a header', () => {
  const rows = small.slice(small.indexOf('\n') + 1)

  it.each([
    ['plain', 'glove.txt', rows],
    ['gzipped', 'glove.txt.gz', gzipSync(rows)],
  ])('are read as they come, %s', async (_, name, content) => {
    expect(await readWordVectors(await file(name, content), { noHeader: true })).toEqual(read)
  })

  it('support keep, limit and warnings with lines', async () => {
    const warnings: string[] = []
    const onWarning = (warning: string) => warnings.push(warning)
    const name = await file('glove.txt', 'a 1\nb 2\na 3\nc 4\n')
    const options = { noHeader: true, keep: new Set(['a', 'c']), limit: 3, onWarning }
    expect(await readWordVectors(name, options)).toEqual({ words: ['a'], dim: 1, data: Float32Array.of(1) })
    expect(warnings).toEqual([expect.stringMatching(/glove\.txt:3: .*'a' already has a vector/)])
  })

  it('grow beyond the first allocation', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => `w${i} ${i}\n`).join('')
    const { words, data } = await readWordVectors(await file('glove.txt', many), { noHeader: true })
    expect([words.length, data.length, data[4999]]).toEqual([5000, 5000, 4999])
  })

  it.each([
    ['an empty file', '', 'glove.txt: wanted rows, got an empty file'],
    ['a word alone', 'a\n', 'glove.txt:1: wanted a word and numbers'],
    ['rows of different lengths', 'a 1 2\nb 3\n', 'glove.txt:2: wanted 3 parts, got 2'],
  ])('are rejected: %s', async (_, content, message) => {
    await expect(readWordVectors(await file('glove.txt', content), { noHeader: true })).rejects.toMatchObject(
      {
        code: 'ERR_FILE_FORMAT',
        message: expect.stringContaining(message),
      },
    )
  })
})

describe("word2vec's binary format", () => {
  /** `end`: the newline after each row, which the C program writes and gensim does not. */
  function binary(
    rows: readonly (readonly [string, ...number[]])[],
    end = '\n',
    promised = rows.length,
  ): Buffer {
    const dim = rows[0]!.length - 1
    const parts = rows.map(([word, ...numbers]) => {
      const vector = Buffer.alloc(4 * dim)
      for (const [i, number] of numbers.entries()) vector.writeFloatLE(number, 4 * i)
      return Buffer.concat([Buffer.from(`${word} `), vector, Buffer.from(end)])
    })
    return Buffer.concat([Buffer.from(`${promised} ${dim}\n`), ...parts])
  }
  const rows = [
    ['der', 0.5, -1],
    ['Brand', 0.01, 0.25],
    ['glöst', 3, 4],
  ] as const

  it.each([
    ['with newlines', 'a.bin', binary(rows)],
    ['without', 'a.bin', binary(rows, '')],
    ['gzipped', 'a.bin.gz', gzipSync(binary(rows))],
  ])('is found out and read %s', async (_, name, content) => {
    const bin = await file(name, content)
    expect(await readWordVectors(bin)).toEqual(read)
    expect(await readWordVectors(bin, { format: 'binary' })).toEqual(read)
  })

  it('may contain any byte, over many chunks', async () => {
    const dim = 200
    const numbers = (i: number) => Array.from({ length: dim }, (_, d) => Math.fround(Math.sin(i * dim + d)))
    const many = Array.from({ length: 2000 }, (_, i) => [`w${i}`, ...numbers(i)] as const)
    const { words, data } = await readWordVectors(await file('many.bin', binary(many)))
    expect(words).toEqual(many.map(([word]) => word))
    expect(data).toEqual(Float32Array.from(many.flatMap(([, ...row]) => row)))
  })

  it('is detected from its first numbers', () => {
    // String(-0) is '0'.
    const number = fc.float({ noNaN: true, noDefaultInfinity: true }).map(value => value + 0)
    const row = fc.tuple(
      fc.constantFrom('a', 'ö', '\u00a0'),
      fc.array(number, { minLength: 8, maxLength: 8 }),
    )
    const property = fc.asyncProperty(row, fc.boolean(), async ([word, numbers], inText) => {
      const other = `${word}2`
      const name = await file(
        'either.vec',
        inText
          ? Buffer.from(`2 8\n${word} ${numbers.join(' ')}\n${other} ${numbers.join(' ')}\n`)
          : binary([
              [word, ...numbers],
              [other, ...numbers],
            ]),
      )
      const data = Float32Array.from([...numbers, ...numbers])
      expect(await readWordVectors(name)).toEqual({ words: [word, other], dim: 8, data })
    })
    // A newline within a binary row does not end a text row.
    const newlines = [
      -3.0555348634189273e32, -1.5636089756299043e-8, -8.000180371181286e-36, 1.3555546365304624e-19,
      2.2755150628356313e-12, 5.971802506709104e-16, -1.2278415925672368e-37, 1.3563156426940112e-19,
    ]
    return fc.assert(property, { numRuns: 300, examples: [[['a', newlines], false]] })
  })

  it('supports keep, limit and warnings with rows', async () => {
    const warnings: string[] = []
    const onWarning = (warning: string) => warnings.push(warning)
    const twice = [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['c', Number.NaN],
      ['d', 5],
    ] as const
    const name = await file('twice.bin', binary(twice, '\n', 4))
    const keep = new Set(['a', 'b', 'd'])
    const vectors = { words: ['a', 'b'], dim: 1, data: Float32Array.of(1, 2) }
    expect(await readWordVectors(name, { keep, onWarning })).toEqual(vectors)
    expect(warnings).toEqual([
      expect.stringMatching(/twice\.bin: row 3: .*'a' already has a vector/),
      expect.stringMatching(/twice\.bin: ignored the bytes after the 4 rows of the header/),
    ])
    expect(await readWordVectors(name, { limit: 2 })).toEqual(vectors)
  })

  it.each([
    ['a file cut inside a row', binary(rows).subarray(0, -4), 'bad.bin: wanted 3 rows, got 2'],
    ['a file cut inside the first row', binary(rows).subarray(0, 12), 'bad.bin: wanted 3 rows, got 0'],
    ['NaN', binary([['a', 1, Number.NaN]]), 'bad.bin: row 1: wanted a finite number, got NaN'],
    [
      'infinity',
      binary([['a', Number.POSITIVE_INFINITY]]),
      'bad.bin: row 1: wanted a finite number, got Infinity',
    ],
    [
      'a word that is not UTF-8',
      Buffer.from('1 1\n\xfc \0\0\0\0', 'latin1'),
      "bad.bin: row 1: wanted a word in UTF-8, got '\ufffd'",
    ],
    ['a word without end', Buffer.from(`1 1\n${'a'.repeat(1 << 17)}`), 'bad.bin: wanted words of at most'],
  ])('rejects %s', async (_, content, message) => {
    await expect(readWordVectors(await file('bad.bin', content))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining(message),
    })
  })

  it('rejects a .gz truncated after the last row, and a missing header', async () => {
    const cut = await file('cut.bin.gz', gzipSync(binary(rows)).subarray(0, -6))
    await expect(readWordVectors(cut)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
    const options = { noHeader: true, format: 'binary' } as const
    await expect(readWordVectors(cut, options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})

describe('parseDecimal', () => {
  const parse = (text: string): number => parseDecimal(Buffer.from(`<${text}>`), 1, text.length + 1)

  it('rounds like Number()', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 12 })
    const exponent = fc.oneof(
      fc.constant(''),
      fc.integer({ min: -320, max: 320 }).map(e => `e${e}`),
    )
    const text = fc
      .tuple(fc.constantFrom('', '-', '+'), digits, fc.constantFrom('', '.'), digits, exponent)
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)), input => {
        expect(parse(input)).toBe(Number(input))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    '',
    '.',
    '-',
    '+.',
    '1.2.3',
    '--1',
    '1-',
    ' 1',
    '1 ',
    '1e',
    'e1',
    '0x1',
    'NaN',
    '1_0',
    '1234567890123456x',
  ])('finds no number in "%s"', text => expect(parse(text)).toBeNaN())
})

const data = dataFolder()

describe.skipIf(data === null)('50,000 German word vectors (skipped without a data folder)', () => {
  it('returns a few words', async () => {
    const name = join(data ?? '', 'vectors', 'de.300.vec.gz')
    const { words, dim, data: rows } = await readWordVectors(name, { keep: new Set(['die', ',', 'Wien']) })
    expect(words).toEqual([',', 'die', 'Wien'])
    expect(dim).toBe(300)
    expect(rows.length).toBe(900)
    expect(rows[0]).toBe(Math.fround(0.1399))
  })
})
