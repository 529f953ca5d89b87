// bench/gpu.js on the stand-in: what it does where a device does not open, and where one is lost.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Findings } from '../../src/bench/device/records.js'
import { pick } from '../../src/bench/device/summary.js'

const root = join(import.meta.dirname, '..', '..')
const library = join(root, 'build', 'host', 'libpacked_rnn_cuda_host.so')

describe.skipIf(process.env.PACKED_RNN_CUDA_LIBRARY !== library)('bench/gpu.js on the host', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'packed-rnn-gpu-'))
    for (const script of ['build:ts', 'build:gpu'])
      execFileSync('npm', ['run', '--silent', script], { cwd: root })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const node = (args: string[], fault: string) =>
    spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PACKED_RNN_STANDIN_FAULT: fault, PYTHON: '/nowhere/python3' },
    })

  it("writes why a device does not open, with the driver's message", () => {
    const out = join(folder, 'closed')
    const { status } = node(
      ['bench/gpu.js', '--seconds', '60', '--documents', '3', '--out', out],
      'no-driver',
    )
    expect(status).toBe(1)
    const found = new Findings(join(out, 'results.jsonl')).read()
    expect(pick(found, 'device')[0]!.reason).toMatch(/there is no NVIDIA driver on this machine/)
    const states = Object.fromEntries(pick(found, 'part').map(({ part, state }) => [part, state]))
    expect(states).toMatchObject({
      driver: 'failed',
      device: 'failed',
      steps: 'left out',
      'epochs A': 'left out',
    })
    expect(readFileSync(join(out, 'parts.log'), 'utf8')).toMatch(/^== driver\nERR_CUDA_NO_DRIVER: /)
    expect(readFileSync(join(out, 'results.md'), 'utf8')).toContain('there is no NVIDIA driver')
  })

  it('continues with the next test after a device was lost', () => {
    const file = join(folder, 'lost.jsonl')
    const { status, stdout } = node(['bench/gpu/shard.js', file, 'cuda', '1/120', '60'], 'lost:60')
    const found = new Findings(file).read()
    const [shard] = pick(found, 'suite')
    const failures = pick(found, 'test')
    expect(status, stdout).toBe(1)
    expect(shard!.processes).toBeGreaterThan(2)
    expect(shard!.passed).toBeGreaterThan(2)
    // One for each process but the last, which found nothing more to do or lost its device too.
    expect(failures.length).toBeGreaterThanOrEqual(shard!.processes - 1)
    for (const { reason } of failures) expect(reason).toContain('ERR_DEVICE_LOST')
    expect(shard).toMatchObject({ notRun: 0, cutOff: null })
    const names = failures.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
