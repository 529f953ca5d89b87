import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { presets } from '../../src/models/presets.js'
import { classificationMetrics } from '../../src/tasks/classificationMetrics.js'
import { readRunRecords } from '../../src/tasks/classificationResults.js'
import { type Article, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { cli, elsewhere, hashOf, main, type Result } from './command.js'
import { writeTinyVectors } from './tinyVectors.js'

/** Several runs of one command: the four presets, and the folds of posts. */

let folder: string
const at = (...path: string[]) => join(folder, ...path)
const text = (...path: string[]) => readFile(at(...path), 'utf8')

const articles: Article[] = inventArticles(60, 8).map(({ category, text }) => ({
  category,
  text: tokenizers.whitespace(text).slice(0, 20).join(' '),
}))
const words = [...new Set(articles.flatMap(article => tokenizers.whitespace(article.text)))].slice(0, 200)

/** Four posts in each fold from 1 to 10 except fold 9, two of them 1; others of another category, unlabelled or without a text. */
const posts = [1, 2, 3, 4, 5, 6, 7, 8, 10].flatMap(fold =>
  [0, 1, 0, 1].map(
    (value, i) => `Stories,${value},${fold},${words[fold]},"${words[value]} ${words[20 + i]}, ""x"""\n`,
  ),
)
const others = ['Feedback,1,3,,a b\n', `Stories,,2,,${words[0]}\n`, 'Stories,0,4,,\n']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-series-'))
  await writeArticles(at('articles.csv'), articles)
  await writeTinyVectors(at('vectors.vec'), articles)
  await writeFile(
    at('posts.csv.gz'),
    gzipSync(`category,value,fold,headline,body\n${[...posts, ...others].join('')}`),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What must be the same of two runs, apart from times. */
async function outcome(directory: string) {
  const { epochs, results } = await readRunRecords(directory)
  return {
    model: await hashOf(directory, 'model.safetensors'),
    epochs: epochs.map(record => ({ ...record, seconds: 0, tokensPerSecond: 0 })),
    test: results.test,
  }
}

/** Starts the command and sends it a signal when its stderr says something. */
function interrupted(args: string[], signal: NodeJS.Signals, when: RegExp) {
  return new Promise<{ code: number | null; stderr: string }>(resolve => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: elsewhere,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    let sent = false
    child.stderr.on('data', chunk => {
      stderr += chunk
      if (!sent && when.test(stderr)) sent = child.kill(signal)
    })
    child.on('close', code => resolve({ code, stderr }))
  })
}

describe('experiments', () => {
  const options = () => [
    ...['--train', at('articles.csv'), '--test', at('articles.csv'), '--vectors', at('vectors.vec')],
    ...['--epochs', '12', '--batch-size', '20', '--seed', '3', '--threads', '1'],
  ]
  const names = Object.keys(presets)
  let whole: Result
  beforeAll(async () => {
    whole = await cli(['experiments', ...options(), '--out', at('whole')])
  })

  test('train the four presets as train does, in the notebook’s mode', async () => {
    const { code, stdout } = whole
    expect(code).toBe(0)
    expect((await readdir(at('whole'))).sort()).toEqual([...names, 'compare.html', 'series.json'].sort())
    for (const name of names) {
      expect(stdout).toContain(`${at('whole', name)}: ${name}, 12 epochs\n`)
      expect((await readRunRecords(at('whole', name))).results).toMatchObject({
        preset: name,
        settings: {
          preset: name,
          mode: 'notebook',
          dialect: 'notebook',
          pooling: 'notebook-last',
          epochs: 12,
        },
      })
    }
    await cli(['train', ...options(), '--mode', 'notebook', '--preset', names[2]!, '--out', at('alone')])
    expect(await outcome(at('alone'))).toEqual(await outcome(at('whole', names[2]!)))
  })

  test('killed and interrupted, the same command resumes to the same bits', async () => {
    const args = ['experiments', ...options(), '--out', at('stopped')]
    // In the second preset, and then in the third.
    await interrupted(args, 'SIGKILL', /lstm64-adam on.*epoch 4\/12/s)
    const done = await stat(at('stopped', names[0]!, 'model.safetensors'))
    const { code, stderr } = await interrupted(args, 'SIGINT', /bilstm128x2-adam on.*epoch 3\/12/s)
    expect(code).toBe(130)
    expect(stderr).toContain(`to resume: packed-rnn experiments --resume ${at('stopped')}\n`)
    expect(stderr).toContain(`${at('stopped', names[0]!)}: is finished\n`)
    expect(stderr).toMatch(/lstm64-adam: resumes after \d+ epochs/)
    const resumed = await cli(['experiments', '--resume', at('stopped')])
    expect(resumed).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/bilstm128x2-adam: resumes after/),
    })
    for (const name of names) {
      expect(await outcome(at('stopped', name))).toEqual(await outcome(at('whole', name)))
    }
    expect((await stat(at('stopped', names[0]!, 'model.safetensors'))).mtimeMs).toBe(done.mtimeMs)
    // All runs have finished: it prints the same again.
    const again = await cli(args)
    expect(again.stdout).toBe(resumed.stdout)
    expect(again.stderr.match(/: is finished$/gm)).toHaveLength(4)
  })

  test.each<[string, () => string[], RegExp]>([
    [
      'another command line',
      () => [...options(), '--seed', '4', '--out', at('whole')],
      /--out: wanted a directory without runs/,
    ],
    ['a run’s directory', () => [...options(), '--out', at('whole', names[0]!)], /which has a checkpoint/],
    [
      '--resume of nothing',
      () => ['--resume', folder],
      /--resume: wanted runs of experiments, got .*, which has none/,
    ],
    [
      '--resume beside others',
      () => ['--resume', at('whole'), '--epochs', '3'],
      /wanted no other option.*got --epochs/,
    ],
    ['half of the files', () => ['--train', at('articles.csv')], /wanted both --train and --test/],
  ])('refuse %s', async (_, args, message) => {
    const { code, stderr } = await cli(['experiments', ...args()])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  test('are no runs of train', async () => {
    const { code, stderr } = await cli(['train', '--resume', at('whole')])
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('wanted runs of train'),
    })
    expect((await cli(['train', '--out', at('whole')])).stderr).toContain('which has a series.json')
  })
})

describe('train --format omp', () => {
  const options = () => [
    ...['train', '--format', 'omp', '--category', 'Stories', '--train', at('posts.csv.gz')],
    ...['--vectors', at('vectors.vec'), '--tokenizer', 'words', '--epochs', '6', '--batch-size', '8'],
    ...['--threads', '1'],
  ]
  const about =
    'Stories: 37 labelled posts in folds 1, 2, 3, 4, 5, 6, 7, 8, 10, 18 of them 1; ' +
    '1 without a label, left out; 1 without a text'
  const folds = [1, 2, 3, 4, 5, 6, 7, 8, 10]

  let trained: Result
  beforeAll(async () => {
    trained = await cli([...options(), '--fold', '4', '--out', at('fold')])
  })

  test('--fold trains on the others, and evaluate reads the fold that was held out', async () => {
    expect(trained).toMatchObject({ code: 0, stderr: expect.stringContaining(about) })
    expect(trained.stdout).toMatch(/\n +0 .* 3\n +1 .* 2\n/)
    const { results } = await readRunRecords(at('fold'))
    expect(results.settings).toMatchObject({ format: 'omp', category: 'Stories', fold: 4, dialect: null })
    expect(results).toMatchObject({ classes: ['0', '1'], test: { truth: [0, 1, 0, 1, 0] } })
    expect(results.lengths.training).toHaveLength(32)
    // A headline, a word, another, a comma, two quotes and the letter x.
    expect(results.lengths.test).toEqual([7, 7, 7, 7, 0])
    const evaluated = await cli(['evaluate', at('fold'), '--test', at('posts.csv.gz')])
    expect(evaluated).toMatchObject({ code: 0, stdout: trained.stdout })
    expect((await cli(['predict', at('fold')], { input: `${words[1]}\n` })).stdout).toMatch(/^[01]\t/)
  })

  test('without --fold, all folds in turn and their mean; an interrupted command resumes', async () => {
    const { code, stderr } = await interrupted([...options(), '--out', at('folds')], 'SIGINT', /fold-3: lstm/)
    expect(code).toBe(130)
    expect(stderr).toContain(`to resume: packed-rnn train --resume ${at('folds')}\n`)
    const whole = await cli([...options(), '--out', at('folds')])
    expect(whole).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${at('folds/fold-2')}: is finished\n`),
    })
    expect(await outcome(at('folds/fold-4'))).toEqual(await outcome(at('fold')))

    const runs = await Promise.all(
      folds.map(async fold => (await readRunRecords(at('folds', `fold-${fold}`))).results),
    )
    const f1 = runs.map(({ test, classes }) => {
      return classificationMetrics(test.truth, test.predicted, classes).perClass[1]!.f1
    })
    const mean = f1.reduce((a, b) => a + b) / folds.length
    expect(whole.stdout).toMatch(/^ +fold +training +test +precision +recall +F1\n {2}1 +33 +4 /)
    expect(whole.stdout).toMatch(new RegExp(`\\n {2}mean .* ${mean.toFixed(3)}\n`))
    const tests = runs.map(({ test }) => test)
    const [truth, predicted] = [tests.flatMap(test => test.truth), tests.flatMap(test => test.predicted)]
    const together = classificationMetrics(truth, predicted, ['0', '1']).perClass[1]!.f1
    expect(whole.stdout).toMatch(new RegExp(`\\n {2}all .* ${together.toFixed(3)}\n\n${about}\n$`))
    expect(await text('folds/summary.txt')).toBe(whole.stdout)
    expect((await cli(['train', '--resume', at('folds')])).stdout).toBe(whole.stdout)
  })

  test('a fold that the file does not have is an error that lists those it has', async () => {
    const { code, stderr } = await cli([...options(), '--fold', '9', '--out', at('none')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/posts\.csv\.gz: fold: wanted one of 1, 2, 3, 4, 5, 6, 7, 8, 10, got 9\n/)
  })

  test('without a label no post can be learned from', async () => {
    await writeFile(at('unlabelled.csv'), 'category,value,fold,headline,body\nStories,,1,,a\n')
    const { code, stderr } = await cli([
      ...['train', '--format', 'omp', '--category', 'Stories', '--train', at('unlabelled.csv')],
      ...['--out', at('unlabelled')],
    ])
    expect(code).toBe(1)
    expect(stderr).toMatch(/unlabelled\.csv: contains no labelled posts of Stories\n/)
  })

  test.each([
    [['--format', 'omp', '--train', 'x'], /--format omp: wanted --train and --category too/],
    [
      ['--format', 'omp', '--train', 'x', '--category', 'y', '--test', 'z'],
      /--test: wanted none with --format omp/,
    ],
    [
      ['--format', 'omp', '--train', 'x', '--category', 'y', '--fold', '0'],
      /--fold: wanted a number of at least 1, got 0/,
    ],
    [['--format', 'omp', '--train', 'x', '--category', 'y', '--json', 'z'], /--json: wanted --fold too/],
    [
      ['--format', 'omp', '--train', 'x', '--category', 'y', '--dialect', 'csv'],
      /--dialect: wanted none with/,
    ],
    [['--fold', '1'], /--fold: wanted --format omp too/],
    [['--category', 'y'], /--category: wanted --format omp too/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await cli(['train', ...args])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})
