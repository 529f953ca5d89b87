import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { execute as compare } from '../../src/cli/compare.js'
import { execute as evaluate } from '../../src/cli/evaluate.js'
import { execute as predict } from '../../src/cli/predict.js'
import { tasks } from '../../src/cli/tasks.js'
import { execute as train } from '../../src/cli/train.js'
import { writeComparison } from '../../src/reports/compare.js'
import { writeReport } from '../../src/reports/report.js'
import { loadCheckpoint } from '../../src/training/checkpoint.js'
import { characters, watch } from './characters.js'
import { hashOf } from './command.js'

/** A second task runs through the commands of the first one: nothing below the list of tasks knows either. */

const list = { ...tasks, characters: async () => characters }
const never = new AbortController().signal
const line = 'the cat sat on the mat and looked at the rat. '
let folder: string
const at = (...path: string[]) => join(folder, ...path)
const json = async (...path: string[]) => JSON.parse(await readFile(at(...path), 'utf8'))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-task-'))
  await writeFile(at('text.txt'), line.repeat(6))
})
afterAll(() => rm(folder, { recursive: true }))

let printed = ''
beforeEach(() => {
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    printed += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

const options = () => ['--task', 'characters', '--text', at('text.txt'), '--threads', '1', '--quiet']
const run = (...args: string[]) => train(args, never, list)
const model = (name: string) => hashOf(at(name), 'model.safetensors')

/** What the run in `whole` printed: tests compare theirs with it. */
let wholePrinted = ''
beforeAll(async () => {
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    wholePrinted += String(text)
    return true
  })
  await run(...options(), '--out', at('whole'))
  spy.mockRestore()
})

describe('a task in a list', () => {
  test('trains, and leaves the files of any run', async () => {
    expect((await readdir(at('whole'))).sort()).toEqual([
      ...['checkpoint.previous.safetensors', 'checkpoint.safetensors', 'config.json', 'metrics.jsonl'],
      ...['model.safetensors', 'report.html', 'report.txt', 'results.json'],
    ])
    expect(wholePrinted).toMatch(/^perplexity \d+\.\d{4}\n$/)
    expect(await readFile(at('whole', 'report.txt'), 'utf8')).toBe(wholePrinted)
    expect(await json('whole', 'config.json')).toEqual({
      ...{ format: 'packed-rnn run 2', task: 'characters' },
      ...{ characters: ' .acdehklmnorst', layers: { embeddingDim: 4, hiddenSize: 8 } },
    })
    const { metrics, ...results } = await json('whole', 'results.json')
    expect(results).toMatchObject({
      ...{ format: 'packed-rnn results 2', task: 'characters', clip: 0.75 },
      ...{
        settings: { epochs: 4, hidden: 8, seed: 1 },
        machine: { device: 'cpu' },
        sample: expect.any(String),
      },
    })
    expect(metrics.perplexity).toBeCloseTo(Math.exp(metrics.loss), 6)
    const lines = (await readFile(at('whole', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')
    const epochs = lines.map(text => JSON.parse(text))
    expect(epochs).toHaveLength(4)
    expect(epochs[3].metrics.perplexity).toBeLessThan(epochs[0].metrics.perplexity)
    expect(Object.keys(epochs[3].test)).toEqual(['loss', 'perplexity'])
  })

  test('resumes from a checkpoint without --task, to the same bits', async () => {
    await run(...options(), '--epochs', '2', '--out', at('resumed'))
    await run('--resume', at('resumed'), '--epochs', '4')
    expect(await model('resumed')).toBe(await model('whole'))
    expect((await json('resumed', 'results.json')).metrics).toEqual(
      (await json('whole', 'results.json')).metrics,
    )
  })

  test('resumes in the middle of an epoch, with the states of its streams', async () => {
    const stop = new AbortController()
    const spy = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    let steps = 0
    // An epoch has eleven.
    watch.step = () => {
      if (++steps === 17) stop.abort(new Error('enough'))
    }
    await expect(train([...options(), '--out', at('stopped')], stop.signal, list)).rejects.toThrow('enough')
    watch.step = () => {}
    const { position, carry } = (await loadCheckpoint(at('stopped'))).state
    expect([position.epoch, position.step]).toEqual([1, 6])
    expect([...carry.tensors.keys()]).toEqual(['carry.h', 'carry.c'])
    expect(spy.mock.calls.flat().join('')).toContain(`packed-rnn train --resume ${at('stopped')}\n`)
    await run('--resume', at('stopped'))
    expect(await model('stopped')).toBe(await model('whole'))
  })

  test('evaluates and predicts what the run was trained for', async () => {
    await evaluate([at('whole'), '--text', at('text.txt'), '--json', at('figures.json')], never, list)
    expect(printed).toBe(await readFile(at('whole', 'report.txt'), 'utf8'))
    expect(await json('figures.json')).toEqual((await json('whole', 'results.json')).metrics)
    printed = ''
    await predict([at('whole'), at('text.txt')], never, list)
    expect(printed).toBe(`${(await json('whole', 'results.json')).sample}\n`)
  })

  test('has pages: a plot for each metric that its records name, and its own sections', async () => {
    const page = await readFile(at('whole', 'report.html'), 'utf8')
    expect(page).toContain('<h2>What it writes</h2>')
    for (const name of ['Loss', 'Perplexity', 'Gradient norm', 'Learning rate', 'Tokens per second']) {
      expect(page).toContain(`aria-label="${name} by epoch`)
    }
    expect(page).toContain('dotted: clipped to 0.75')
    const last = (await readFile(at('whole', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').at(-1)!
    const { metrics, test: tested } = JSON.parse(last)
    expect(page).toContain(`<title>epoch 4, training: ${metrics.perplexity}</title>`)
    expect(page).toContain(`<title>epoch 4, validation: ${tested.perplexity}</title>`)
    expect(page).not.toMatch(/Confusion|the notebook/)
  })

  test('has pages where reports have no view of it: what every run has', async () => {
    await writeReport(at('whole'))
    const page = await readFile(at('whole', 'report.html'), 'utf8')
    expect(page).toContain('<h1>characters</h1>')
    expect(page).toContain('<dt>Test perplexity</dt>')
    expect(page).not.toContain('What it writes')
    await compare([at('whole'), at('resumed'), '--out', at('compare.html')])
    expect(printed).toMatch(
      /^ +run +loss +perplexity +minutes for 100 epochs\n {2}\S+whole +\d\S+ +\d\S+ +\d\.\d\n/,
    )
    const compared = await readFile(at('compare.html'), 'utf8')
    expect(compared).toContain('2 runs side by side')
    expect(compared.match(/aria-label="Perplexity by epoch/g)).toHaveLength(2)
  })
})

describe('what is of another task', () => {
  test('is no option of this one', async () => {
    await expect(run(...options(), '--preset', 'lstm64-adam')).rejects.toThrow(
      '--preset: wanted an option of the task characters, got one of classification',
    )
    await expect(run('--hidden', '3')).rejects.toThrow(
      '--hidden: wanted an option of the task classification, got one of characters',
    )
    await expect(evaluate([at('whole'), '--test', at('text.txt')], never, list)).rejects.toThrow(
      '--test: wanted an option of the task characters, got one of classification',
    )
    await expect(predict([at('whole'), at('text.txt'), '--explain'], never, list)).rejects.toThrow(
      '--explain: wanted an option of the task characters, got one of classification',
    )
    await expect(run('--resume', at('whole'), '--loop=document')).rejects.toThrow(
      '--loop: wanted an option of the task characters, got one of classification',
    )
  })

  test('does not resume as this one', async () => {
    await expect(run('--resume', at('whole'), '--task', 'classification')).rejects.toThrow(
      `--task: wanted characters, the task of ${at('whole')}, or none, got classification`,
    )
  })

  test('is not compared with it', async () => {
    await cp(at('whole'), at('another'), { recursive: true })
    const results = await json('another', 'results.json')
    await writeFile(at('another', 'results.json'), JSON.stringify({ ...results, task: 'sums' }))
    await expect(writeComparison([at('whole'), at('another')], at('no.html'))).rejects.toThrow(
      'results.json: wanted results of characters, got sums',
    )
  })

  test('is not in the list', async () => {
    await expect(evaluate([at('whole')], never)).rejects.toThrow(
      'config.json: wanted a run for classification, language-model or translation, got one for characters',
    )
    await expect(train(['--resume', at('whole')], never)).rejects.toThrow(
      '--task: wanted classification, language-model or translation, got characters',
    )
  })
})

test('an option of two tasks takes a value in both or in neither', async () => {
  const all = await Promise.all(Object.values(list).map(load => load()))
  for (const command of ['train', 'evaluate', 'predict'] as const) {
    const kinds = new Map<string, boolean>()
    for (const { options } of all) {
      for (const [name, { value }] of Object.entries(options[command])) {
        expect(kinds.get(name) ?? value === null).toBe(value === null)
        kinds.set(name, value === null)
      }
    }
    expect(kinds.size).toBeGreaterThan(2)
  }
})
