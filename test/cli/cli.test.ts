import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { classification } from '../../src/cli/classification.js'
import type { Option } from '../../src/cli/options.js'
import { experimentsTable } from '../../src/cli/runOptions.js'
import { readArticles, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { cli } from './command.js'

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-cli-'))
  const articles = inventArticles(120, 8).map(({ category, text }) => ({
    category,
    text: tokenizers.whitespace(text).slice(0, 30).join(' '),
  }))
  await writeArticles(at('all.csv'), articles)
  const words = [...new Set(articles.flatMap(({ text }) => tokenizers.whitespace(text)))].slice(0, 400)
  const rows = words.map(
    (word, i) => `${word} ${[1, 2, 3, 4].map(k => Math.sin(i * k).toFixed(4)).join(' ')}\n`,
  )
  await writeFile(at('vectors.vec.gz'), gzipSync(`${rows.length} 4\n${rows.join('')}`))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('split, train, evaluate and predict, one after the other', async () => {
  expect(await cli(['split', at('all.csv'), '--test', '0.25', '--seed', '3', '--out', folder])).toMatchObject(
    { code: 0 },
  )
  const [training, testing] = [await readArticles(at('train.csv')), await readArticles(at('test.csv'))]
  expect([training.length, testing.length]).toEqual([90, 30])

  const files = ['--train', at('train.csv'), '--test', at('test.csv'), '--vectors', at('vectors.vec.gz')]
  const options = [
    '--preset',
    'bilstm64x4-adam',
    '--tokenizer',
    'words',
    '--epochs',
    '2',
    '--batch-size',
    '30',
  ]
  const device = ['--device', 'cpu', '--threads', '1', '--seed', '7']
  const out = ['--out', at('run'), '--json', at('train.json')]
  const trained = await cli(['train', ...files, ...options, ...device, ...out])
  expect(trained).toMatchObject({ code: 0 })
  expect(trained.stdout).toMatch(/^ +precision +recall +f1-score +support\n/)
  expect(trained.stderr).toMatch(/epoch 1\/2 {2}loss \d\.\d{4} .*\n.*epoch 2\/2/s)

  const figures = JSON.parse(await readFile(at('train.json'), 'utf8'))
  expect(figures).toMatchObject({
    preset: 'bilstm64x4-adam',
    device: 'cpu',
    precision: 'float32',
    threads: 1,
    seed: 7,
    epochs: [1, 2].map(() => ({
      loss: expect.any(Number),
      seconds: expect.any(Number),
      tokensPerSecond: expect.any(Number),
    })),
    test: {
      accuracy: expect.any(Number),
      macro: { f1: expect.any(Number) },
      weighted: { f1: expect.any(Number) },
    },
  })
  expect(figures.test.perClass).toHaveLength(9)
  expect(figures.peakRssBytes).toBeGreaterThan(2 ** 25)

  const evaluated = await cli([
    'evaluate',
    at('run'),
    '--test',
    at('test.csv'),
    '--json',
    at('evaluate.json'),
  ])
  expect(evaluated).toMatchObject({ code: 0, stdout: trained.stdout })
  expect(JSON.parse(await readFile(at('evaluate.json'), 'utf8')).test).toMatchObject(figures.test)

  await writeFile(at('articles.txt'), testing.map(({ text }) => `${text}\n`).join(''))
  const predicted = await cli(['predict', at('run'), at('articles.txt')])
  expect(predicted).toMatchObject({ code: 0, stderr: '' })
  const lines = predicted.stdout.trimEnd().split('\n')
  const right = lines.filter((line, i) => line.split('\t')[0] === testing[i]!.category)
  expect(right.length / testing.length).toBeCloseTo(figures.test.accuracy, 10)
  const probabilities = lines[0]!
    .split('\t')
    .slice(1)
    .map(field => Number(field.split(' ')[1]))
  expect(probabilities).toEqual(probabilities.toSorted((a, b) => b - a))
  expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 3)
  const piped = await cli(['predict', at('run'), '-'], { input: `${testing[0]!.text}\n` })
  expect(piped.stdout).toBe(`${lines[0]}\n`)
})

test('the same seed trains the same model, with quiet and without', async () => {
  const files = ['--train', at('all.csv'), '--test', at('all.csv'), '--epochs', '1', '--batch-size', '40']
  const first = await cli(['train', ...files, '--json', at('one.json')])
  const second = await cli(['train', ...files, '--quiet', '--json', at('two.json')])
  expect(second).toEqual({ code: 0, stdout: first.stdout, stderr: '' })
  const [one, two] = [at('one.json'), at('two.json')].map(async file =>
    JSON.parse(await readFile(file, 'utf8')),
  )
  expect((await two).epochs[0].loss).toBe((await one).epochs[0].loss)
})

describe('what cannot be understood or read', () => {
  const data = () => ['--train', at('all.csv'), '--test', at('all.csv')]
  test.each<[string, () => string[] | Promise<string[]>, number, RegExp]>([
    [
      'an unknown command',
      () => ['fly'],
      2,
      /wanted one of train, experiments, compare, evaluate, predict, generate, memorisation, split, inspect, convert, bench, build, doctor, got fly/,
    ],
    ['an unknown option', () => ['train', '--fast'], 2, /--fast/],
    [
      'an unknown task',
      () => ['train', '--task', 'telepathy'],
      2,
      /--task: wanted classification, language-model or translation, got telepathy/,
    ],
    [
      'no task',
      () => ['train', '--task'],
      2,
      /--task: wanted classification, language-model or translation, got /,
    ],
    ['a stray file', () => ['train', 'some.csv'], 2, /wanted only options, got some\.csv/],
    [
      'an unknown preset',
      () => ['train', '--preset', 'p9'],
      1,
      /preset: name: wanted one of lstm64-sgd, .*, got p9/,
    ],
    [
      'an unknown tokenizer',
      () => ['train', '--tokenizer', 'bpe'],
      1,
      /tokenizer: name: wanted whitespace or words, got bpe/,
    ],
    [
      'an unknown device',
      () => ['train', '--device', 'tpu'],
      1,
      /device: kind: wanted 'cpu', 'cuda' or 'cuda:N', got tpu/,
    ],
    ['no threads', () => ['train', '--threads', '0'], 2, /--threads: wanted a number of at least 1, got 0/],
    ['half an epoch', () => ['train', '--epochs', '1.5'], 2, /--epochs: wanted a whole number, got 1.5/],
    [
      'test articles without training articles',
      () => ['train', '--test', 'x'],
      2,
      /wanted both --train and --test/,
    ],
    [
      'a file that is not there',
      () => ['train', '--train', at('no.csv'), '--test', at('no.csv')],
      1,
      /no\.csv.*ENOENT/,
    ],
    ['no run', () => ['evaluate', '--test', at('all.csv')], 2, /wanted a run, got 0 arguments/],
    ['a run that is none', () => ['evaluate', folder, '--test', at('all.csv')], 1, /config\.json.*ENOENT/],
    [
      'an empty file',
      async () => {
        await writeFile(at('empty.csv'), '')
        return ['train', '--train', at('empty.csv'), '--test', at('empty.csv')]
      },
      1,
      /empty\.csv/,
    ],
    [
      'a malformed row',
      async () => {
        await writeFile(at('bad.csv'), 'Web;one\nWeb two\n')
        return ['train', '--train', at('bad.csv'), '--test', at('bad.csv')]
      },
      1,
      /bad\.csv:2: wanted /,
    ],
    [
      'a truncated .gz',
      async () => {
        const whole = await readFile(at('vectors.vec.gz'))
        await writeFile(at('cut.vec.gz'), whole.subarray(0, whole.length / 2))
        return ['train', ...data(), '--vectors', at('cut.vec.gz')]
      },
      1,
      /cut\.vec\.gz/,
    ],
    [
      'NaN in a vector',
      async () => {
        const { text } = (await readArticles(at('all.csv')))[0]!
        await writeFile(at('nan.vec'), `1 2\n${tokenizers.whitespace(text)[0]} 0.5 nan\n`)
        return ['train', ...data(), '--vectors', at('nan.vec')]
      },
      1,
      /nan\.vec:2: wanted a finite number, got 'nan'/,
    ],
    [
      'an unknown label at evaluation',
      async () => {
        await writeFile(at('other.csv'), 'Wetter;Regen\n')
        return ['train', '--train', at('all.csv'), '--test', at('other.csv'), '--epochs', '1']
      },
      1,
      /Wetter/,
    ],
  ])('%s', async (_, args, code, message) => {
    const result = await cli(await args())
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toMatch(/\n {4}at /)
    expect(result).toMatchObject({ code, stdout: '' })
  })

  test('a run of a task that this version does not know is not evaluated', async () => {
    await mkdir(at('unknown'))
    await writeFile(at('unknown/config.json'), JSON.stringify({ format: 'x', task: 'telepathy' }))
    for (const args of [
      ['evaluate', at('unknown'), '--test', at('all.csv')],
      ['predict', at('unknown')],
    ]) {
      const { code, stderr } = await cli(args)
      expect(code).toBe(1)
      expect(stderr).toContain(
        'config.json: wanted a run for classification, language-model or translation, got one for telepathy',
      )
    }
  })

  test('every option of a table is in the usage, with its value', async () => {
    for (const [name, table] of [
      ['train', classification.options.train],
      ['experiments', experimentsTable],
      ['evaluate', classification.options.evaluate],
      ['predict', classification.options.predict],
    ] as const) {
      const { stdout } = await cli([name, '--help'])
      for (const [option, { value }] of Object.entries<Option<unknown>>(table)) {
        const shown = value === null ? '' : ` \\[?${value}\\]?`
        expect(stdout).toMatch(new RegExp(`^ {2}--${option}${shown}( |$)`, 'm'))
      }
    }
  })

  test('--help of each command, and of all', async () => {
    for (const name of [
      'train',
      'experiments',
      'compare',
      'evaluate',
      'predict',
      'split',
      'inspect',
      'convert',
      'bench',
      'doctor',
    ]) {
      const { code, stdout } = await cli([name, '--help'])
      expect({ code, first: stdout.split(' ', 2) }).toEqual({ code: 0, first: ['packed-rnn', name] })
    }
    expect((await cli([])).stdout).toMatch(/^ {2}split +divides articles/m)
  })
})

test('a folder for --json that is not there is named, without a stack', async () => {
  await writeFile(at('short.csv'), 'Web;one\n')
  const { code, stderr } = await cli([
    'inspect',
    '--train',
    at('short.csv'),
    '--json',
    at('none/counts.json'),
  ])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^packed-rnn inspect: \S*none\/counts\.json: ENOENT.*\n$/)
})
