import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cpuPrecisions, instructionSets } from '../../src/device.js'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { cli } from './command.js'

let folder: string
const at = (name: string) => join(folder, name)
const json = async (name: string) => JSON.parse(await readFile(at(name), 'utf8'))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-bench-test-'))
  await writeArticles(at('articles.csv'), inventArticles(12, 3))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Where there is no article but those that are named, and no peer. */
const nothing = { PACKED_RNN_DATA: '/nowhere', PYTHON: '/nowhere/python3', PATH: '' }
const small = ['--batch', '4', '--threads', '1', '--rounds', '1']
/** Runs `bench` in float32 alone, on an instruction set that has no bfloat16. */
const bench = (args: string[], env = {}) => benchAll(args, { PACKED_RNN_CPU: WITHOUT_BFLOAT16, ...env })
const benchAll = (args: string[], env = {}) =>
  cli(['bench', ...small, ...args], { env: { ...nothing, ...env } })

const WITHOUT_BFLOAT16 = instructionSets().includes('avx2') ? 'avx2' : 'portable'

const hasBfloat16 = cpuPrecisions().includes('bfloat16')

const measured = (tokens: number) => ({
  ...{
    seconds: expect.any(Number),
    samples: [expect.any(Number)],
    tokens,
    tokensPerSecond: expect.any(Number),
    multiplicationsPerToken: expect.any(Number),
  },
  ...{ gflops: expect.any(Number), shareOfPeak: expect.any(Number), javascript: expect.any(Number) },
})

test('measures ours alone, and writes it down', async () => {
  const { code, stdout } = await benchAll([
    '--cases',
    'Elman,A',
    '--peers',
    'none',
    '--json',
    at('alone.json'),
  ])
  expect(code).toBe(0)
  expect(stdout).toMatch(/\nceilings: one thread \d+ GFLOP\/s, all \d+; \d+ GB\/s\n/)
  expect(stdout).toMatch(/\nA: LSTM 300→64.*\n.*\n {2}packed-rnn +forward .* %/)
  const results = await json('alone.json')
  const nobody = { forward: null, step: null, stepLast: null }
  expect(results).toMatchObject({
    format: 'packed-rnn bench 1',
    machine: { cpu: expect.any(String), instructions: expect.any(String) },
    batch: { articles: 4, tokens: expect.any(Number), words: expect.any(Number) },
    ...{ threads: 1, rounds: 1, peers: {} },
    ceilings: {
      flopsOfOne: expect.any(Number),
      flopsOfAll: expect.any(Number),
      bandwidth: expect.any(Number),
    },
    ratios: { A: nobody, Elman: nobody },
    multiplications: { A: nobody, Elman: nobody },
  })
  expect(Object.keys(results.cases)).toEqual(['A', 'Elman'])
  const { tokens } = results.batch
  for (const { largestError, rows } of Object.values<Record<string, never>>(results.cases)) {
    expect(largestError).toBeLessThan(1e-4)
    const both = { ours: true, forward: measured(tokens), step: measured(tokens), stepLast: measured(tokens) }
    const ours = ['packed-rnn', ...(hasBfloat16 ? ['packed-rnn in bfloat16'] : [])]
    expect(rows).toMatchObject(ours.map(who => ({ who, ...both })))
  }
  for (const { forward, step, stepLast } of results.cases.A.rows) {
    // Issuing a pass is a part of its time, also of a short one's.
    for (const { javascript } of [forward, step, stepLast]) expect(javascript).toBeLessThanOrEqual(1)
  }
  const [{ forward, peakBytes, forwardPeakBytes }] = results.cases.A.rows
  expect(forward.oursIsFasterBy).toBeNull()
  expect(forward.gflops).toBeCloseTo((186_368 * forward.tokensPerSecond) / 1e9, 6)
  expect(forward.shareOfPeak).toBeCloseTo((1e9 * forward.gflops) / results.cases.A.ceilings.flopsOfAll, 6)
  const { words } = results.batch
  expect(forward.multiplicationsPerToken).toBeCloseTo(256 * ((300 * words) / tokens + 64), 6)
  expect(peakBytes).toBeGreaterThanOrEqual(forwardPeakBytes)
})

test('times one token at a time', async () => {
  const args = ['--cases', 'latency', '--peers', 'none', '--quick', '--json', at('latency.json')]
  const { code, stdout } = await bench(args)
  expect(code).toBe(0)
  expect(stdout).toMatch(/\n {2}H 256 +B 64 /)
  expect(stdout).toMatch(/\n {2}a decoder's step, forward and backward +[\d.]+ +–\n/)
  const { latency, latencyOps, cases, ceilings } = await json('latency.json')
  expect(cases).toEqual({})
  expect(ceilings.flopsOfAll).toEqual(expect.any(Number))
  expect(Object.keys(latency)).toEqual(['64', '256'])
  for (const ofH of Object.values<object>(latency)) expect(Object.keys(ofH)).toEqual(['1', '8', '64'])
  const cell = { ours: expect.any(Number), awaited: expect.any(Number), best: null, ratio: null }
  expect(latency[256][8]).toMatchObject(cell)
  expect(Object.keys(latencyOps)).toEqual(['addIssued', 'add', 'chain', 'decode', 'decodeBackward'])
  for (const row of Object.values(latencyOps)) {
    expect(row).toMatchObject({ ours: expect.any(Number), best: null, ratio: null, largestError: null })
  }
})

test('times the import of the package', async () => {
  const args = ['--cases', 'load', '--peers', 'none', '--json', at('load.json')]
  const { code, stdout } = await bench(args)
  expect(code).toBe(0)
  expect(stdout).toMatch(/\nload: milliseconds of import 'packed-rnn'; medians of 3 fresh processes each/)
  expect(stdout).toMatch(/\n {2}packed-rnn +[\d.]+ +[\d.]+ +[\d.]+\n/)
  const { load, cases } = await json('load.json')
  expect(cases).toEqual({})
  const { milliseconds, samples, processMilliseconds } = load.sides['packed-rnn']
  expect(samples).toHaveLength(3)
  expect(samples.toSorted((a: number, b: number) => a - b)[1]).toBe(milliseconds)
  expect(milliseconds).toBeGreaterThan(1)
  expect([processMilliseconds, load.emptyProcessMilliseconds]).toEqual([
    expect.any(Number),
    expect.any(Number),
  ])
})

describe('training steps of a translation model', () => {
  test('are timed with invented sentences', async () => {
    const args = ['--cases', 'translation', '--peers', 'none', '--quick', '--json', at('translation.json')]
    const { code, stdout } = await bench(args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/\ntranslation: words of 16 numbers, .*; 7859 and 5921 words: invented sentences/)
    expect(stdout).toMatch(
      /\n {2}batches by length: 2 batches of 8 pairs, \d+ tokens\n {4}packed-rnn +[\d.]+ +\d+\n/,
    )
    expect(stdout).toMatch(
      /\n {2}6 sentences translated, 13 words each .*\n {4}the likeliest word of each step, 1 at a time\n {6}packed-rnn +[\d.]+\n/,
    )
    expect(stdout).toMatch(/\n {4}beam 5, 64 at a time\n {6}packed-rnn +[\d.]+\n$/)
    const { translation, cases } = await json('translation.json')
    expect(cases).toEqual({})
    expect(Object.keys(translation.sets)).toEqual(['shuffled', 'byLength'])
    const set = { batches: 2, sentences: 16, ours: expect.any(Number), best: null, peer: null, ratio: null }
    expect(translation).toMatchObject({
      sets: { shuffled: set, byLength: set },
      decoding: { sentences: 6, words: 13, same: null, settings: expect.any(Array) },
      largestError: null,
      failed: {},
    })
  })

  test('--pairs names the files', async () => {
    const words = Array.from({ length: 16 }, (_, i) => `one two three${i % 5}`).join('\n')
    for (const language of ['de', 'en']) await writeFile(at(`few.${language}.gz`), gzipSync(words))
    const args = ['--cases', 'translation', '--peers', 'none', '--quick', '--json', at('pairs.json')]
    expect(await bench([...args, '--pairs', at('few')])).toMatchObject({ code: 0 })
    expect((await json('pairs.json')).translation.sentences).toEqual({
      about: `${at('few')}.{de,en}.gz`,
      ...{ sourceVocabularySize: 11, targetVocabularySize: 11 },
    })
    const refused = await bench([...args, '--pairs', '/nowhere/some'])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^packed-rnn bench: --pairs: ENOENT.*\/nowhere\/some\.de\.gz/)
  })
})

test('names each peer that is missing, and how to install it', async () => {
  const { code, stdout } = await bench(['--cases', 'Elman', '--peers', 'torch,onednn'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/\ntorch is missing: no PyTorch for \/nowhere\/python3: apt-get install/)
  expect(stdout).toMatch(/\nonednn is missing: .*apt-get install g\+\+ libdnnl-dev\n/)
})

/** A fake PyTorch that prints these losses. */
async function fakeTorch(losses: string) {
  await writeFile(
    at('python3'),
    `#!/bin/sh
if [ "$1" = -c ]; then echo 1.13; exit; fi
echo '{"ready": true}'
while read -r line; do
  case $line in losses*) echo '${losses}' ;; *) echo '{"seconds": 1}' ;; esac
done
`,
  )
  await chmod(at('python3'), 0o755)
  return { PYTHON: at('python3') }
}

test('a peer with another loss ends the run', async () => {
  const fake = await fakeTorch('{"losses": [9, 9, 9]}')
  const refused = await bench(['--cases', 'Elman', '--peers', 'torch'], fake)
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(
    /\npacked-rnn bench: case Elman: torch: step 1: wanted the loss of packed-rnn, [\d.]+, got 9\n$/,
  )
})

test('a peer that does not run is left out, and named', async () => {
  const fake = await fakeTorch('{"error": "no memory"}')
  const { code, stdout } = await bench(['--cases', 'Elman', '--peers', 'torch'], fake)
  expect(code).toBe(0)
  expect(stdout).toContain('\n  torch was left out: PyTorch: no memory\n')
})

describe('--against', () => {
  const here = fileURLToPath(new URL('../..', import.meta.url))

  test('times another checkout and reports ratios', async () => {
    const args = ['--cases', 'Elman,load', '--peers', 'none', '--against', here, '--json', at('against.json')]
    const { code, stdout } = await bench(args)
    expect(code).toBe(0)
    const { against, cases, ratios, load } = await json('against.json')
    expect(Object.keys(load.sides)).toEqual(['packed-rnn', `packed-rnn in ${here}`])
    const [own] = cases.Elman.rows
    const other = cases.Elman.rows.at(-1)
    expect(other).toMatchObject({ who: `packed-rnn in ${here}`, ours: true })
    const of = (pass: string) => other[pass].seconds / own[pass].seconds
    expect(against).toMatchObject({ version: expect.any(String), latency: null, translation: null })
    for (const pass of ['forward', 'step', 'stepLast']) {
      expect(against.ratios.Elman[pass]).toBeCloseTo(of(pass), 9)
    }
    // It is no peer.
    expect(ratios.Elman.forward).toBeNull()
    expect(stdout).toMatch(/\nours over packed-rnn .*\n.*\n {2}Elman +[\d.]+ +[\d.]+ +[\d.]+\n$/)
  })

  test('runs the other checkout’s code, and no other', async () => {
    await mkdir(at('other/dist'), { recursive: true })
    await writeFile(at('other/package.json'), '{ "version": "9.9.9", "type": "module" }')
    await writeFile(at('other/dist/index.js'), "process.stderr.write('the other one'); process.exit(3)")
    const refused = await bench(['--cases', 'Elman', '--peers', 'none', '--against', at('other')])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('the other one')
    expect(refused.stderr).toMatch(/case Elman: packed-rnn in .*other: its process ended, exit code 3\n$/)
  })
})

describe('options', () => {
  test('--articles, and a batch of all of them', async () => {
    const args = ['--cases', 'Elman', '--peers', 'none', '--json', at('articles.json')]
    expect(await bench([...args, '--articles', at('articles.csv'), '--batch', '99'])).toMatchObject({
      code: 0,
    })
    expect((await json('articles.json')).batch).toMatchObject({
      articles: 12,
      about: `the first articles of ${at('articles.csv')}`,
    })
  })

  test('--quick', async () => {
    const args = ['bench', '--quick', '--cases', 'Elman', '--peers', 'none', '--json', at('quick.json')]
    expect(await cli(args, { env: nothing })).toMatchObject({ code: 0 })
    expect(await json('quick.json')).toMatchObject({ batch: { articles: 16 }, rounds: 2 })
  })

  test.each([
    [['--cases', 'D'], '--cases: wanted some of A, B, C, GRU, Elman, load, latency, translation, got D'],
    [['--against', '/nowhere'], '--against: wanted a built checkout of packed-rnn, got /nowhere'],
    [['--peers', 'tfjs'], '--peers: wanted some of torch, onednn, onnxruntime, got tfjs'],
    [['--rounds', '0'], '--rounds: wanted a number of at least 1, got 0'],
    [['--threads', 'two'], '--threads: wanted a number of at least 1, got two'],
    [['some.csv'], 'wanted only options, got some.csv'],
  ])('refuses %j', async (args, message) => {
    const refused = await bench(args)
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(`packed-rnn bench: ${message}\n`)
  })
})
