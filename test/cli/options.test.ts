import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { type Article, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { cli, type Result } from './command.js'

/** Every option of every command does something; cli.test.ts has their errors. */

let folder: string
const at = (name: string) => join(folder, name)
const json = async (name: string) => JSON.parse(await readFile(at(name), 'utf8'))

/** Articles of exactly 20 tokens, so that a bound in tokens is one in articles. */
const articles: Article[] = inventArticles(200, 8)
  .map(({ category, text }) => ({ category, tokens: tokenizers.whitespace(text) }))
  .filter(({ tokens }) => tokens.length >= 20)
  .slice(0, 90)
  .map(({ category, tokens }) => ({ category, text: tokens.slice(0, 20).join(' ') }))
const words = [...new Set(articles.flatMap(({ text }) => tokenizers.whitespace(text)))]
const vector = (i: number) => [1, 2, 3, 4].map(k => Math.fround(Math.sin(i * k)))
const rows = words.slice(0, 300).map((word, i) => `${word} ${vector(i).join(' ')}\n`)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-options-'))
  await writeArticles(at('articles.csv'), articles)
  await writeArticles(at('articles.csv.gz'), articles)
  await writeFile(at('vectors.vec'), `${rows.length} 4\n${rows.join('')}`)
  await writeFile(at('glove.txt.gz'), gzipSync(rows.join('')))
  await writeFile(at('first.vec'), `100 4\n${rows.slice(0, 100).join('')}`)
  const binary = words.slice(0, 300).map((word, i) => {
    const numbers = Buffer.from(Float32Array.from(vector(i)).buffer)
    return Buffer.concat([Buffer.from(`${word} `), numbers, Buffer.from('\n')])
  })
  await writeFile(at('vectors.bin'), Buffer.concat([Buffer.from(`${rows.length} 4\n`), ...binary]))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Trained extends Result {
  figures: {
    preset: string
    device: string
    threads: number
    seed: number
    epochs: { loss: number; seconds: number; tokensPerSecond: number }[]
    peakRssBytes: number
  }
  losses: number[]
}

/** One epoch on all articles, in batches of 30; later options win over these. */
async function train(...options: string[]): Promise<Trained> {
  const files = ['--train', at('articles.csv'), '--test', at('articles.csv')]
  const short = ['--epochs', '1', '--batch-size', '30', '--threads', '1', '--json', at('train.json')]
  const result = await cli(['train', ...files, ...short, ...options])
  expect(result).toMatchObject({ code: 0 })
  const figures: Trained['figures'] = await json('train.json')
  return { ...result, figures, losses: figures.epochs.map(({ loss }) => loss) }
}

const withVectors = (...options: string[]) => train('--vectors', at('vectors.vec'), ...options)

/** The losses without further options, trained once. */
let usual: Promise<number[]> | undefined
const usualLosses = () => (usual ??= withVectors().then(({ losses }) => losses))

/** The shape and values of a trained model's embedding. */
async function embedding(directory: string) {
  const file = join(directory, 'model.safetensors')
  const { shape, data } = readSafetensors(await readFile(file), file).tensors.get('embedding.weight')!
  return { shape: [...shape], row: (i: number) => [...data.slice(i * shape[1]!, (i + 1) * shape[1]!)] }
}

describe('train', () => {
  test('--preset', async () => {
    expect((await withVectors('--preset', 'lstm64-sgd')).figures.preset).toBe('lstm64-sgd')
  })

  test('--train and --test take .gz', async () => {
    const packed = ['--train', at('articles.csv.gz'), '--test', at('articles.csv.gz')]
    expect((await withVectors(...packed)).losses).toEqual(await usualLosses())
  })

  test('--dialect: a quote stays on its word, and evaluate reads as train did', async () => {
    const quoted = articles.map(({ category, text }) => ({ category, text: `${text};` }))
    await writeArticles(at('quoted.csv'), quoted)
    const files = ['--train', at('quoted.csv'), '--test', at('quoted.csv')]
    const trained = await withVectors(...files, '--dialect', 'notebook', '--out', at('notebook'))
    expect(trained.losses).not.toEqual((await withVectors(...files)).losses)
    expect(await json('notebook/config.json')).toMatchObject({ dialect: 'notebook' })
    const evaluated = await cli(['evaluate', at('notebook'), '--test', at('quoted.csv')])
    expect(evaluated.stdout).toBe(trained.stdout)
  })

  test('--tokenizer', async () => {
    await withVectors('--tokenizer', 'words', '--out', at('words'))
    expect(await json('words/config.json')).toMatchObject({ tokenizer: 'words', dialect: 'csv' })
  })

  test('--vectors in the binary format, found out by its bytes', async () => {
    const losses = await usualLosses()
    expect((await train('--vectors', at('vectors.bin'))).losses).toEqual(losses)
  })

  test('--no-header, with .gz', async () => {
    const headless = await train('--vectors', at('glove.txt.gz'), '--no-header')
    expect(headless.losses).toEqual(await usualLosses())
  })

  test('--limit', async () => {
    const { losses } = await train('--vectors', at('first.vec'))
    expect((await withVectors('--limit', '100')).losses).toEqual(losses)
  })

  test('--unk', async () => {
    await withVectors('--unk', 'zero', '--out', at('zero'))
    await withVectors('--unk', 'mean', '--out', at('mean'))
    await withVectors('--out', at('uniform'))
    expect((await embedding(at('zero'))).row(0)).toEqual([0, 0, 0, 0])
    const all = rows.map((_, i) => vector(i))
    const mean = [0, 1, 2, 3].map(k => all.reduce((sum, row) => sum + row[k]!, 0) / all.length)
    expect((await embedding(at('mean'))).row(0)).toEqual(mean.map(value => expect.closeTo(value, 6)))
    const uniform = (await embedding(at('uniform'))).row(0)
    expect(uniform.every(value => value > 0 && value < 1)).toBe(true)
  })

  test('--padding: a row more, and not a bit different otherwise', async () => {
    const shared = await withVectors('--padding', 'shared', '--out', at('shared'))
    const own = await withVectors('--padding', 'own', '--out', at('own'))
    expect([own.losses, own.stdout]).toEqual([shared.losses, shared.stdout])
    const [first, second] = [await embedding(at('shared')), await embedding(at('own'))]
    expect([first.shape, second.shape]).toEqual([
      [301, 4],
      [302, 4],
    ])
    expect([second.row(0), second.row(1), second.row(2)]).toEqual([first.row(0), [0, 0, 0, 0], first.row(1)])
    expect((await cli(['evaluate', at('own'), '--test', at('articles.csv')])).stdout).toBe(own.stdout)
  })

  test('--epochs', async () => {
    expect((await withVectors('--epochs', '3')).losses).toHaveLength(3)
  })

  test('--batch-size, and --max-tokens, which here is the same', async () => {
    const { losses } = await withVectors('--batch-size', '45')
    expect(losses).not.toEqual(await usualLosses())
    expect((await withVectors('--batch-size', '90', '--max-tokens', '900')).losses).toEqual(losses)
  })

  test('--drop-last', async () => {
    const tokens = ({ figures }: Trained) => figures.epochs[0]!.tokensPerSecond * figures.epochs[0]!.seconds
    expect(tokens(await withVectors('--batch-size', '40'))).toBeCloseTo(90 * 20, 3)
    expect(tokens(await withVectors('--batch-size', '40', '--drop-last'))).toBeCloseTo(80 * 20, 3)
  })

  test('--device and --threads', async () => {
    const { figures } = await withVectors('--device', 'cpu', '--threads', '2')
    expect(figures).toMatchObject({ device: 'cpu', threads: 2 })
  })

  test('--seed', async () => {
    const { figures, losses } = await withVectors('--seed', '9')
    expect(figures.seed).toBe(9)
    expect(losses).not.toEqual(await usualLosses())
  })

  test('--progress notebook', async () => {
    const { stderr, losses } = await withVectors('--progress', 'notebook', '--epochs', '2')
    const lines = stderr.trimEnd().split('\n').slice(1)
    const time = String.raw`\d\d:\d\d`
    const form = (i: number) =>
      new RegExp(`^epoch ${i} / 2 (\\d\\.\\d{4}) avg epoch ${time} total elapsed ${time} remaining ${time}$`)
    expect(lines).toEqual([expect.stringMatching(form(0)), expect.stringMatching(form(1))])
    // Batches are of one size here, so that the notebook's mean over batches is that over articles.
    expect(Number(form(1).exec(lines[1]!)![1])).toBeCloseTo(losses[1]!, 3)
  })

  test('--progress bar and --quiet', async () => {
    expect((await withVectors('--progress', 'bar')).stderr).toMatch(/epoch 1\/1 {2}loss /)
    expect((await withVectors('--progress', 'notebook', '--quiet')).stderr).toBe('')
  })

  test.each([
    [['--dialect', 'tsv'], '--dialect: wanted csv or notebook, got tsv'],
    [['--unk', 'random', '--vectors', 'x'], '--unk: wanted uniform or zero or mean, got random'],
    [['--padding', 'none'], '--padding: wanted shared or own, got none'],
    [['--progress', 'dots'], '--progress: wanted bar or notebook, got dots'],
    [['--limit', '0', '--vectors', 'x'], '--limit: wanted a number of at least 1, got 0'],
    [['--max-tokens', '1.5'], '--max-tokens: wanted a whole number, got 1.5'],
    [['--limit', '5'], '--limit: wanted --vectors too'],
    [['--no-header'], '--no-header: wanted --vectors too'],
    [['--unk', 'zero'], '--unk: wanted --vectors too'],
  ])('refuses %j', async (options, message) => {
    const { code, stderr } = await cli(['train', ...options])
    expect(code).toBe(2)
    expect(stderr).toContain(`packed-rnn train: ${message}\n`)
  })

  test('an empty article is a document like others', async () => {
    await writeFile(
      at('empty.csv'),
      `${articles.map(({ category, text }) => `${category};${text}\n`).join('')}Web;\n`,
    )
    expect((await withVectors('--train', at('empty.csv'), '--test', at('empty.csv'))).stdout).toMatch(/ 91\n/)
  })
})

test('predict FILE takes .gz, and an empty line', async () => {
  await withVectors('--out', at('run'))
  const lines = `${articles[0]!.text}\n\n`
  await writeFile(at('lines.txt.gz'), gzipSync(lines))
  const packed = await cli(['predict', at('run'), at('lines.txt.gz')])
  expect(packed).toMatchObject({ code: 0, stderr: '' })
  expect(packed.stdout.trimEnd().split('\n')).toHaveLength(2)
  expect(packed.stdout).toBe((await cli(['predict', at('run')], { input: lines })).stdout)
  await writeFile(at('cut.txt.gz'), gzipSync(lines).subarray(0, -6))
  expect(await cli(['predict', at('run'), at('cut.txt.gz')])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cut\.txt\.gz: wanted a whole gzip file/),
  })
})

test('split takes .gz', async () => {
  const { code } = await cli(['split', at('articles.csv.gz'), '--out', at('parts')])
  expect(code).toBe(0)
  expect((await readFile(at('parts/test.csv'), 'utf8')).trimEnd().split('\n')).toHaveLength(18)
})

describe('inspect', () => {
  const inspect = (...options: string[]) => cli(['inspect', '--train', at('articles.csv.gz'), ...options])

  test('prints aligned tables, and --json the figures', async () => {
    const { code, stdout, stderr } = await inspect('--json', at('inspect.json'))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^90 articles in 9 categories\n/)
    expect(stdout).toMatch(
      /\n {2} +min +median +mean +p90 +p99 +max +all +distinct\n {2}whitespace +20 +20 +20 /,
    )
    expect(stdout).not.toContain('without a vector')
    expect(stdout).toMatch(/there is no long article 13/)
    const figures = await json('inspect.json')
    expect(figures).toMatchObject({ articles: 90, long: { above: 100, count: 0, text: null } })
    expect(figures.tokenizers[0]).toMatchObject({ tokens: 1800, unknown: null, padding: { all: 1 } })
  })

  test('--long and --nth', async () => {
    const { stdout } = await inspect('--long', '19', '--nth', '2')
    expect(stdout).toContain(
      `90 of 90 articles (100.0 %) are above 19 tokens; number 2 of these, from 0:\n\n${articles[2]!.text}\n`,
    )
  })

  test.each([
    ['text', ['--vectors', 'vectors.vec']],
    ['binary', ['--vectors', 'vectors.bin']],
    ['no header', ['--vectors', 'glove.txt.gz', '--no-header']],
  ])('--vectors: %s', async (_, [flag, file, ...more]) => {
    const { stdout } = await inspect(flag!, at(file!), ...more, '--json', at('known.json'))
    expect(stdout).toMatch(/\nwithout a vector\n\n {2} +tokens +distinct\n {2}whitespace +\d+\.\d % /)
    const [whitespace] = (await json('known.json')).tokenizers
    expect(whitespace.unknown.distinct).toBeCloseTo(1 - 300 / words.length, 10)
  })

  test('--limit', async () => {
    await inspect('--vectors', at('vectors.vec'), '--limit', '100', '--json', at('known.json'))
    const [whitespace] = (await json('known.json')).tokenizers
    expect(whitespace.unknown.distinct).toBeCloseTo(1 - 100 / words.length, 10)
  })

  test('--dialect', async () => {
    await writeArticles(at('quote.csv'), [{ category: 'Web', text: "er sagt 'ja'" }])
    const { stdout } = await cli([
      'inspect',
      '--train',
      at('quote.csv'),
      '--dialect',
      'notebook',
      '--long',
      '0',
      '--nth',
      '0',
    ])
    expect(stdout).toContain("\n'er sagt ''ja'''\n")
  })

  test.each([
    [[], 'wanted --train FILE'],
    [['--train', 'x', '--limit', '5'], '--limit: wanted --vectors too'],
  ])('refuses %j', async (options, message) => {
    const { code, stderr } = await cli(['inspect', ...options])
    expect(code).toBe(2)
    expect(stderr).toContain(`packed-rnn inspect: ${message}\n`)
  })
})
