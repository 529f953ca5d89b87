import { afterEach, describe, expect, test, vi } from 'vitest'
import { usableCores } from '../../src/cpuQuota.js'
import { cpuPrecisions, type DeviceOptions, device, devices, instructionSets } from '../../src/device.js'
import { linear } from '../../src/ops/linear.js'
import { Generator } from '../../src/random.js'
import { tensor } from '../../src/tensor.js'
import { ownDevice, thrownBy } from './own.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('the same kind and options return the same device', () => {
  expect(device('cpu', { threads: 2 })).toBe(device('cpu', { threads: 2 }))
  expect(device('cpu', { threads: 2 })).not.toBe(device('cpu', { threads: 1 }))
  expect(device('cpu', { threads: 2 })).not.toBe(device('cpu', { threads: 2, memoryLimit: 1 }))
  expect(device()).toBe(device('cpu', { threads: Math.min(usableCores(), 256), memoryLimit: 0 }))
})

test('a device has a kind, an ordinal, a name and threads', () => {
  const two = device('cpu', { threads: 2, memoryLimit: 1024 })
  expect(two).toMatchObject({ kind: 'cpu', threads: 2, name: 'cpu (2 threads, at most 1024 bytes)' })
  expect(two.memory()).toEqual({ held: 0, cached: 0 })
  expect(device('cpu', { threads: 1 }).name).toBe('cpu (1 thread)')
  expect(two).toMatchObject({ ordinal: 0, precision: 'float32' })
  const { threads, instructions } = device('cpu')
  expect(devices()).toContainEqual({
    kind: 'cpu',
    threads,
    instructions,
    precisions: expect.arrayContaining(['float32']),
    code: null,
    reason: null,
  })
})

test.each([0, 257, 1.5, -1, Number.NaN])('%d threads are rejected', threads => {
  const { code, message } = thrownBy(() => device('cpu', { threads }))
  expect(code).toBe('ERR_OUT_OF_RANGE')
  expect(message).toBe(`device: threads: wanted an integer from 1 to 256, got ${threads}`)
})

test('256 threads are accepted', async () => {
  const most = device('cpu', { threads: 256 })
  expect(await tensor([1], [1], { device: most }).item()).toBe(1)
})

test.each([-1, 0.5, Number.POSITIVE_INFINITY])('a memory limit of %d is rejected', memoryLimit => {
  expect(thrownBy(() => device('cpu', { memoryLimit }))).toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
    message: expect.stringContaining('device: memoryLimit: wanted an integer'),
  })
})

test('an unknown kind is rejected', () => {
  const { code, message } = thrownBy(() => device('tpu'))
  expect(code).toBe('ERR_INVALID_ARGUMENT')
  expect(message).toBe("device: kind: wanted 'cpu', 'cuda' or 'cuda:N', got tpu")
})

test.each(['cpu:0', 'cuda:', 'cuda:-1', 'cuda:x', 'CUDA', ''])('%j is rejected', kind => {
  expect(thrownBy(() => device(kind)).code).toBe('ERR_INVALID_ARGUMENT')
})

// At the door, before anything is opened: whether there is such a device plays no part.
test.each<[string, DeviceOptions, string]>([
  ['cpu', { precision: 'tf32' }, 'precision: wanted float32 or bfloat16 on cpu, got tf32'],
  ['cpu', { path: 'stepwise' }, 'path: wanted auto on cpu, got stepwise'],
  ['cuda', { threads: 2 }, 'threads: wanted no threads on cuda, got 2'],
  [
    'cuda:1',
    { precision: JSON.parse('"fp8"') },
    'precision: wanted float32 or tf32 or bfloat16 on cuda, got fp8',
  ],
  ['cuda', { path: JSON.parse('"resident"') }, 'path: wanted auto or stepwise on cuda, got resident'],
])('%s with %j', (kind, options, message) => {
  expect(thrownBy(() => device(kind, options))).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: `device: ${message}`,
  })
})

test('PACKED_RNN_DEVICE selects the kind if the caller names none', () => {
  vi.stubEnv('PACKED_RNN_DEVICE', 'cpu')
  expect(device().kind).toBe('cpu')
  vi.stubEnv('PACKED_RNN_DEVICE', 'tpu')
  expect(thrownBy(() => device())).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: "device: PACKED_RNN_DEVICE: wanted 'cpu', 'cuda' or 'cuda:N', got tpu",
  })
  expect(device('cpu').kind).toBe('cpu')
})

// The variable is read when a device is opened for the first time, and each test opens a new one.
describe('PACKED_RNN_CPU', () => {
  const generator = new Generator(1)
  const draw = (size: number) => Float32Array.from({ length: size }, () => generator.uniform())
  const [x, weight] = [draw(5 * 37), draw(19 * 37)]
  const product = (on = ownDevice()) => {
    const options = { device: on }
    return linear(tensor(x, [5, 37], options), tensor(weight, [19, 37], options)).toArray()
  }

  test('portable works on every CPU', async () => {
    vi.stubEnv('PACKED_RNN_CPU', 'portable')
    const portable = ownDevice()
    expect(portable.instructions).toBe('portable')
    vi.unstubAllEnvs()
    const [values, expected] = await Promise.all([product(portable), product()])
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5)
    })
  })

  test.each(['avx2', 'avx512', 'amx'])('%s is used, or rejected if this CPU lacks it', async name => {
    vi.stubEnv('PACKED_RNN_CPU', name)
    let forced = null
    try {
      forced = ownDevice()
    } catch (error) {
      expect(error).toMatchObject({
        code: 'ERR_DEVICE_UNAVAILABLE',
        message: expect.stringMatching(`^PACKED_RNN_CPU: (this CPU has no ${name}|wanted .* got ${name})$`),
      })
      return
    }
    expect(forced.instructions).toBe(name)
    vi.unstubAllEnvs()
    const [values, expected] = await Promise.all([product(forced), product()])
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5)
    })
  })

  test.skipIf(!cpuPrecisions().includes('bfloat16'))(
    'bfloat16 takes AMX if the CPU has it, and no other set does',
    () => {
      const sets = instructionSets()
      expect(device('cpu', { precision: 'bfloat16', memoryLimit: 2345 }).instructions).toBe(
        sets.includes('amx') ? 'amx' : 'avx512',
      )
      expect(sets.at(-1)).toBe('portable')
      vi.stubEnv('PACKED_RNN_CPU', 'avx512')
      expect(device('cpu', { precision: 'bfloat16', memoryLimit: 3456 }).instructions).toBe('avx512')
    },
  )

  test.each(['portable', 'avx2'])('%s has no bfloat16, and the error says so', name => {
    vi.stubEnv('PACKED_RNN_CPU', name)
    expect(thrownBy(() => device('cpu', { precision: 'bfloat16', memoryLimit: 1234 }))).toMatchObject({
      code: 'ERR_DEVICE_UNAVAILABLE',
      message: expect.stringMatching(
        /^(precision: wanted float32, as PACKED_RNN_CPU is|PACKED_RNN_CPU: this CPU has no) /,
      ),
    })
    const found = devices().find(({ kind }) => kind === 'cpu')
    expect(found).not.toMatchObject({ precisions: expect.arrayContaining(['bfloat16']) })
  })

  test('an unknown name is rejected, and open devices keep working', () => {
    const open = ownDevice()
    vi.stubEnv('PACKED_RNN_CPU', 'mmx')
    expect(thrownBy(() => ownDevice())).toMatchObject({
      code: 'ERR_DEVICE_UNAVAILABLE',
      message: 'PACKED_RNN_CPU: wanted amx, avx512, avx2 or portable, got mmx',
    })
    expect(open.instructions).not.toBe('mmx')
  })
})
