import { writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  type PairTableOptions,
  type ReadPairsOptions,
  readPairs,
  readPairTable,
} from '../../src/text/pairs.js'
import { temporaryFolder } from './folder.js'

const at = temporaryFolder()

async function read(source: string, target: string, options: ReadPairsOptions = {}) {
  await writeFile(at('x.de'), source)
  await writeFile(at('x.en'), target)
  return readPairs(at('x.de'), at('x.en'), options)
}

async function readTable(text: string, options: PairTableOptions = {}) {
  await writeFile(at('x.tsv'), text)
  return readPairTable(at('x.tsv'), options)
}

describe('readPairs', () => {
  const pairs = [
    { source: 'Ein Hund', target: 'A dog' },
    { source: ' Tor\t"1"', target: 'gate' },
  ]

  test('puts the lines of two files together', async () => {
    expect(await read('Ein Hund\n Tor\t"1"\n', 'A dog\r\ngate')).toEqual(pairs)
    await writeFile(at('x.de.gz'), gzipSync('Ein Hund\n Tor\t"1"\n'))
    expect(await readPairs(at('x.de.gz'), at('x.en'))).toEqual(pairs)
  })

  test('keeps pairs with an empty side, or skips them', async () => {
    const [source, target] = ['a\n\nc\nd\n', 'A\nB\n \nD\n']
    expect((await read(source, target)).map(pair => Object.values(pair))).toEqual([
      ['a', 'A'],
      ['', 'B'],
      ['c', ' '],
      ['d', 'D'],
    ])
    expect((await read(source, target, { empty: 'skip' })).map(pair => pair.source)).toEqual(['a', 'd'])
  })

  test.each([
    ['target', 'a\nb\n', 'A\nB\nC\nD', /x\.en: wanted 2 lines, as .*x\.de has, got 4$/],
    ['source', 'a\nb\n\n', 'A\n', /x\.en: wanted 3 lines, as .*x\.de has, got 1$/],
  ])('rejects a longer %s, with both names and numbers', async (_, source, target, message) => {
    await expect(read(source, target)).rejects.toThrow(message)
    await expect(read(source, target)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
  })

  test('rejects bytes that are not UTF-8, missing and empty files, and an unknown word', async () => {
    await writeFile(at('latin1'), Buffer.from('Stra\xdfe\n', 'latin1'))
    await writeFile(at('x.en'), 'street\n')
    await expect(readPairs(at('latin1'), at('x.en'))).rejects.toThrow(/latin1: wanted UTF-8 text/)
    await expect(readPairs(at('x.en'), at('none'))).rejects.toThrow(/none: ENOENT/)
    await expect(read('', '')).rejects.toMatchObject({ code: 'ERR_EMPTY' })
    await expect(read('\n', '\n', { empty: 'skip' })).rejects.toThrow(/x\.de, .*x\.en: contains no pairs/)
    await expect(read('a', 'A', { empty: 'drop' as 'skip' })).rejects.toThrow(
      'readPairs: empty: wanted one of keep, skip, got drop',
    )
  })

  test('stops when its signal aborts', async () => {
    const reason = new Error('enough')
    await expect(read('a', 'A', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('readPairTable', () => {
  test('takes the columns that are named', async () => {
    const text = 'dog\tHund\tn\r\nball\tBall\tn\n'
    expect((await readTable(text))[0]).toEqual({ source: 'dog', target: 'Hund' })
    expect((await readTable(text, { source: 1, target: 0 }))[1]).toEqual({ source: 'Ball', target: 'ball' })
    expect((await readTable(text, { source: [2, 0], target: 1 }))[0]).toEqual({
      source: 'n\tdog',
      target: 'Hund',
    })
    await writeFile(at('x.tsv.gz'), gzipSync(text))
    expect(await readPairTable(at('x.tsv.gz'))).toHaveLength(2)
  })

  test('keeps empty fields, or skips their pairs and empty lines', async () => {
    const text = 'a\tA\n\tB\n\nc\t\nd\tD'
    expect(await readTable(text, { empty: 'skip' })).toEqual([
      { source: 'a', target: 'A' },
      { source: 'd', target: 'D' },
    ])
    expect(await readTable('\tB\n"\t"')).toEqual([
      { source: '', target: 'B' },
      { source: '"', target: '"' },
    ])
    await expect(readTable(text)).rejects.toThrow(/x\.tsv:3: wanted at least 2 fields, got 1$/)
  })

  test.each<[string, PairTableOptions, string]>([
    ['a column below 0', { source: -1 }, 'readPairTable: source: wanted an integer from 0'],
    ['no columns', { target: [] }, 'readPairTable: target: wanted a column or several, got []'],
    ['a column that a line lacks', { target: 3 }, 'x.tsv:1: wanted at least 4 fields, got 3'],
  ])('refuses %s', async (_, options, message) => {
    await expect(readTable('a\tb\tc\n', options)).rejects.toThrow(message)
  })

  test('rejects an empty file', async () => {
    await expect(readTable('')).rejects.toMatchObject({ code: 'ERR_EMPTY' })
  })
})
