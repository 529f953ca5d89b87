import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Generator } from '../../src/random.js'
import { cli, main } from './command.js'

/** `train`, `evaluate` and `predict` of the translation task: sentences of an invented language and their word-by-word translation. */

let folder: string
const at = (name: string) => join(folder, name)

const words = ['haus', 'hund', 'der', 'geht', 'rot', 'und']
const translated: Record<string, string> = {
  ...{ haus: 'house', hund: 'dog', der: 'the', geht: 'goes', rot: 'red', und: 'and' },
}

function sentences(count: number, seed: number): string[] {
  const generator = new Generator(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + generator.below(4) }, () => words[generator.below(words.length)]!).join(' '),
  )
}

function translation(sentence: string): string {
  return sentence
    .split(' ')
    .map(word => translated[word]!)
    .join(' ')
}

const files = () => [
  ...['--source', at('train.de'), '--target', at('train.en')],
  ...['--valid-source', at('valid.de'), '--valid-target', at('valid.en')],
]
const small = [
  ...['--task', 'translation', '--embedding-dim', '16', '--hidden-size', '24', '--dropout', '0'],
  ...['--batch-size', '16', '--lr', '0.01', '--threads', '1', '--quiet'],
]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-translation-'))
  const train = sentences(400, 1)
  const valid = sentences(40, 2)
  // A pair with an empty side is left out of the training.
  await writeFile(at('train.de'), `${train.join('\n')}\n\n`)
  await writeFile(at('train.en'), `${train.map(translation).join('\n')}\nnothing\n`)
  await writeFile(at('valid.de'), `${valid.join('\n')}\n`)
  await writeFile(at('valid.en'), `${valid.map(translation).join('\n')}\n`)
  await writeFile(at('pairs.tsv'), train.map(text => `${text}\tx\t${translation(text)}\n`).join(''))
  const options = ['train', ...small, ...files(), '--batch-size', '8', '--epochs', '10', '--out', at('run')]
  expect(await cli(options)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^BLEU +\d/m) })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const evaluate = (run: string, ...options: string[]) =>
  cli(['evaluate', at(run), '--source', at('valid.de'), '--target', at('valid.en'), ...options])

describe('a trained run', () => {
  test('has its model, its settings, its results and a page with alignments', async () => {
    const config = JSON.parse(await readFile(at('run/config.json'), 'utf8'))
    expect(config).toMatchObject({ task: 'translation', lowercase: false })
    const results = JSON.parse(await readFile(at('run/results.json'), 'utf8'))
    expect(results).toMatchObject({
      task: 'translation',
      preset: 'gru-attention',
      pairs: { training: 400, valid: 40 },
    })
    expect(results.metrics.bleu).toBeGreaterThan(90)
    const epochs = (await readFile(at('run/metrics.jsonl'), 'utf8')).trim().split('\n')
    expect(Object.keys(JSON.parse(epochs[0]!).test)).toEqual(['loss', 'perplexity', 'bleu'])
    const page = await readFile(at('run/report.html'), 'utf8')
    for (const part of [
      'The best translations',
      'BLEU by length',
      'Perplexity',
      'aria-label="Attention of',
    ]) {
      expect(page).toContain(part)
    }
  })

  test('evaluate prints the report of the training again, and writes the figures', async () => {
    const report = await readFile(at('run/report.txt'), 'utf8')
    const found = await evaluate('run', '--json', at('figures.json'), '--threads', '1')
    expect(found).toMatchObject({ code: 0, stdout: report })
    expect(report).toMatch(/^BLEU +\d+\.\d\d {3}nrefs:1\|case:mixed\|eff:no\|tok:none\|smooth:exp\|version:/m)
    const figures = JSON.parse(await readFile(at('figures.json'), 'utf8'))
    expect(Object.keys(figures)).toEqual([
      ...['loss', 'perplexity', 'bleu', 'chrf', 'exact', 'bleuSignature', 'chrfSignature'],
    ])
  })

  test('evaluate counts with another tokenizer, without case, and searches with a beam', async () => {
    const found = await evaluate('run', '--bleu-tokenizer', '13a', '--lowercase', '--beam', '3')
    expect(found.stdout).toContain('case:lc|eff:no|tok:13a')
  })

  test('predict translates a line each: empty ones, long ones, unknown words', async () => {
    const long = new Array<string>(60).fill('rot').join(' ')
    const input = `der hund geht\n\nzzz\n${long}\n`
    const { code, stdout } = await cli(['predict', at('run')], { input })
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[0]).toBe('the dog goes')
  })

  test('a sentence has the same translation alone and beside others', async () => {
    const lines = ['rot', 'der hund geht und', 'haus haus', '']
    const together = await cli(['predict', at('run'), '--beam', '3'], { input: `${lines.join('\n')}\n` })
    for (const [i, line] of lines.entries()) {
      const alone = await cli(['predict', at('run'), '--beam', '3'], { input: `${line}\n` })
      expect(alone.stdout).toBe(`${together.stdout.split('\n')[i]}\n`)
    }
  })

  test('predict prints the best translations with scores, and what their words look at', async () => {
    const options = ['--beam', '4', '--n-best', '2', '--alignment']
    const { stdout } = await cli(['predict', at('run'), ...options], { input: 'der hund geht\n' })
    const [first, alignment, second] = stdout.split('\n')
    expect(first).toMatch(/^-\d\.\d{4}\tthe dog goes$/)
    expect(alignment).toBe('\t0-0 1-1 2-2')
    expect(Number(second!.split('\t')[0])).toBeLessThan(Number(first!.split('\t')[0]))
  })
})

test.each([
  ['--tokenizer', 'characters'],
  ['--tokenizer', 'bpe', '--merges', '12'],
  ['--preset', 'lstm', '--layers', '1'],
  ['--preset', 'gru-context'],
  ['--preset', 'tutorial-2017', '--lowercase'],
  ['--preset', 'tutorial-2023'],
])('%s %s trains, and its run translates', async (...options) => {
  const name = options.join('')
  const trained = await cli(['train', ...small, ...files(), ...options, '--epochs', '1', '--out', at(name)])
  expect(trained).toMatchObject({ code: 0 })
  const { code, stdout } = await cli(['predict', at(name)], { input: 'der hund\nrot\n' })
  expect([code, stdout.split('\n').length]).toEqual([0, 3])
})

test('a table of pairs with chosen columns has the same run as two files', async () => {
  const options = ['--pairs', at('pairs.tsv'), '--target-columns', '2', '--epochs', '1', '--out', at('table')]
  expect(await cli(['train', ...small, ...options])).toMatchObject({ code: 0 })
  const both = [...files().slice(0, 4), '--epochs', '1', '--out', at('both')]
  expect(await cli(['train', ...small, ...both])).toMatchObject({ code: 0 })
  expect(await readFile(at('table/model.safetensors'))).toEqual(await readFile(at('both/model.safetensors')))
})

test('killed in the middle of an epoch, it resumes to the same bits', async () => {
  const options = ['train', ...small, ...files(), '--epochs', '3', '--checkpoint', '4']
  const child = spawn(process.execPath, [main, ...options, '--out', at('killed')], { cwd: folder })
  const ended = new Promise(resolve => child.once('exit', resolve))
  const checkpoint = at('killed/checkpoint.safetensors')
  while (!existsSync(checkpoint) && child.exitCode === null)
    await new Promise(resolve => setTimeout(resolve, 5))
  child.kill('SIGKILL')
  await ended
  expect(existsSync(at('killed/results.json'))).toBe(false)
  expect(await cli(['train', '--resume', at('killed')])).toMatchObject({ code: 0 })
  expect(await cli([...options, '--out', at('whole')])).toMatchObject({ code: 0 })
  expect(await readFile(at('killed/model.safetensors'))).toEqual(
    await readFile(at('whole/model.safetensors')),
  )
})

describe('what does not fit is a clear error', () => {
  test.each([
    [['--source', 'train.de'], /wanted --source FILE --target FILE, or --pairs FILE/],
    [['--source', 'train.de', '--target', 'valid.en'], /valid\.en.*401 lines.*40/],
    [['--source', 'missing.de', '--target', 'train.en'], /missing\.de/],
    [['--source', 'train.de', '--target', 'train.en', '--merges', '9'], /--merges: wanted --tokenizer bpe/],
    [
      ['--source', 'train.de', '--target', 'train.en', '--dropout', '2'],
      /--dropout: wanted a number from 0 to 1, got 2/,
    ],
    [['--source', 'train.de', '--target', 'train.en', '--preset', 'gru'], /preset.*gru-attention.*got gru/],
    [['--source', 'train.de', '--target', 'train.en', '--category', 'x'], /--category|category/],
    [
      ['--source', 'train.de', '--target', 'train.en', '--keep', 'best'],
      /--keep best: wanted validation pairs/,
    ],
    [
      ['--source', 'train.de', '--target', 'train.en', '--source-columns', '1'],
      /wanted --pairs or --valid-pairs/,
    ],
    [
      ['--source', 'train.de', '--target', 'train.en', '--beam', '1', '--length-penalty', '1'],
      /--length-penalty: wanted a --beam of 2 or more/,
    ],
  ])('%j', async (options, message) => {
    const given = options.map(option => (/\.(de|en)$/.test(option) ? at(option) : option))
    const { code, stderr } = await cli(['train', ...small, ...given, '--epochs', '1'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(message)
  })

  test('a character that the training never had is unknown, and is no error', async () => {
    const run = [
      'train',
      ...small,
      ...files(),
      '--tokenizer',
      'characters',
      '--epochs',
      '1',
      '--out',
      at('letters'),
    ]
    expect(await cli(run)).toMatchObject({ code: 0 })
    const { code, stdout, stderr } = await cli(['predict', at('letters')], { input: 'h😀nd\n' })
    expect([code, stderr, stdout.split('\n').length]).toEqual([0, '', 2])
  })

  test('--alignment for a model without attention', async () => {
    const run = [
      'train',
      ...small,
      ...files(),
      '--preset',
      'gru-context',
      '--epochs',
      '1',
      '--out',
      at('context'),
    ]
    expect(await cli(run)).toMatchObject({ code: 0 })
    const { stdout, stderr } = await cli(['predict', at('context'), '--alignment'], { input: 'rot\n' })
    expect([stdout, stderr.split('\n')[0]]).toEqual([
      '',
      'packed-rnn predict: --alignment: wanted a model with attention',
    ])
  })

  test('a source longer than a model of positions knows', async () => {
    const options = ['--preset', 'tutorial-2017', '--epochs', '1', '--out', at('positions')]
    expect(await cli(['train', ...small, ...files(), ...options])).toMatchObject({ code: 0 })
    const input = `${new Array<string>(11).fill('rot').join(' ')}\n`
    const { code, stderr } = await cli(['predict', at('positions')], { input })
    expect(code).toBe(1)
    expect(stderr).toMatch(/at most maxLength 10 rows, got 11/)
  })
})
