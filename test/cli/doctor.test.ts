import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeTimes } from '../../src/cli/precisionSpeed.js'
import type { CpuListing, CudaListing } from '../../src/device.js'
import { cli } from './command.js'

type Listing = CpuListing | CudaListing

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-doctor-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('doctor', () => {
  test('prints versions, the addon, instruction sets and devices', async () => {
    const { code, stdout, stderr } = await cli(['doctor'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(stdout).toMatch(new RegExp(`^packed-rnn +${version}\\n`))
    expect(stdout).toContain(`${process.version}, Node-API ${process.versions.napi}\n`)
    expect(stdout).toMatch(/\naddon +\S+\.node\n/)
    expect(stdout).toMatch(/\ntried +\S+\.node: loaded\n/)
    expect(stdout).toMatch(/\nCPU supports +(\w+, )*portable\n/)
    expect(stdout).toMatch(/\ndevice cpu +\d+ threads?, float32( or bfloat16)?\n/)
  })

  test('measures float32 and bfloat16 where the CPU has both', async () => {
    const [text, json] = await Promise.all([cli(['doctor']), cli(['doctor', '--json'])])
    const { devices, precisions } = JSON.parse(json.stdout)
    const has = devices.some((each: Listing) => each.kind === 'cpu' && each.precisions.includes('bfloat16'))
    const row =
      /\nCPU precisions +(bfloat16 is \d+\.\d\d times as fast as float32|float32 is \d+\.\d\d times as fast as bfloat16|float32 and bfloat16 are equally fast): .* \d+\.\d ms in float32, \d+\.\d ms in bfloat16\n/
    expect(row.test(text.stdout)).toBe(has)
    if (!has) expect(precisions).toBeNull()
    else
      expect(precisions).toEqual({
        float32: expect.any(Number),
        bfloat16: expect.any(Number),
        summary: expect.any(String),
        products: {
          float32: { instructions: expect.any(String), gflops: expect.any(Number) },
          bfloat16: { instructions: expect.stringMatching(/^(amx|avx512)$/), gflops: expect.any(Number) },
          summary: expect.any(String),
        },
      })
    const products =
      /\n +float32 products [1-9]\d* GFLOP\/s on \w+, bfloat16 products [1-9]\d* GFLOP\/s on (amx|avx512)\n/
    expect(products.test(text.stdout)).toBe(has)
  })

  test.each([
    [{ float32: 30, bfloat16: 20 }, 'bfloat16 is 1.50 times as fast as float32'],
    [{ float32: 20, bfloat16: 25 }, 'float32 is 1.25 times as fast as bfloat16'],
    [{ float32: 20, bfloat16: 20.5 }, 'float32 and bfloat16 are equally fast'],
  ])('says which precision is faster: %o', (times, verdict) => {
    const numbers = `${times.float32.toFixed(1)} ms in float32, ${times.bfloat16.toFixed(1)} ms in bfloat16`
    expect(describeTimes(times)).toBe(`${verdict}: a training pass of an LSTM of 128 units takes ${numbers}`)
  })

  test('--json, with an instruction set forced', async () => {
    const { code, stdout } = await cli(['doctor', '--json'], { env: { PACKED_RNN_CPU: 'portable' } })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      platform: `${process.platform}-${process.arch}`,
      addon: { file: expect.stringMatching(/\.node$/), reason: null },
      instructionSets: {
        supported: expect.arrayContaining(['portable']),
        used: 'portable',
        forced: 'portable',
      },
      precisions: null,
      devices: expect.arrayContaining([
        expect.objectContaining({ kind: 'cpu', threads: expect.any(Number), reason: null }),
      ]),
    })
  })

  test('says why a device does not open', async () => {
    const { stdout } = await cli(['doctor'], { env: { PACKED_RNN_CPU: 'mmx' } })
    expect(stdout).toMatch(/\nPACKED_RNN_CPU +forces mmx\n/)
    expect(stdout).toMatch(
      /\ndevice cpu +does not open: PACKED_RNN_CPU: wanted amx, avx512, avx2 or portable, got mmx\n/,
    )
  })

  test.each([
    [
      'is missing',
      false,
      /^packed-rnn has no native addon for \w+-\w+: compile it with `npx packed-rnn build`/,
    ],
    ['is broken', true, /^packed-rnn cannot load its native addon: .*addon\.node.*: compile it with `npx/],
  ])('exits with 1 and a sentence where the addon %s', async (name, broken, reason) => {
    await mkdir(at(`${name}/build/Release`), { recursive: true })
    if (broken) await writeFile(at(`${name}/build/Release/addon.node`), 'no library')
    const env = { PACKED_RNN_PREBUILD: at(name) }
    const { code, stdout, stderr } = await cli(['doctor', '--json'], { env })
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const { addon, devices } = JSON.parse(stdout)
    expect(addon.reason).toMatch(reason)
    expect(addon.reason).not.toContain('\n')
    const release = at(`${name}/build/Release`)
    const [first, ...others] = addon.attempts
    const broke = { path: join(release, 'addon.node'), result: addon.reason }
    expect(first).toEqual(broken ? broke : { path: release, result: 'no addon there' })
    expect(others.length, 'a file that is there is the last that is tried').toBe(broken ? 0 : 3)
    expect(devices).toEqual([])
    expect((await cli(['doctor'], { env })).stdout).toContain(`does not load: ${addon.reason}\n`)
    const trained = await cli(['train'], { env })
    expect(trained).toEqual({ code: 1, stdout: '', stderr: `packed-rnn train: ${addon.reason}\n` })
    await writeFile(at('articles.csv'), 'Web;Der Krull glöste.\n')
    expect((await cli(['inspect', '--train', at('articles.csv')], { env })).code).toBe(0)
  })
})
