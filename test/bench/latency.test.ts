import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cellInputs, cellWeights } from '../../src/bench/latency/numbers.js'
import { type LatencyOptions, measureLatency } from '../../src/bench/latency/run.js'
import type { Side } from '../../src/bench/latency/sides.js'
import { findPackage } from '../../src/bench/peers/onnxruntime.js'
import { BenchProcess } from '../../src/bench/process.js'
import { referenceStream } from '../../src/bench/reference.js'
import { latencyLines } from '../../src/cli/benchLatency.js'
import { cellReference } from '../reference/cells.js'

const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url)
const options: LatencyOptions = {
  ...{ rounds: 1, quick: true, log: () => {}, hiddenSizes: [64], batchSizes: [1, 8] },
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-latency-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function side(who: string, script: string, library: string, rest: Partial<Side> = {}): Side {
  const args = [fileURLToPath(dist(script)), JSON.stringify({ library, threads: 1 })]
  const process = new BenchProcess(who, globalThis.process.execPath, args)
  return { process, ways: [{ who, way: 'LSTM' }], streams: true, ours: true, ...rest }
}

const library = dist('index.js').href
const ours = () => side('packed-rnn', 'bench/latency/ours.js', library)

/** A peer that answers every request with this. */
async function fake(answer: string): Promise<Side> {
  const file = join(folder, 'fake.sh')
  await writeFile(file, `#!/bin/sh\necho '{"ready": true}'\nwhile read -r line; do echo '${answer}'; done\n`)
  await chmod(file, 0o755)
  const process = new BenchProcess('fake', file, [])
  return { process, ways: [{ who: 'fake', way: 'any' }], streams: false, ours: false }
}

test('the reference agrees with the reference of the tests', () => {
  const [H, B] = [3, 2]
  const { wIh, wHh, bIh, bHh } = cellWeights(H)
  const tokens = cellInputs(H, B)
  const inputs = [0, 1].map(b => tokens.map(token => [...token.subarray(b * H, (b + 1) * H)]))
  const numbers = (values: Float32Array) => Float64Array.from(values)
  const { hN } = cellReference({
    ...{ cell: 'lstm', inputs, h0: new Float64Array(B * H), c0: new Float64Array(B * H) },
    weights: [{ wIh: numbers(wIh), wHh: numbers(wHh), bIh: numbers(bIh), bHh: numbers(bHh) }],
    ...{ inputSize: H, hiddenSize: H, projSize: 0, numLayers: 1, bidirectional: false },
  })
  const found = inputs.flatMap(rows => referenceStream(cellWeights(H), rows))
  for (const [i, value] of hN.entries()) expect(found[i]).toBeCloseTo(value, 12)
  expect(found).toHaveLength(hN.length)
})

test('times queued tokens and awaited tokens next to a peer', async () => {
  // The package as a peer that waits for each token.
  const peer = side('twin', 'bench/latency/ours.js', library, { streams: false, ours: false })
  const { cells, failed } = await measureLatency([ours(), peer], options)
  expect(failed).toEqual({})
  expect(Object.keys(cells)).toEqual(['64'])
  expect(Object.keys(cells[64]!)).toEqual(['1', '8'])
  for (const { ours, awaited, best, ratio, awaitedRatio, ...rest } of Object.values(cells[64]!)) {
    expect(Math.min(ours, awaited, best!)).toBeGreaterThan(0)
    expect(ratio).toBeCloseTo(best! / ours, 9)
    expect(awaitedRatio).toBeCloseTo(best! / awaited, 9)
    expect(rest).toMatchObject({ peer: 'twin', sides: { 'packed-rnn': {}, twin: { streamed: null } } })
    expect(rest.largestError).toBeLessThan(1e-5)
  }
})

describe('a peer', () => {
  test('with a wrong state is an error', async () => {
    const wrong = await fake(`{"h": ${JSON.stringify(new Array(128).fill(0))}}`)
    const refused = measureLatency([ours(), wrong], options)
    await expect(refused).rejects.toThrow('fake, H 64, B 1: h: off by 1.0e+0')
  })

  test('that fails is skipped and reported', async () => {
    const { cells, failed, othersCores } = await measureLatency(
      [ours(), await fake('{"error": "no memory"}')],
      options,
    )
    expect(failed).toEqual({ fake: 'fake: no memory' })
    expect(cells[64]![1]).toMatchObject({ best: null, peer: null, ratio: null })
    const lines = latencyLines({ latency: cells, latencyFacts: { failed, othersCores } }).join('\n')
    expect(lines).toMatch(/\n {2}H 64 +B 8 +[\d.]+ +[\d.]+ +– +–\n/)
    expect(lines).toContain('fake was left out: fake: no memory')
  })
})

const found = await findPackage()
test.skipIf('missing' in found)('onnxruntime-node computes the same', async () => {
  const file = 'file' in found ? found.file : ''
  const ways = [{ who: 'onnxruntime-node', way: 'session' }]
  const rest = { ways, streams: false, ours: false }
  const onnx = side('onnxruntime-node', 'bench/latency/onnxruntime.js', file, rest)
  const { cells, failed } = await measureLatency([ours(), onnx], options)
  expect(failed).toEqual({})
  expect(cells[64]![8]!.peer).toBe('onnxruntime-node')
})
