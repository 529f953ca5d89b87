import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spread, workNames, works } from '../../src/bench/latency/ops/numbers.js'
import { measureOps, type OpsOptions } from '../../src/bench/latency/ops/run.js'
import { type OpsSide, torchOps } from '../../src/bench/latency/ops/sides.js'
import { present } from '../../src/bench/latency/run.js'
import { findTorch } from '../../src/bench/peers/torch.js'
import { BenchProcess } from '../../src/bench/process.js'
import { opsLines } from '../../src/cli/benchLatencyOps.js'

const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url)
const options: OpsOptions = { rounds: 1, quick: true, log: () => {} }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-ops-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function packageItself(who: string, ours = true): OpsSide {
  const config = JSON.stringify({ library: dist('index.js').href, threads: 1 })
  const args = [fileURLToPath(dist('bench/latency/ops/ours.js')), config]
  return { process: new BenchProcess(who, process.execPath, args), who, ours }
}

/** A peer that answers every request with this. */
async function fake(answer: string): Promise<OpsSide> {
  const file = join(folder, 'fake.sh')
  await writeFile(file, `#!/bin/sh\necho '{"ready": true}'\nwhile read -r line; do echo '${answer}'; done\n`)
  await chmod(file, 0o755)
  return { process: new BenchProcess('fake', file, []), who: 'fake', ours: false }
}

const [first] = workNames

test('times every workload next to a peer if their results agree', async () => {
  const { rows, failed } = await measureOps(
    [packageItself('packed-rnn'), packageItself('twin', false)],
    options,
  )
  expect(failed).toEqual({})
  expect(Object.keys(rows)).toEqual([...workNames])
  for (const { ours, best, ratio, peer, largestError, sides } of Object.values(rows)) {
    expect(Math.min(ours, best!)).toBeGreaterThan(0)
    expect(ratio).toBeCloseTo(best! / ours, 9)
    expect({ peer, largestError }).toEqual({ peer: 'twin', largestError: 0 })
    expect(Object.keys(sides)).toEqual(['packed-rnn', 'twin'])
  }
})

test('the sampled numbers are evenly spread over the array', () => {
  expect(spread(Float32Array.of(1, 2, 3))).toEqual([1, 2, 3])
  const few = spread(Float32Array.from({ length: 5090 }, (_, i) => i))
  expect([few.length, few[0], few[1], few.at(-1)]).toEqual([509, 0, 10, 5080])
})

describe('a peer', () => {
  test('with a wrong result is an error', async () => {
    const wrong = await fake(JSON.stringify({ y: new Array(64).fill(0) }))
    const refused = measureOps([packageItself('packed-rnn'), wrong], { ...options, names: [first] })
    await expect(refused).rejects.toThrow(`fake, ${works[first].about}: y: off by 1.0e+0`)
  })

  test('that fails is skipped for the workload and reported', async () => {
    const failing = await fake('{"error": "no memory"}')
    const { rows, ...facts } = await measureOps([packageItself('packed-rnn'), failing], {
      ...options,
      names: [first],
    })
    expect(facts.failed).toEqual({ [`fake, ${works[first].about}`]: 'fake: no memory' })
    expect(rows[first]).toMatchObject({ best: null, peer: null, ratio: null, largestError: null })
    const lines = opsLines({ latencyOps: rows, latencyOpsFacts: facts }).join('\n')
    expect(lines).toMatch(/\n {2}add of 64 numbers, issued +[\d.]+ +–\n/)
    expect(lines).toContain('fake, add of 64 numbers, issued was left out: fake: no memory')
  })

  test('is printed next to ours', () => {
    const row = (about: string, ours: number, best: number) => {
      const timed = (microseconds: number, own: boolean) => ({ microseconds, samples: [], ours: own })
      const sides = { 'packed-rnn': timed(ours, true), PyTorch: timed(best, false) }
      return { about, ours, best, peer: 'PyTorch', ratio: best / ours, largestError: 0, sides }
    }
    const latencyOps = { add: row('one', 2, 1), chain: row('twenty', 80, 160) }
    const lines = opsLines({ latencyOps, latencyOpsFacts: { failed: {}, othersCores: 0.25 } })
    expect(lines[0]).toMatch(/^\nops: microseconds .*\n.* after 1000 calls .*\n.*took 0\.3 cores\.$/)
    expect(lines[1]!.split('\n')).toEqual([
      '          packed-rnn  PyTorch  ours is faster by',
      '  one           2.00     1.00               0.50',
      '  twenty        80.0      160               2.00',
    ])
  })
})

test.skipIf('missing' in findTorch())('PyTorch computes the same (skipped without PyTorch)', async () => {
  const sides = [packageItself('packed-rnn'), ...present([torchOps(1)])]
  const { rows, failed } = await measureOps(sides, options)
  expect(failed).toEqual({})
  expect(Object.keys(rows)).toEqual([...workNames])
  for (const { peer, largestError } of Object.values(rows)) {
    expect(peer).toBe('PyTorch')
    expect(largestError).toBeLessThan(1e-4)
  }
})
