import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Finding, Findings } from '../../src/bench/device/records.js'
import { pick } from '../../src/bench/device/summary.js'
import { long } from '../reliability/length.js'
import { expect as plainExpect } from './expect.js'
import { vi as plainVi } from './vitest.js'

/** The runner for machines without vitest decides as vitest does. */

const error = (message: string) => () => {
  throw new TypeError(message)
}

/** [matcher, value, what it is compared with]: in each group some that hold and some that do not. */
const cases: [string, unknown, ...unknown[]][] = [
  ['toBe', 1, 1],
  ['toBe', 0, -0],
  ['toBe', NaN, NaN],
  ['toBe', [1], [1]],
  ['toEqual', [1, [2]], [1, [2]]],
  ['toEqual', [1, 2], [1]],
  ['toEqual', [0], [-0]],
  ['toEqual', [NaN], [NaN]],
  ['toEqual', { a: 1, b: undefined }, { a: 1 }],
  ['toEqual', { a: 1, b: 2 }, { a: 1 }],
  ['toEqual', { a: 1 }, { a: 1, b: null }],
  ['toEqual', [], {}],
  ['toEqual', null, undefined],
  ['toEqual', Float32Array.of(1, NaN), Float32Array.of(1, NaN)],
  ['toEqual', Float32Array.of(1), Float32Array.of(2)],
  ['toEqual', Float32Array.of(1), Float64Array.of(1)],
  ['toEqual', Float32Array.of(1), [1]],
  ['toEqual', Float32Array.of(0), Float32Array.of(-0)],
  ['toEqual', new Map([['a', Float32Array.of(1)]]), new Map([['a', Float32Array.of(1)]])],
  ['toEqual', new Map([['a', { b: 1 }]]), new Map([['a', { b: 2 }]])],
  ['toEqual', new Map([['a', 1]]), new Map([['b', 1]])],
  ['toEqual', new Set([1, 2]), new Set([1, 2])],
  ['toEqual', new Set([1, 2]), new Set([1, 3])],
  ['toEqual', new Error('a'), new Error('a')],
  ['toEqual', new Error('a'), new Error('b')],
  ['toMatchObject', { a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }],
  ['toMatchObject', { a: 1 }, { b: 1 }],
  ['toMatchObject', { a: [1, 2] }, { a: [1] }],
  ['toMatchObject', { a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }],
  ['toMatchObject', Object.assign(new Error('m'), { code: 'X' }), { code: 'X', message: 'm' }],
  ['toMatchObject', Object.assign(new Error('m'), { code: 'X' }), { code: 'Y' }],
  ['toBeNaN', NaN],
  ['toBeNaN', undefined],
  ['toBeNull', null],
  ['toBeNull', undefined],
  ['toBeUndefined', undefined],
  ['toBeDefined', null],
  ['toBeTruthy', 'a'],
  ['toBeFalsy', 0],
  ['toBeInstanceOf', new TypeError('a'), Error],
  ['toBeInstanceOf', [], Map],
  ['toBeLessThan', 1, 2],
  ['toBeLessThan', 2, 2],
  ['toBeLessThan', NaN, 2],
  ['toBeLessThanOrEqual', 2, 2],
  ['toBeLessThanOrEqual', NaN, 2],
  ['toBeGreaterThan', 2, 2],
  ['toBeGreaterThanOrEqual', 2, 2],
  ['toBeCloseTo', 1.004, 1],
  ['toBeCloseTo', 1.006, 1],
  ['toBeCloseTo', 1.0000004, 1, 6],
  ['toBeCloseTo', 1.0000006, 1, 6],
  ['toHaveLength', [1, 2], 2],
  ['toHaveLength', 'ab', 1],
  ['toContain', 'abc', 'b'],
  ['toContain', [1, 2], 3],
  ['toMatch', 'abc', /b./],
  ['toMatch', 'abc', 'd'],
  ['toHaveProperty', { 'a.b': 1 }, ['a.b']],
  ['toHaveProperty', { a: { b: undefined } }, 'a.b'],
  ['toHaveProperty', { a: 1 }, 'b'],
  ['toThrow', error('some words')],
  ['toThrow', () => 1],
  ['toThrow', error('some words'), 'words'],
  ['toThrow', error('some words'), 'word$'],
  ['toThrow', error('some words'), /words$/],
  ['toThrow', error('some words'), TypeError],
  ['toThrow', error('some words'), RangeError],
]

function decides(expectation: unknown, matcher: string, wanted: unknown[]): boolean {
  try {
    ;(expectation as Record<string, (...args: unknown[]) => void>)[matcher]!(...wanted)
    return true
  } catch {
    return false
  }
}

describe('the plain expect', () => {
  test.each(cases)('%s agrees with vitest: %o %o', (matcher, actual, ...wanted) => {
    expect(decides(plainExpect(actual), matcher, wanted)).toBe(decides(expect(actual), matcher, wanted))
    expect(decides(plainExpect(actual).not, matcher, wanted)).toBe(
      decides(expect(actual).not, matcher, wanted),
    )
  })

  test('promises', async () => {
    const rejecting = () => Promise.reject(Object.assign(new Error('some words'), { code: 'X' }))
    await plainExpect(rejecting()).rejects.toMatchObject!({ code: 'X' })
    await plainExpect(rejecting()).rejects.toThrow!('words')
    await plainExpect(Promise.resolve(1)).resolves.toBe!(1)
    await expect(plainExpect(rejecting()).rejects.toThrow!('other')).rejects.toThrow('toThrow')
    await expect(plainExpect(Promise.resolve(1)).rejects.toBe!(1)).rejects.toThrow('it resolved to 1')
  })

  test('the message names the comparison', () => {
    expect(() => plainExpect(1, 'how many').toBe!(2)).toThrow('how many: toBe(2): got 1')
    expect(() => plainExpect.unreachable('nobody')).toThrow('nobody')
  })

  test('spies', () => {
    const owner = { call: (x: number) => x + 1 }
    for (const spyOn of [vi.spyOn, plainVi.spyOn] as (typeof plainVi.spyOn)[]) {
      const spy = spyOn(owner as never, 'call').mockImplementation(() => 7)
      expect(owner.call(1)).toBe(7)
      plainExpect(spy).toHaveBeenCalledExactlyOnceWith!(1)
      expect(() => plainExpect(spy).toHaveBeenCalledExactlyOnceWith!(2)).toThrow()
      spy.mockRestore()
      expect(owner.call(1)).toBe(2)
    }
  })
})

const root = fileURLToPath(new URL('../..', import.meta.url))

// All tests below read build/gpu.
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build-gpu.js'], { cwd: root })
}, 180_000)

describe('the device suite in plain Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-plain-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const run = (...args: string[]) => {
    const json = join(folder, 'result.json')
    const command = ['--expose-gc', 'test/plain/run.js', '--json', json, ...args]
    const { status, stdout } = spawnSync(process.execPath, command, {
      cwd: join(root, 'build/gpu'),
      encoding: 'utf8',
    })
    return { status, stdout, result: JSON.parse(readFileSync(json, 'utf8')) }
  }

  test('finds as many tests as vitest, and passes every eleventh', () => {
    const vitest = ['node_modules/vitest/vitest.mjs', 'list', 'test/cpu.test.ts']
    const listed = execFileSync(process.execPath, vitest, { cwd: root, encoding: 'utf8' })
    const { result, stdout } = run('--shard', '1/11', 'cpu.test.js')
    expect(result, stdout).toMatchObject({ failed: 0, skipped: 0, notRun: 0 })
    expect(result.found).toBe(listed.trimEnd().split('\n').length)
    expect(result.passed).toBe(Math.ceil(result.found / 11))
  })

  test('a failure is reported with its test, and the exit code is 1', () => {
    const { status, stdout, result } = run('plain/fails.js')
    expect(status).toBe(1)
    expect(result).toMatchObject({ passed: 2, failed: 4, skipped: 2 })
    expect(stdout).toContain('failed: a group > 1 is 2\n')
    expect(stdout).toContain('one: toBe(2): got 1')
    expect(stdout).toContain('failed: a group > a promise without an await')
    expect(stdout).toContain('took more than 20 ms')
    expect(stdout).toContain('skipped: 1: for a reason\n')
  })

  test('a file that cannot be read ends the run', () => {
    const command = ['test/plain/run.js', 'plain/nothing.js']
    const { status, stderr } = spawnSync(process.execPath, command, {
      cwd: join(root, 'build/gpu'),
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toContain('ERR_MODULE_NOT_FOUND')
  })

  test('part of the suite', () => {
    expect(run('--filter', 'promise|in a group', 'plain/fails.js').result).toMatchObject({
      passed: 1,
      failed: 1,
    })
    expect(run('--shard', '1/3', 'plain/fails.js').result).toMatchObject({ passed: 1, failed: 1, skipped: 1 })
    const late = run('--seconds', '0', 'plain/fails.js')
    expect(late).toMatchObject({ status: 1, result: { passed: 0, notRun: 8 } })
  })
})

// In this file because it needs build/gpu, too.
describe('bench/gpu.js', () => {
  const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-gpu-'))
  // The part of a killed run may still write its last line.
  afterAll(() => rmSync(folder, { recursive: true, maxRetries: 40, retryDelay: 100 }))
  const options = ['bench/gpu.js', '--device', 'cpu', '--documents', '3']
  // No other Python: PyTorch takes longer than all of this.
  const env = { ...process.env, PYTHON: '/nowhere/python3' }
  const findingsIn = (out: string) => new Findings(join(out, 'results.jsonl')).read()

  test('measures what the CPU supports, and reports why the rest is missing', () => {
    const whole = (seconds: number) => {
      const out = join(folder, `whole-${seconds}`)
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [...options, '--seconds', String(seconds), '--out', out],
        { cwd: root, env, encoding: 'utf8' },
      )
      expect(status, stdout + stderr).toBe(0)
      return { out, found: findingsIn(out) }
    }
    const epochsOf = (found: Finding[]) => pick(found, 'epoch').filter(({ seconds }) => seconds !== null)
    const pointsOf = (found: Finding[]) => pick(found, 'point').filter(({ forward }) => forward !== null)
    // On a slow or busy machine a part may be cut off before its first result: it has two seconds.
    const short = whole(36)
    const enough =
      pick(short.found, 'suite').length === 4 &&
      epochsOf(short.found).length >= 3 &&
      pointsOf(short.found).length > 0
    const { out, found } = enough ? short : whole(108)
    expect(pick(found, 'device')).toMatchObject([{ name: expect.stringMatching(/^cpu /), reason: null }])
    const shards = pick(found, 'suite')
    expect(shards.map(({ shard }) => shard)).toEqual(['1/4', '2/4', '3/4', '4/4'])
    for (const { passed } of shards) expect(passed).toBeGreaterThan(0)
    expect(pick(found, 'test')).toEqual([])
    for (const { error } of pick(found, 'check')) expect(error).toBeLessThan(1e-5)
    expect(new Set(epochsOf(found).map(({ workload }) => workload))).toEqual(new Set(['A', 'B', 'C']))
    const points = pointsOf(found)
    expect(points.length).toBeGreaterThan(0)
    for (const { forward, backward } of points) expect(Math.min(forward!, backward!)).toBeGreaterThan(0)
    const text = readFileSync(join(out, 'results.md'), 'utf8')
    expect(text).toContain('| memcheck | it is for CUDA |')
    expect(text).toContain('| PyTorch | PyTorch: its process ended: it did not start |')
    expect(readFileSync(join(out, 'results.html'), 'utf8')).toContain('Seconds of an epoch')
  })

  // Each waits for limits in seconds, so the long form runs them together; no measured time is checked here.
  const parts = ['suite 2 of 4', ...(long ? ['device', 'epochs A', 'epochs B', 'steps'] : [])]
  test.concurrent.each(parts)('killed in %s: earlier measurements are kept', async part => {
    const out = join(folder, `killed-${part}`)
    const child = spawn(process.execPath, [...options, '--seconds', '28', '--out', out], {
      ...{ cwd: root, env, stdio: 'ignore' },
    })
    const begun = () =>
      existsSync(join(out, 'results.jsonl')) &&
      pick(findingsIn(out), 'part').some(each => each.part === part && each.state === 'begun')
    await vi.waitUntil(begun, { timeout: 120_000, interval: 20 })
    const before = findingsIn(out)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const found = findingsIn(out)
    expect(found.slice(0, before.length)).toEqual(before)
    const state = (name: string) => pick(found, 'part').findLast(each => each.part === name)?.state
    expect(state(part)).toBe('begun')
    const parts = pick(found, 'run')[0]!.parts
    // Each part before it has ended, by itself or at its limit.
    const earlier = parts.slice(0, parts.indexOf(part)).filter(name => name !== 'driver')
    for (const name of earlier) expect(['ended', 'cut off'], name).toContain(state(name))
    execFileSync(process.execPath, ['bench/gpu.js', '--report', out], { cwd: root })
    expect(readFileSync(join(out, 'results.md'), 'utf8')).toContain(
      `| ${part} | the run ended during this part |`,
    )
  })
})
