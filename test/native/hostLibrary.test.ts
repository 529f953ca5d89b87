// The CUDA backend on devices that the stand-in claims to be: what there is not, what is too old, what is too small, and
// other architectures than the suite's. npm run test:cuda-on-host builds what this runs.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { device } from '../../src/device.js'
import { add, scale, tanh } from '../../src/ops/elementwise.js'
import { tensor } from '../../src/tensor.js'

const build = join(import.meta.dirname, '..', '..', 'build', 'host')
const library = join(build, 'libpacked_rnn_cuda_host.so')

/** Runs the cases of the driver whose name has that part. */
function drive(part: string, device: Readonly<Record<string, string>>) {
  const options = { env: { ...process.env, ...device } }
  return new Promise<{ code: number; stdout: string; stderr: string }>(resolve => {
    execFile(join(build, 'driver'), [library, part], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

describe.skipIf(process.env.PACKED_RNN_CUDA_LIBRARY !== library)('the CUDA backend on the host', () => {
  it.each([
    ['no driver', 'no-driver', /^ERR_CUDA_NO_DRIVER: there is no NVIDIA driver on this machine$/m],
    [
      'an old driver',
      'old-driver',
      /^ERR_CUDA_DRIVER_TOO_OLD: .* is for CUDA 11\.4, and CUDA 13\.0 is needed$/m,
    ],
    ['no device', 'no-device', /^ERR_CUDA_NO_DEVICE: the NVIDIA driver shows no device$/m],
  ])('%s is reported as the reason', async (_, fault, reason) => {
    const { code, stderr } = await drive('fill', { PACKED_RNN_STANDIN_FAULT: fault })
    expect(code).toBe(2)
    expect(stderr).toMatch(reason)
  })

  it('an old device is reported as the reason', async () => {
    const { code, stderr } = await drive('fill', { PACKED_RNN_STANDIN_ARCH: '70' })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^ERR_CUDA_DEVICE_TOO_OLD: .*compute capability 7\.0, and 7\.5 is needed$/m)
  })

  it('a device without code in the library is rejected when it is opened', async () => {
    const { code, stderr } = await drive('fill', { PACKED_RNN_STANDIN_FAULT: 'no-image' })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^ERR_CUDA_DEVICE_UNSUPPORTED: the CUDA library has no code for device 0 \(stand-in for sm_90, compute capability 9\.0\): no kernel image/m,
    )
  })

  it('a lost device is reported as lost', async () => {
    const { code, stderr } = await drive('matmul', { PACKED_RNN_STANDIN_FAULT: 'lost:3' })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/ERR_DEVICE_LOST: .*an illegal memory access was encountered/)
  })

  it.each([
    [715, 'an illegal instruction was encountered'],
    [717, 'operation not supported on global/shared address space'],
    [718, 'invalid program counter'],
    [999, 'unknown error'],
  ])('error %i is reported as a lost device', async (code, reason) => {
    const { stderr } = await drive('matmul', { PACKED_RNN_STANDIN_FAULT: `lost:3:${code}` })
    expect(stderr).toMatch(new RegExp(`ERR_DEVICE_LOST: .*${reason}`))
  })

  it('the error of a lost device names the ops since the last wait', async () => {
    // 22 kernels: one that is waited for, and 21 that run when the host waits the next time.
    vi.stubEnv('PACKED_RNN_STANDIN_FAULT', 'lost:22')
    const x = tensor(new Float32Array(6), [2, 3], { device: device('cuda') })
    vi.unstubAllEnvs() // the library in this process has read it; the driver's must not
    await scale(x, 2).toArray()
    let y = x
    for (let i = 0; i < 20; i++) y = tanh(y)
    const ops = String.raw`launched since the last wait: 5 ops, (elementwise\(.*?\)(, |$)){16}$`
    await expect(add(y, y).toArray()).rejects.toThrow(new RegExp(`^toArray.*illegal memory access.*; ${ops}`))
  })

  it('a device without memory is reported as such', async () => {
    const { code, stderr } = await drive('matmul', { PACKED_RNN_STANDIN_MEMORY: '20000' })
    expect(code).toBe(1)
    expect(stderr).toMatch(/ERR_OUT_OF_MEMORY: wanted \d+ bytes, \d+ are held/)
  })

  // 75 has no tensor cores for these numbers, 86 and 120 have less shared memory than the suite's 90.
  it.each(['75', '80', '86', '120'])('every op runs on sm_%s', async architecture => {
    const { code, stdout, stderr } = await drive('', { PACKED_RNN_STANDIN_ARCH: architecture })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/, 0 failed$/m)
  })
})
