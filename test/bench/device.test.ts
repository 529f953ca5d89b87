import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Layer, numbersOn } from '../../src/bench/device/layer.js'
import { markdown } from '../../src/bench/device/markdown.js'
import { devicePage } from '../../src/bench/device/page.js'
import { type Finding, Findings } from '../../src/bench/device/records.js'
import { referenceLayer } from '../../src/bench/device/reference.js'
import { runOnDevice } from '../../src/bench/device/run.js'
import type { Part } from '../../src/bench/device/runner.js'
import { epochSummaries, faults, pick, pointTable } from '../../src/bench/device/summary.js'
import { Torch } from '../../src/bench/device/torch.js'
import { device } from '../../src/device.js'
import { deviceFinding, epoch, points, run } from './deviceFindings.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-device-bench-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const node = (source: string) => () => [process.execPath, '--eval', source]
const part = (name: string, command: Part['command'], more: Partial<Part> = {}): Part => ({
  ...{ name, seconds: 1, needsDevice: false, command },
  ...more,
})

describe('a device report in parts', () => {
  let out: string
  let count = 0
  beforeEach(() => {
    out = join(folder, `run-${count++}`)
  })

  /** Runs the parts and returns the end of each. */
  async function runAll(
    parts: Part[],
    { seconds = 60, signal = new AbortController().signal, before = (_: Findings) => {} } = {},
  ) {
    const lines: string[] = []
    const findings = await runOnDevice({
      ...{ out, device: 'cpu', precision: null, seconds, signal },
      log: line => lines.push(line),
      parts: found => {
        before(found)
        return parts
      },
    })
    const ends = pick(findings, 'part').filter(({ state }) => state !== 'begun')
    return { findings, lines, ends: ends.map(({ part, state, reason }) => [part, state, reason]) }
  }

  test('each part is a process: one that fails, hangs or is missing does not affect the others', async () => {
    const parts = [
      part('fails', node('console.log("about to fail"); process.exit(3)')),
      part('dies', node('process.kill(process.pid, "SIGSEGV")')),
      part('hangs', node('setInterval(() => {}, 1000)')),
      part('is missing', () => ['/nowhere/program']),
      part('is left out', { missing: 'for a reason' }),
      part('ends', node('console.log("all is well")')),
    ]
    const { ends, findings } = await runAll(parts, { seconds: 8 })
    expect(ends).toEqual([
      ['fails', 'failed', 'exit 3'],
      ['dies', 'failed', 'exit SIGSEGV'],
      ['hangs', 'cut off', expect.stringMatching(/^killed after \d s$/)],
      ['is missing', 'failed', 'spawn /nowhere/program ENOENT'],
      ['is left out', 'left out', 'for a reason'],
      ['ends', 'ended', null],
    ])
    expect(pick(findings, 'part').find(({ state }) => state === 'failed')!.output).toBe('about to fail\n')
    expect(readFileSync(join(out, 'parts.log'), 'utf8')).toMatch(
      /^== fails\nabout to fail\n== dies\n.*== ends\nall is well\n$/s,
    )
    // A hanging part is late and not wrong.
    expect(faults(findings)).toEqual([
      'fails: exit 3',
      'dies: exit SIGSEGV',
      expect.stringContaining('ENOENT'),
    ])
  })

  test('a part may decline to run, which is a result; its child processes end with it', async () => {
    const started = join(folder, 'started')
    const source = `require('node:child_process').spawn(process.execPath, ['--eval', 'setTimeout(() => require("node:fs").writeFileSync(${JSON.stringify(started)}, ""), 1500)'], { stdio: 'ignore' }); console.log('not allowed'); process.exit(1)`
    const after = (output: string) => /not allowed/.exec(output)?.[0] ?? null
    const { ends, findings } = await runAll([
      part('refuses', node(source), { after }),
      part('waits', node('setTimeout(() => {}, 2500)')),
    ])
    expect(ends).toEqual([
      ['refuses', 'left out', 'not allowed'],
      ['waits', 'ended', null],
    ])
    expect(faults(findings)).toEqual([])
    expect(existsSync(started)).toBe(false)
  })

  test('parts share the time that earlier parts did not use', async () => {
    const limits: number[] = []
    const command = (seconds: number) => {
      limits.push(seconds)
      return [process.execPath, '--version']
    }
    await runAll([part('a', command), part('b', command), part('c', command, { seconds: 2 })], {
      seconds: 100,
    })
    expect(limits[0]).toBeCloseTo(25, 0)
    expect(limits[1]).toBeGreaterThan(32)
    expect(limits[2]).toBeGreaterThan(97)
  })

  test('if the device does not open, the parts that need it are left out', async () => {
    const closed = { finding: 'device', name: null, instructions: null, reason: 'no driver' } as const
    const parts = [part('a', node(''), { needsDevice: true }), part('b', node(''))]
    const { ends, findings } = await runAll(parts, { before: found => found.add(closed) })
    expect(ends).toEqual([
      ['a', 'left out', 'the device does not open'],
      ['b', 'ended', null],
    ])
    expect(faults(findings)).toEqual(['the device does not open: no driver'])
    expect(readFileSync(join(out, 'results.md'), 'utf8')).toContain('no driver')
  })

  test('an interrupt ends the current part, and the findings are written', async () => {
    const interrupt = new AbortController()
    setTimeout(() => interrupt.abort(), 300)
    const { ends } = await runAll(
      [part('hangs', node('setInterval(() => {}, 1000)')), part('never', node(''))],
      {
        signal: interrupt.signal,
      },
    )
    expect(ends).toEqual([['hangs', 'failed', 'exit SIGKILL']])
    for (const name of ['results.json', 'results.md', 'results.html'])
      expect(existsSync(join(out, name))).toBe(true)
  })
})

describe('findings', () => {
  test('incomplete lines are skipped, and the next line is complete', () => {
    const findings = new Findings(join(folder, 'torn.jsonl'))
    findings.add(epoch('packed-rnn', 4, 1))
    appendFileSync(findings.file, '{"finding":"epoch","wor')
    expect(findings.read()).toEqual([epoch('packed-rnn', 4, 1)])
    findings.add(epoch('packed-rnn', 4, 2))
    expect(findings.read()).toEqual([epoch('packed-rnn', 4, 1), epoch('packed-rnn', 4, 2)])
  })

  test('the time of an epoch is the median of complete epochs, or computed from the steps that ran', () => {
    const all = [
      epoch('packed-rnn', 4, 3, { javascript: 0.25 }),
      epoch('packed-rnn', 4, 1, { javascript: 0.75 }),
      epoch('packed-rnn', 4, 2),
      epoch('PyTorch packed', 2, 9),
      epoch('PyTorch padded', 4, 5),
      epoch('PyTorch padded', 0, null, { reason: 'failed: no answer' }),
      epoch('packed-rnn bucketed', 0, null, { reason: 'failed: wrong' }),
    ]
    expect(epochSummaries(all)).toMatchObject([
      { who: 'packed-rnn', seconds: 2, epochs: 3, javascript: 0.5, part: null, reason: null },
      { who: 'PyTorch packed', seconds: null, part: { steps: 2, of: 4, tokens: 20, seconds: 9 } },
      { who: 'PyTorch padded', seconds: 5, reason: null },
      { who: 'packed-rnn bucketed', seconds: null, part: null, reason: 'failed: wrong' },
    ])
    expect(faults(all)).toEqual(['A: packed-rnn bucketed: failed: wrong'])
  })

  const measured = points(['packed-rnn', 'PyTorch padded'])

  test('the Markdown has every number, and names the part during which the run ended', () => {
    const begun = {
      finding: 'part',
      part: 'steps',
      state: 'begun',
      seconds: 40,
      reason: null,
      output: null,
    } as const
    const late: Finding = {
      ...{ finding: 'point', H: 512, B: 64, T: 1024, who: 'packed-rnn', forward: null, backward: null },
      ...{ rounds: 0, reason: 'not run: the time was over' },
    }
    const data: Finding = { finding: 'data', documents: 5, tokens: 50, words: 9, about: 'invented' }
    const text = markdown([run, deviceFinding, ...measured, late, begun, data, epoch('packed-rnn', 4, 2)])
    expect(text).toContain('# cuda:0 (NVIDIA Nothing, tf32), 2026-11-29\n')
    expect(text).toContain('| 64 | 8 | 32 | 2.25 + 202 | 3.5 + 402 |')
    expect(text).toContain('packed-rnn: not run: the time was over (H·B·T): 512·64·1024.')
    expect(text).toContain('| steps | the run ended during this part | of 40 |')
    expect(text).toContain('| A | packed-rnn | 2 | median of 1 |')
    expect(pointTable([...measured, late]).shapes).toHaveLength(9)
  })

  test('the page has curves and bars with their numbers', () => {
    const text = devicePage([
      run,
      deviceFinding,
      ...measured,
      epoch('packed-rnn', 4, 2),
      epoch('<b>PyTorch', 4, 3),
    ])
    expect(text).toContain('Microseconds of a layer-step over T. packed-rnn, T 32: 297')
    expect(text).toContain('Seconds of an epoch. A, packed-rnn: 2 s')
    expect(text).not.toContain('><b>PyTorch')
    expect(text).toContain('2.25 + 202')
  })
})

describe('the float64 reference of a layer', () => {
  test('gradients match finite differences of the outputs', () => {
    const H = 3
    const lengths = [4, 2]
    const values = (count: number, by: number) =>
      Float64Array.from({ length: count }, (_, i) => Math.sin(by * (i + 1)))
    const weights = { wIh: values(36, 1), wHh: values(36, 2), bIh: values(12, 3), bHh: values(12, 4) }
    const [x, dOutput] = [values(18, 5), values(18, 6)]
    const loss = () =>
      referenceLayer(weights, H, lengths, x, dOutput).output.reduce((sum, y, i) => sum + y * dOutput[i]!, 0)
    const { dInput, wIh, wHh, bIh } = referenceLayer(weights, H, lengths, x, dOutput)
    for (const [array, gradient] of [
      [x, dInput],
      [weights.wIh, wIh],
      [weights.wHh, wHh],
      [weights.bIh, bIh],
    ] as const) {
      for (const [i, value] of array.entries()) {
        const [above, below] = [1e-5, -1e-5].map(step => {
          array[i] = value + step
          return loss()
        })
        array[i] = value
        expect(gradient[i]).toBeCloseTo((above! - below!) / 2e-5, 7)
      }
    }
  })

  test('each layer has its figures and the times of both passes', async () => {
    const cpu = device('cpu', { threads: 1 })
    const numbers = await numbersOn(cpu, 8, [3, 1])
    expect(Object.keys(numbers)).toEqual(['output', 'hN', 'cN', 'dInput', 'wIh', 'wHh', 'bIh'])
    const layer = new Layer(cpu, 8, [3, 1])
    const { forward, backward } = await layer.round(3)
    expect(Math.min(forward, backward)).toBeGreaterThan(0)
    layer.dispose()
  })
})

test('a missing Python is reported as the reason', async () => {
  vi.stubEnv('PYTHON', '/nowhere/python3')
  const torch = new Torch({ kind: 'cpu', precision: 'float32' })
  vi.unstubAllEnvs()
  const reason = 'PyTorch: its process ended: it did not start'
  expect(await torch.ready(10)).toEqual({ finding: 'torch', versions: null, reason })
  await torch.close()
})
