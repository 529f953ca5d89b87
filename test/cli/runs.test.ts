import { spawn } from 'node:child_process'
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Generator } from '../../src/random.js'
import { type RunResults, readRunRecords } from '../../src/tasks/classificationResults.js'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { many } from '../reliability/length.js'
import { cli, elsewhere, hashOf, main, type Result } from './command.js'
import { writeTinyVectors } from './tinyVectors.js'

/** What train leaves in a directory, whatever happens to it meanwhile. */

let folder: string
const at = (...path: string[]) => join(folder, ...path)
const text = (name: string) => readFile(at(name), 'utf8')

const invented = (count: number, seed: number) =>
  inventArticles(count, seed).map(({ category, text }) => ({
    category,
    text: tokenizers.whitespace(text).slice(0, 20).join(' '),
  }))
const testArticles = invented(20, 9)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-runs-'))
  const training = invented(60, 8)
  await writeArticles(at('train.csv'), training)
  await writeArticles(at('test.csv'), testArticles)
  await writeTinyVectors(at('tiny.vec'), [...training, ...testArticles])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const FILES = [
  'checkpoint.previous.safetensors',
  'checkpoint.safetensors',
  'config.json',
  'metrics.jsonl',
  'model.safetensors',
  'report.html',
  'report.txt',
  'results.json',
]
const files = () => ['--train', at('train.csv'), '--test', at('test.csv'), '--batch-size', '20']
/** With a small model, on one thread: test files run beside each other, and the bits do not depend on the threads. */
const small = () => [...files(), '--vectors', at('tiny.vec'), '--threads', '1']

/** What must be the same of two runs: everything but times. */
async function outcome(directory: string) {
  const { epochs, results } = await readRunRecords(directory)
  const { settings: _, ...rest } = results
  return {
    model: await hashOf(directory, 'model.safetensors'),
    config: await readFile(join(directory, 'config.json'), 'utf8'),
    report: await readFile(join(directory, 'report.txt'), 'utf8'),
    epochs: epochs.map(record => ({ ...record, seconds: 0, tokensPerSecond: 0 })),
    results: { ...rest, seconds: 0 },
  }
}

/** Starts the command and sends it a signal, some milliseconds after its stderr says something; its exit. */
function interrupted(
  args: string[],
  signal: NodeJS.Signals,
  when: RegExp,
  wait = 0,
): Promise<Result & { signal: NodeJS.Signals | null }> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: elsewhere,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const seen = { stdout: '', stderr: '' }
    let timer: NodeJS.Timeout | undefined
    child.stdout.on('data', chunk => {
      seen.stdout += chunk
    })
    child.stderr.on('data', chunk => {
      seen.stderr += chunk
      if (when.test(seen.stderr)) timer ??= setTimeout(() => child.kill(signal), wait)
    })
    child.on('close', (code, by) => {
      clearTimeout(timer)
      resolve({ ...seen, code: code ?? -1, signal: by })
    })
  })
}

describe('a run directory', () => {
  let whole: Result
  beforeAll(async () => {
    const options = ['--preset', 'lstm64-sgd', '--epochs', '3', '--evaluate-every', '2', '--seed', '4']
    whole = await cli(['train', ...files(), ...options, '--out', at('whole')])
  })

  test('contains settings, metrics and results', async () => {
    const { code, stdout } = whole
    expect(code).toBe(0)
    expect((await readdir(at('whole'))).sort()).toEqual(FILES)
    expect(await text('whole/report.txt')).toBe(stdout)
    const { epochs, results } = await readRunRecords(at('whole'))
    expect(epochs.map(({ epoch, steps, learningRate }) => [epoch, steps, learningRate])).toEqual([
      [1, 3, 0.1],
      [2, 6, 0.1],
      [3, 9, 0.1],
    ])
    expect(epochs.map(record => record.test === null)).toEqual([true, false, true])
    for (const { accuracy, gradNorm } of epochs) {
      expect((accuracy * 60) % 1).toBeCloseTo(0, 9)
      expect(gradNorm.largest).toBeGreaterThanOrEqual(gradNorm.mean)
    }
    expect(results).toMatchObject({
      preset: 'lstm64-sgd',
      settings: {
        train: at('train.csv'),
        epochs: 3,
        'batch-size': 20,
        seed: 4,
        'evaluate-every': 2,
        vectors: null,
      },
      machine: { device: 'cpu', precision: 'float32', node: process.version },
      lengths: { test: expect.any(Array) },
    })
    expect(results.lengths.training).toEqual(Array.from({ length: 60 }, () => 20))
    expect(results.test.truth).toHaveLength(20)
    expectMistakes(results)
  })

  function expectMistakes({ test: { truth, predicted }, mistakes, classes }: RunResults) {
    const wrong = truth.filter((category, i) => category !== predicted[i]).length
    expect(mistakes).toHaveLength(Math.min(wrong, 10))
    expect(mistakes.map(({ probability }) => probability)).toEqual(
      mistakes.map(({ probability }) => probability).toSorted((a, b) => b - a),
    )
    for (const mistake of mistakes) {
      expect(classes[truth[mistake.document]!]).toBe(mistake.truth)
      expect(classes[predicted[mistake.document]!]).toBe(mistake.predicted)
      expect(mistake.text).toBe(testArticles[mistake.document]!.text)
    }
  }

  test('is under runs/ where none is named, each run in its own', async () => {
    const options = ['train', ...files(), '--epochs', '1', '--quiet']
    const before: string[] = await readdir(join(elsewhere, 'runs')).catch(() => [])
    await Promise.all([cli(options), cli(options)])
    const made = (await readdir(join(elsewhere, 'runs'))).filter(name => !before.includes(name))
    expect(made).toHaveLength(2)
    for (const name of made) {
      expect(name).toMatch(/^lstm64-adam-\d{4}-\d\d-\d\d-\d{6}(-2)?$/)
      expect((await readdir(join(elsewhere, 'runs', name))).sort()).toEqual(FILES)
    }
  })

  test('that has a run takes no other', async () => {
    const { code, stderr } = await cli(['train', ...files(), '--out', at('whole')])
    expect(code).toBe(2)
    expect(stderr).toContain(`--out: wanted a directory without a run, got ${at('whole')}`)
    expect(stderr).toContain(`--resume ${at('whole')}`)
  })

  test('--evaluate-every 0 trains the same and tests at the end', async () => {
    const options = ['--preset', 'bilstm64x4-adam', '--mode', 'notebook', '--epochs', '2']
    const run = (every: string, out: string) =>
      cli(['train', ...small(), ...options, '--evaluate-every', every, '--out', at(out)])
    await run('1', 'tested')
    await run('0', 'untested')
    const [tested, untested] = [await outcome(at('tested')), await outcome(at('untested'))]
    expect(untested.epochs.map(record => record.test)).toEqual([null, null])
    expect({ ...untested, epochs: tested.epochs }).toEqual(tested)
    // The notebook leaves dropout on: the masks of a test are those of the end's, too.
    expect(tested.epochs[1]!.test!.loss).toBe(tested.results.test.loss)
  })
})

describe('a run that is killed', () => {
  test('at random moments, resumes to the bits of an undisturbed one', async () => {
    const [kills, epochs] = [many(5, 10), many(150, 300)]
    const options = ['--epochs', String(epochs), '--checkpoint', '2', '--seed', '3']
    expect(await cli(['train', ...small(), ...options, '--out', at('undisturbed')])).toMatchObject({
      code: 0,
    })
    const generator = new Generator(7)
    let args = ['train', ...small(), ...options, '--out', at('killed')]
    const lines: number[] = []
    for (let killed = 0; killed < kills; killed++) {
      // First at the start, where there is no checkpoint yet. Then somewhere in the next epochs, and where they are written.
      const when = killed === 0 ? /lstm64-adam on/ : /epoch \d/
      const { signal } = await interrupted(args, 'SIGKILL', when, generator.uniform(0, 60))
      expect(signal).toBe('SIGKILL')
      const names: string[] = await readdir(at('killed')).catch(() => [])
      if (names.includes('checkpoint.safetensors')) args = ['train', '--resume', at('killed')]
      lines.push(
        names.includes('metrics.jsonl') ? (await text('killed/metrics.jsonl')).split('\n').length - 1 : 0,
      )
    }
    expect(lines).toEqual(lines.toSorted((a, b) => a - b))
    expect(new Set(lines).size).toBeGreaterThan(kills / 2)
    expect(lines.at(-1)).toBeLessThan(epochs)
    expect(await cli(args)).toMatchObject({ code: 0 })
    expect(await outcome(at('killed'))).toEqual(await outcome(at('undisturbed')))
    expect((await readdir(at('killed'))).sort()).toEqual(FILES)
  })

  const short = () => [...small(), '--seed', '3', '--epochs']
  beforeAll(async () => {
    await cli(['train', ...short(), '5', '--out', at('five')])
    await cli(['train', ...short(), '3', '--out', at('three')])
  })

  test.each<[string, (file: string) => Promise<void>]>([
    ['a torn line', file => appendFile(file, '{"epoch":4,"ste')],
    ['lines past the checkpoint', async file => appendFile(file, await readFile(file, 'utf8'))],
    ['missing lines', file => writeFile(file, '')],
    ['no metrics.jsonl', file => rm(file)],
  ])('with %s is as if it had not been', async (_, spoil) => {
    const out = at(`spoilt-${_.replaceAll(' ', '-')}`)
    await cp(at('three'), out, { recursive: true })
    await spoil(join(out, 'metrics.jsonl'))
    await writeFile(join(out, 'checkpoint.safetensors.0123456789ab.tmp'), 'torn')
    expect(await cli(['train', '--resume', out, '--epochs', '5'])).toMatchObject({ code: 0 })
    expect(await outcome(out)).toEqual(await outcome(at('five')))
    expect((await readdir(out)).sort()).toEqual(FILES)
  })
})

describe('Ctrl-C', () => {
  const options = () => [...small(), '--preset', 'lstm64-sgd', '--seed', '6']

  test('finishes the step and writes a checkpoint, from which the run has the same bits', async () => {
    const args = ['train', ...options(), '--epochs', '400', '--out', at('stopped')]
    const { code, stdout, stderr } = await interrupted(args, 'SIGINT', /epoch 3\/400/)
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toContain(`to resume: packed-rnn train --resume ${at('stopped')}\n`)
    expect((await readdir(at('stopped'))).sort()).toEqual([
      'checkpoint.previous.safetensors',
      'checkpoint.safetensors',
      'metrics.jsonl',
    ])
    const lines = (await text('stopped/metrics.jsonl')).split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map(line => JSON.parse(line).epoch)).toEqual(lines.map((_, i) => i + 1))
    expect(lines.length).toBeLessThan(400)
    const epochs = ['--epochs', String(lines.length + 2)]
    await cli(['train', ...options(), ...epochs, '--out', at('calm')])
    expect(await cli(['train', '--resume', at('stopped'), ...epochs])).toMatchObject({ code: 0 })
    expect(await outcome(at('stopped'))).toEqual(await outcome(at('calm')))
  })

  test('a second time ends it at once', async () => {
    const args = [main, 'train', ...options(), '--epochs', '400', '--out', at('twice')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    const closed = new Promise(resolve => child.on('close', (_, by) => resolve(by)))
    await new Promise<void>(resolve =>
      child.stderr.on('data', chunk => {
        stderr += chunk
        if (/epoch 1\/400/.test(stderr)) resolve()
      }),
    )
    // The first is handled when the event loop turns. Then there is no listener for a second.
    child.kill('SIGINT')
    while (child.exitCode === null && child.signalCode === null) {
      await new Promise(resolve => setTimeout(resolve, 1))
      child.kill('SIGINT')
    }
    expect(await closed).toBe('SIGINT')
  })
})
