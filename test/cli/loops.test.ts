import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { presets } from '../../src/models/presets.js'
import { type Article, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { cli, hashOf, main } from './command.js'
import { writeTinyVectors } from './tinyVectors.js'

/** The loops, modes and poolings on the command line; checkpoints and resuming from them. */

let folder: string
const at = (name: string) => join(folder, name)

const articles: Article[] = inventArticles(90, 8).map(({ category, text }) => ({
  category,
  text: tokenizers.whitespace(text).slice(0, 20).join(' '),
}))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-loops-'))
  await writeArticles(at('articles.csv'), articles)
  await writeTinyVectors(at('tiny.vec'), articles)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

// On one thread: test files run beside each other, and the bits do not depend on the threads.
const files = () => [
  ...['--train', at('articles.csv'), '--test', at('articles.csv')],
  ...['--vectors', at('tiny.vec'), '--threads', '1'],
]

async function train(...options: string[]) {
  const result = await cli(['train', ...files(), '--batch-size', '30', '--json', at('t.json'), ...options])
  expect(result).toMatchObject({ code: 0 })
  const figures: { epochs: { loss: number }[] } = JSON.parse(await readFile(at('t.json'), 'utf8'))
  return { ...result, losses: figures.epochs.map(({ loss }) => loss) }
}

describe('loops and modes', () => {
  test('the notebook’s mode is another run than the fixed one, and reads files as the notebook does', async () => {
    const fixed = await train('--epochs', '1')
    const notebook = await train('--epochs', '1', '--mode', 'notebook', '--out', at('notebook'))
    expect(notebook.losses).not.toEqual(fixed.losses)
    const config = JSON.parse(await readFile(at('notebook/config.json'), 'utf8'))
    expect(config).toMatchObject({ dialect: 'notebook', pooling: 'notebook-last' })
  })

  test('the loop over documents prints a line a step in the notebook’s form', async () => {
    const options = ['--loop', 'document', '--mode', 'notebook', '--epochs', '1', '--progress', 'notebook']
    const { stderr } = await train(...options)
    expect(stderr.match(/^iter \d \/ 3 .*$/gm)).toHaveLength(3)
    const { stderr: byDefault } = await cli(['train', ...files(), ...options])
    // 90 articles, and 64 of them a step.
    expect(byDefault.match(/^iter \d \/ 2 .*$/gm)).toHaveLength(2)
  })

  test.each(['final', 'notebook-last', 'max', 'mean', 'concat'])(
    '--pooling %s is part of the model',
    async pooling => {
      const options = [
        '--preset',
        'bilstm64x4-adam',
        '--epochs',
        '1',
        '--pooling',
        pooling,
        '--out',
        at(pooling),
      ]
      const { stdout } = await train(...options)
      expect(JSON.parse(await readFile(at(`${pooling}/config.json`), 'utf8'))).toMatchObject({ pooling })
      expect(await cli(['evaluate', at(pooling), '--test', at('articles.csv')])).toMatchObject({
        code: 0,
        stdout,
      })
    },
  )

  test.each([
    ['--loop', 'random', /--loop: wanted batched or document, got random/],
    ['--mode', 'x', /--mode: wanted fixed or notebook, got x/],
    ['--pooling', 'x', /pooling: name: wanted final, .*, got x/],
    ['--resume', 'nowhere', /nowhere.checkpoint\.safetensors: ENOENT/],
  ])('%s %s is an error', async (option, value, message) => {
    const { code, stderr } = await cli(['train', ...files(), option, value])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(message)
  })
})

describe.each(Object.keys(presets))('%s, interrupted', preset => {
  const options = () => [
    ...files(),
    '--preset',
    preset,
    '--epochs',
    '400',
    '--batch-size',
    '30',
    '--seed',
    '5',
  ]

  test('resumes with --resume to the same bits', async () => {
    const out = at(`${preset}-stopped`)
    const args = [main, 'train', ...options(), '--out', out, '--checkpoint', '2']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    let asked = false
    child.stderr.on('data', chunk => {
      stderr += chunk
      // Once, somewhere in the first epochs of many: a second time would end it at once.
      if (!asked && /epoch 2\/400/.test(stderr)) asked = child.kill('SIGINT')
    })
    const code = await new Promise(resolve => child.on('close', resolve))
    expect({ code, stderr }).toEqual({ code: 130, stderr: expect.stringContaining(`train --resume ${out}`) })
    // Told to end soon after, as an undisturbed run.
    const over = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n').length - 1
    const epochs = ['--epochs', String(over + 2)]
    await cli(['train', ...options(), ...epochs, '--out', at(`${preset}-whole`)])
    const resumed = await cli(['train', '--resume', out, ...epochs])
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringMatching(/resumes after \d+ epochs/) })
    expect(await hashOf(out, 'model.safetensors')).toBe(
      await hashOf(at(`${preset}-whole`), 'model.safetensors'),
    )
  })
})
