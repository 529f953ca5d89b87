import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/training/checkpoint.js'
import { cli } from './command.js'

/** --device, --precision and --threads of each command that computes. */

let folder: string
const at = (name: string) => join(folder, name)
const train = (...options: string[]) =>
  cli(['train', '--train', at('articles.csv'), '--test', at('articles.csv'), '--epochs', '1', ...options])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-device-options-'))
  await writeArticles(at('articles.csv'), inventArticles(40, 3))
  await writeFile(at('lines.txt'), 'Ein Artikel\n')
  expect(await train('--device', 'cpu', '--out', at('run'))).toMatchObject({ code: 0 })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const commands: [string, () => string[]][] = [
  ['train', () => ['train', '--train', at('articles.csv'), '--test', at('articles.csv'), '--epochs', '1']],
  ['evaluate', () => ['evaluate', at('run'), '--test', at('articles.csv')]],
  ['predict', () => ['predict', at('run'), at('lines.txt')]],
]

describe.each(commands)('%s', (name, command) => {
  test('on what is named', async () => {
    const options = ['--device', 'cpu', '--precision', 'float32', '--threads', '1']
    expect(await cli([...command(), ...options])).toMatchObject({ code: 0 })
  })

  test.each([
    [['--device', 'tpu'], 1, "device: kind: wanted 'cpu', 'cuda' or 'cuda:N', got tpu"],
    [
      ['--device', 'cpu', '--precision', 'tf32'],
      1,
      'device: precision: wanted float32 or bfloat16 on cpu, got tf32',
    ],
    [['--device', 'cuda', '--threads', '2'], 1, 'device: threads: wanted no threads on cuda, got 2'],
    [['--precision', 'fp8'], 2, '--precision: wanted tf32 or float32 or bfloat16, got fp8'],
    [['--threads', '0'], 2, '--threads: wanted a number of at least 1, got 0'],
  ])('refuses %j', async (options, code, message) => {
    const refused = await cli([...command(), ...options])
    expect(refused).toMatchObject({ code, stdout: '' })
    expect(refused.stderr).toContain(`packed-rnn ${name}: ${message}\n`)
  })
})

test('train and evaluate write down what they ran on', async () => {
  const on = { device: 'cpu', deviceName: 'cpu (1 thread)', precision: 'float32' }
  await train('--threads', '1', '--json', at('train.json'))
  const trained = JSON.parse(await readFile(at('train.json'), 'utf8'))
  expect(trained).toMatchObject({ ...on, threads: 1, instructions: expect.any(String) })
  await cli([
    'evaluate',
    at('run'),
    '--test',
    at('articles.csv'),
    '--threads',
    '1',
    '--json',
    at('test.json'),
  ])
  expect(JSON.parse(await readFile(at('test.json'), 'utf8'))).toMatchObject(on)
})

describe('--resume', () => {
  /** The run's checkpoint as one that was written on CUDA. */
  const fromCuda = async (name: string) => {
    const { state, about } = await loadCheckpoint(at('run'))
    if (typeof about !== 'object' || about === null) return expect.unreachable()
    const args: unknown = Reflect.get(about, 'args')
    if (!Array.isArray(args)) return expect.unreachable()
    const on = ['--device', 'cuda:7', '--precision', 'bfloat16']
    await saveCheckpoint(at(name), state, { args: [...args, ...on], kind: 'cuda', precision: 'bfloat16' })
  }
  const resume = (name: string, ...options: string[]) =>
    cli(['train', '--resume', at(name), '--epochs', '2', ...options])

  test('resumes on the device of the run', async () => {
    await fromCuda('same')
    const { code, stderr } = await resume('same')
    expect(code).toBe(1)
    // Whichever reason this machine has: no library, no driver, no such device.
    expect(stderr).toMatch(/^packed-rnn train: .*(CUDA|NVIDIA|cuda:7)/)
  })

  test('--device resumes on another device and warns that results differ', async () => {
    await fromCuda('elsewhere')
    const { code, stderr } = await resume('elsewhere', '--device', 'cpu')
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('resumes after 1 epochs') })
    expect(stderr).toContain(
      'elsewhere: was on cuda in bfloat16 before, so the bits differ from those of an uninterrupted run',
    )
    // Its new checkpoints are the CPU's.
    expect((await resume('elsewhere', '--epochs', '3')).stderr).not.toContain('not the bits')
  })
})
