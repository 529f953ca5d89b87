import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addonFile } from '../../src/addon.js'
import { cli } from '../cli/command.js'

/**
 * How the CUDA library is found, and the errors if it does not open. The libraries here are fakes; processes are
 * children, since a library is opened once a process and named by the environment.
 */

const run = promisify(execFile)
const root = new URL('../../', import.meta.url)
const inRoot = (path: string) => fileURLToPath(new URL(path, root))

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-cuda-'))
  await writeFile(at('text.so'), 'no library')
  await writeFile(at('empty.cpp'), '')
  const shared = ['-shared', '-fPIC', '-fvisibility=hidden', '-std=c++20']
  await run('g++', [...shared, at('empty.cpp'), '-o', at('other.so')])
  // As CMake does for the libraries that belong together.
  const stamp = createHash('sha256').update(await readFile(inRoot('native/backend.h')))
  const headers = (await readdir(inRoot('native/ops'))).filter(name => name.endsWith('.h'))
  for (const name of headers.sort()) stamp.update(await readFile(inRoot(`native/ops/${name}`)))
  const defined = `-DPACKED_RNN_STAMP="${stamp.digest('hex')}"`
  const source = inRoot('test/device/fake_cuda.cpp')
  await run('g++', [...shared, '-I', inRoot('native'), defined, source, '-o', at('fake.so')])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Environment = Record<string, string>

/**
 * An environment that says nothing of devices but what is given. The portable instruction set has no bfloat16,
 * so `doctor` does not measure for a second how fast that is.
 */
function environment(given: Environment): Environment {
  return { PACKED_RNN_DEVICE: '', PACKED_RNN_CUDA_LIBRARY: '', PACKED_RNN_CPU: 'portable', ...given }
}

/** The JSON of what `body` returns, in a separate process. */
async function child(body: string, given: Environment) {
  const source = `
    const { device, devices, PackedRnnError } = await import(${JSON.stringify(new URL('dist/index.js', root).href)})
    const errorOf = fn => {
      try { fn() } catch (error) {
        if (error instanceof PackedRnnError) return { code: error.code, message: error.message }
        throw error
      }
    }
    const found = (() => { ${body} })()
    console.log(JSON.stringify(found))`
  const options = { env: { ...process.env, ...environment(given) } }
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], options)
  return JSON.parse(stdout)
}

const ALL = `return { error: errorOf(() => device('cuda')), devices: devices(), best: device().kind }`

/** The folder of an addon beside which there is what the test puts there. */
async function addonIn(name: string): Promise<{ release: string; env: Environment }> {
  const release = at(`${name}/build/Release`)
  await mkdir(release, { recursive: true })
  await copyFile(addonFile(), join(release, 'addon.node'))
  return { release, env: { PACKED_RNN_PREBUILD: at(name) } }
}

describe('CUDA is unavailable because', () => {
  const named = (file: string) => () => ({ PACKED_RNN_CUDA_LIBRARY: at(file) })
  const fake = (fault: string) => () => ({ PACKED_RNN_CUDA_LIBRARY: at('fake.so'), FAKE_CUDA: fault })
  const cases: [string, () => Environment | Promise<Environment>, string, RegExp][] = [
    [
      'there is no library beside the addon',
      async () => (await addonIn('alone')).env,
      'ERR_CUDA_NO_LIBRARY',
      /^there is no CUDA library \S+alone\/build\/Release\/libpacked_rnn_cuda\.so: run `npm run build:cuda`/,
    ],
    [
      'there is none where the variable says',
      named('none.so'),
      'ERR_CUDA_NO_LIBRARY',
      /^PACKED_RNN_CUDA_LIBRARY: wanted a file, got \S+none\.so, where there is none$/,
    ],
    [
      'the file is no library',
      named('text.so'),
      'ERR_CUDA_NO_LIBRARY',
      /^the CUDA library \S+text\.so does not load: \w/,
    ],
    ['it is another one', named('other.so'), 'ERR_CUDA_NO_LIBRARY', /other\.so is a library, and none of/],
    [
      'its stamp is another',
      fake('wrong-stamp'),
      'ERR_CUDA_WRONG_STAMP',
      /fake\.so and the addon were built/,
    ],
    ['there is no driver', fake('no-driver'), 'ERR_CUDA_NO_DRIVER', /^this machine has no driver$/],
    ['the driver is too old', fake('old-driver'), 'ERR_CUDA_DRIVER_TOO_OLD', /^the driver is of yesterday$/],
    ['there is no device', fake('no-device'), 'ERR_CUDA_NO_DEVICE', /^the driver finds no device$/],
    ['the device is too old', fake('old-device'), 'ERR_CUDA_DEVICE_TOO_OLD', /^the device is of the last/],
  ]
  test.each(cases)('%s', async (_, environmentOf, code, reason) => {
    const env = await environmentOf()
    const { error, devices, best } = await child(ALL, env)
    expect(error).toEqual({ code, message: expect.stringMatching(reason) })
    expect(error.message).not.toContain('\n')
    expect(best).toBe('cpu')
    expect(devices).toEqual([
      {
        kind: 'cpu',
        threads: expect.any(Number),
        instructions: expect.any(String),
        precisions: expect.arrayContaining(['float32']),
        code: null,
        reason: null,
      },
      {
        kind: 'cuda',
        ordinal: code === 'ERR_CUDA_DEVICE_TOO_OLD' ? 0 : null,
        name: null,
        computeCapability: null,
        memoryBytes: null,
        code,
        reason: error.message,
      },
    ])
    const doctor = await cli(['doctor'], { env: environment(env) })
    expect(doctor).toMatchObject({ code: 0, stderr: '' })
    expect(doctor.stdout).toMatch(/\ndevice cpu +\d+ threads?, float32.*\ndevice cuda(:0)? +does not open: /)
    expect(doctor.stdout).toContain(`does not open: ${error.message}\n`)
    const trained = await cli(['train', '--device', 'cuda'], { env: environment(env) })
    expect(trained).toEqual({ code: 1, stdout: '', stderr: `packed-rnn train: ${error.message}\n` })
  })
})

describe('CUDA is available', () => {
  test.each(['named by the variable', 'beside the addon'])('%s', async place => {
    const env: Environment = { FAKE_CUDA: 'old-first', PACKED_RNN_CUDA_LIBRARY: at('fake.so') }
    if (place === 'beside the addon') {
      const beside = await addonIn('both')
      await copyFile(at('fake.so'), join(beside.release, 'libpacked_rnn_cuda.so'))
      Object.assign(env, beside.env, { PACKED_RNN_CUDA_LIBRARY: '' })
    }
    const good = {
      kind: 'cuda',
      ordinal: 1,
      name: 'Fake 1',
      computeCapability: '9.0',
      memoryBytes: 80 * 2 ** 30,
    }
    const { devices } = await child(ALL, env)
    expect(devices).toMatchObject([
      { ...good, code: null, reason: null },
      { kind: 'cpu' },
      { kind: 'cuda', ordinal: 0, name: null, code: 'ERR_CUDA_DEVICE_TOO_OLD' },
    ])
    const { stdout } = await cli(['doctor'], { env: environment(env) })
    expect(stdout).toMatch(/\nCUDA library +\S+\.so\n/)
    expect(stdout).toMatch(/\ndevice cuda:1 +Fake 1, compute capability 9\.0, 80\.0 GiB\ndevice cpu /)
    expect(stdout).toMatch(/\ndevice cuda:0 +does not open: the device is of the last century\n/)
    const json = JSON.parse((await cli(['doctor', '--json'], { env: environment(env) })).stdout)
    expect(json).toMatchObject({ devices, cuda: { library: expect.stringMatching(/\.so$/) } })
  })

  test('a relative path of the library starts at the current directory', async () => {
    const env = { ...process.env, ...environment({ PACKED_RNN_CUDA_LIBRARY: 'fake.so' }) }
    const { stdout } = await run(process.execPath, [inRoot('dist/cli/main.js'), 'doctor'], {
      env,
      cwd: folder,
    })
    expect(stdout).toMatch(/\nCUDA library +\/\S+fake\.so\n/)
  })

  test('an ordinal without a device is an error', async () => {
    const env = { PACKED_RNN_CUDA_LIBRARY: at('fake.so') }
    const body = `return ['cuda:2', 'cuda:9999'].map(kind => errorOf(() => device(kind)))`
    expect(await child(body, env)).toEqual([
      { code: 'ERR_OUT_OF_RANGE', message: 'device: wanted cuda:0 to cuda:1, got cuda:2' },
      { code: 'ERR_OUT_OF_RANGE', message: 'device: wanted cuda:0 to cuda:1, got cuda:9999' },
    ])
  })

  test('if the device does not open, device("cuda") throws, and the default device is the CPU', async () => {
    const { error, best } = await child(ALL, { PACKED_RNN_CUDA_LIBRARY: at('fake.so') })
    expect(error).toEqual({ code: 'ERR_OUT_OF_MEMORY', message: 'a fake holds nothing' })
    expect(best).toBe('cpu')
  })

  test('PACKED_RNN_DEVICE selects it if the program names no device', async () => {
    const env = { PACKED_RNN_CUDA_LIBRARY: at('fake.so'), PACKED_RNN_DEVICE: 'cuda:1' }
    const found = await child('return { error: errorOf(() => device()), cpu: device("cpu").kind }', env)
    expect(found).toMatchObject({ error: { code: 'ERR_CUDA_DEVICE_TOO_OLD' }, cpu: 'cpu' })
    const { stdout } = await cli(['doctor'], { env: environment(env) })
    expect(stdout).toMatch(/\nPACKED_RNN_DEVICE +asks for cuda:1\n/)
  })
})
