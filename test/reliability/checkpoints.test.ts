import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { removeTemporaries } from '../../src/files/write.js'
import { presets } from '../../src/models/presets.js'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/training/checkpoint.js'
import { cli } from '../cli/command.js'
import { shortClassifier } from '../training/short.js'
import { compiledPackage, loader } from '../worker/compiled.js'
import { killed } from './killed.js'
import { long } from './length.js'

/** Checkpoints whose writer is killed, whose disk is full, or whose file is damaged. */

let folder: string
let compiled: string
const at = (...path: string[]) => join(folder, ...path)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-crash-'))
  compiled = compiledPackage()
  await writeFile(at('killed.mjs'), killed)
  // Also for the user `nobody`.
  await Promise.all([chmod(folder, 0o755), chmod(compiled, 0o755)])
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await rm(compiled, { recursive: true })
})

const WHOLE = ['checkpoint.previous.safetensors', 'checkpoint.safetensors']

const save = async (directory: string, about: unknown) => saveCheckpoint(directory, await state(), about)
const state = () => new Trainer(shortClassifier('lstm64-sgd'), presets['lstm64-sgd']).state()

/** A directory with the checkpoints 1 and, after it, 2. */
async function withTwo(name: string): Promise<string> {
  const directory = at(name)
  for (const about of [1, 2]) await save(directory, about)
  return directory
}

interface Ended {
  signal: NodeJS.Signals | null
  stdout: string
}

/** Writes over a directory's checkpoint, as number 3, in a separate process. It prints 'done', or the error. */
function writer(
  directory: string,
  options: { killAt?: number; uid?: number; shell?: string } = {},
): Promise<Ended> {
  const { killAt, uid, shell } = options
  const source = `${loader(compiled)}
    const { loadCheckpoint, saveCheckpoint } = await load('training/checkpoint.js')
    const { state } = await loadCheckpoint(process.env.FROM)
    await saveCheckpoint(process.env.DIRECTORY, state, 3)
      .then(() => {}, ({ code, message }) => console.log(code, message))`
  const args = ['--import', at('killed.mjs'), '--input-type=module', '--eval', source]
  const env = {
    ...process.env,
    FROM: at('from'),
    DIRECTORY: directory,
    ...(killAt === undefined ? {} : { KILL_AT: String(killAt) }),
  }
  const [file, words] =
    shell === undefined
      ? [process.execPath, args]
      : ['sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, ...args]]
  return new Promise(resolve => {
    execFile(file, words, { env, ...(uid === undefined ? {} : { uid, gid: uid }) }, (error, stdout) =>
      resolve({ signal: error?.signal ?? null, stdout }),
    )
  })
}

beforeAll(() => save(at('from'), 'from'))

test('a checkpoint is on disk before it is renamed, and the rename before the call returns', async () => {
  const { stdout } = await writer(await withTwo('traced'))
  expect(stdout).toBe('mkdir open write write sync link rename rename open sync')
  expect((await loadCheckpoint(at('traced'))).about).toBe(3)
})

describe('a process killed at each call of the file system', () => {
  /** Runs the writer over copies of a directory, killed at one call after the other; what a reader then finds. */
  async function found(from: string): Promise<unknown[]> {
    const seen: unknown[] = []
    for (let killAt = 0; ; killAt++) {
      const directory = at('killed')
      await cp(from, directory, { recursive: true })
      const { signal } = await writer(directory, { killAt })
      seen.push((await loadCheckpoint(directory)).about)
      // Who comes next finds nothing in its way.
      await removeTemporaries(directory)
      await save(directory, 4)
      expect((await loadCheckpoint(directory)).about).toBe(4)
      expect((await readdir(directory)).sort()).toEqual(WHOLE)
      await rm(directory, { recursive: true })
      if (signal === null) return seen
      expect(signal).toBe('SIGKILL')
    }
  }

  test('leaves the previous or the new checkpoint', async () => {
    const seen = await found(await withTwo('two'))
    // It takes the name at the first rename.
    expect(seen).toEqual([...Array(7).fill(2), ...Array(4).fill(3)])
  })

  test('leaves a valid checkpoint if the last one was already truncated', async () => {
    const directory = await withTwo('torn')
    await truncate(join(directory, 'checkpoint.safetensors'), 1000)
    const seen = await found(directory)
    expect(seen).toEqual([...Array(7).fill(1), ...Array(4).fill(3)])
  })
})

test('a full disk is an error, and earlier checkpoints stay', async () => {
  const directory = await withTwo('full')
  const { stdout } = await writer(directory, { shell: 'ulimit -f 8' })
  expect(stdout).toMatch(/^ERR_INVALID_ARGUMENT .*full.checkpoint\.safetensors: EFBIG/)
  expect(await loadCheckpoint(directory)).toMatchObject({ about: 2, passedOver: null })
  expect((await readdir(directory)).sort()).toEqual(WHOLE)
})

test('a directory without write permission is an error, and earlier checkpoints stay', async () => {
  const directory = await withTwo('forbidden')
  await chmod(directory, 0o555)
  // Root may write everywhere.
  const { stdout } = await writer(directory, process.getuid?.() === 0 ? { uid: 65534 } : {})
  expect(stdout).toMatch(/^ERR_INVALID_ARGUMENT .*forbidden.checkpoint\.safetensors: EACCES/)
  expect(await loadCheckpoint(directory)).toMatchObject({ about: 2, passedOver: null })
  await chmod(directory, 0o755)
})

describe('train', () => {
  const EPOCHS = 4
  const files = () => ['--train', at('articles.csv'), '--test', at('articles.csv'), '--batch-size', '20']
  const train = (out: string, epochs = EPOCHS) => ['train', ...files(), '--out', out, '--epochs', `${epochs}`]
  const outcome = async (directory: string) => ({
    model: await readFile(join(directory, 'model.safetensors')),
    report: await readFile(join(directory, 'report.txt'), 'utf8'),
    metrics: (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).replace(/"seconds.*/g, ''),
  })

  beforeAll(async () => {
    const articles = inventArticles(60, 8).map(({ category, text }) => ({
      category,
      text: text.slice(0, 100),
    }))
    await writeArticles(at('articles.csv'), articles)
    expect(await cli(train(at('whole')))).toMatchObject({ code: 0 })
  })

  test('reports a truncated checkpoint, resumes from the previous one, and ends with the same bits', async () => {
    const out = at('damaged')
    await cli(train(out, 2))
    const file = join(out, 'checkpoint.safetensors')
    await truncate(file, 5000)
    const { code, stderr } = await cli(['train', '--resume', out, '--epochs', `${EPOCHS}`, '--quiet'])
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(`${file}: wanted .*; using the previous checkpoint`),
    })
    expect(await outcome(out)).toEqual(await outcome(at('whole')))
  })

  test.runIf(long)('killed at each call of the file system, it resumes with the same bits', async () => {
    const expected = await outcome(at('whole'))
    const env = { NODE_OPTIONS: `--import ${at('killed.mjs')}` }
    let kills = 0
    for (let code = -1; code !== 0; kills++) {
      const out = at('each')
      ;({ code } = await cli(train(out), { env: { ...env, KILL_AT: String(kills) } }))
      const left: string[] = await readdir(out).catch(() => [])
      const begun = left.some(name => WHOLE.includes(name))
      if (code !== 0) {
        // Before the first checkpoint there is nothing to resume from.
        if (!begun) await rm(out, { recursive: true, force: true })
        expect(await cli(begun ? ['train', '--resume', out] : train(out))).toMatchObject({ code: 0 })
      }
      expect(await outcome(out), `killed at call ${kills}`).toEqual(expected)
      await rm(out, { recursive: true })
    }
    expect(kills).toBeGreaterThan(60)
  })
})
