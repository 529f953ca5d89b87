import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compiledPackage, loader } from './compiled.js'

let folder: string
beforeAll(() => {
  folder = compiledPackage()
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Ended {
  code: number | string | null
  signal: string | null
  output: string
  errors: string
}

/** Runs `body`, a module, in its own process. After 30 seconds the process is killed, and `signal` is not null. */
function run(body: string, env: Record<string, string> = {}): Promise<Ended> {
  const source = `${loader(folder)}\n${body}`
  return new Promise(resolve => {
    const options = { env: { ...process.env, ...env }, timeout: 30_000 }
    execFile(
      process.execPath,
      ['--input-type=module', '--eval', source],
      options,
      (error, output, errors) => {
        const code = error?.code ?? (error ? null : 0)
        resolve({ code, signal: error?.signal ?? null, output, errors })
      },
    )
  })
}

const PACKAGE = `
  const { device } = await load('device.js')
  const { zeros } = await load('tensor.js')
  const { linearForward } = await load('ops/linear.js')`

/** Keeps the device busy for a minute or more, which is longer than the end of a process may take. */
const WORK = `
  ${PACKAGE}
  const cpu = device('cpu', { threads: 1 })
  const x = zeros([1024, 16384], { device: cpu })
  const results = Array.from({ length: 200 }, () => linearForward(x, x))`

test('a process exits after its last await', async () => {
  const { code, output, errors } = await run(`${PACKAGE}
    const x = zeros([4], { device: device('cpu', { threads: 2 }) })
    console.log(...(await x.toArray()))
    await x.device.synchronize()`)
  expect([code, output.trim(), errors]).toEqual([0, '0 0 0 0', ''])
})

test('a process exits after its last await, also with eight workers that load at once', async () => {
  const worker = `${loader(folder)}
    ;(async () => {${PACKAGE}
      const x = zeros([16, 16], { device: device('cpu', { threads: 2 }) })
      const [first] = await linearForward(x, x).toArray()
      const { parentPort } = await import('node:worker_threads')
      parentPort.postMessage(first)
    })()`
  const { code, output, errors } = await run(
    `const { Worker } = await import('node:worker_threads')
    const ends = Array.from({ length: 8 }, () => new Promise((resolve, reject) => {
      const worker = new Worker(process.env.WORKER, { eval: true })
      let answer
      worker.on('message', message => { answer = message })
      worker.on('error', reject)
      worker.on('exit', code => resolve([answer, code]))
    }))
    console.log(JSON.stringify(await Promise.all(ends)))
    ${PACKAGE}
    await zeros([4], { device: device('cpu', { threads: 2 }) }).toArray()`,
    { WORKER: worker },
  )
  expect([code, errors]).toEqual([0, ''])
  expect(JSON.parse(output)).toEqual(Array.from({ length: 8 }, () => [0, 0]))
})

test('the process exits after a worker was terminated in the middle of a long op', async () => {
  const worker = `${loader(folder)}
    ;(async () => {${WORK}
      const { parentPort } = await import('node:worker_threads')
      parentPort.postMessage('issued')
      await results[0].toArray()
    })()`
  const { code, output, errors } = await run(
    `const { Worker } = await import('node:worker_threads')
    const worker = new Worker(process.env.WORKER, { eval: true })
    await new Promise(resolve => worker.once('message', resolve))
    await new Promise(resolve => setTimeout(resolve, 100))
    console.log(await worker.terminate())`,
    { WORKER: worker },
  )
  expect([code, output.trim(), errors]).toEqual([0, '1', ''])
})

test('a process stays alive while a value is awaited', async () => {
  const { code, output } = await run(`${PACKAGE}
    const x = zeros([1024, 1024], { device: device() })
    linearForward(x, x).toArray().then(values => console.log(values.length))
    device().synchronize().then(() => console.log('synchronized'))`)
  expect([code, output.trim()]).toEqual([0, '1048576\nsynchronized'])
})

test('work without an await does not keep the process alive', async () => {
  const { code, signal } = await run(`${WORK}
    console.log(results.length)`)
  expect([code, signal]).toEqual([0, null])
})

test('process.exit with queued work ends the process immediately with the given code', async () => {
  const { code, signal, errors } = await run(`${WORK}
    for (const result of results) result.toArray()
    setTimeout(() => process.exit(7), 50)`)
  expect([code, signal, errors]).toEqual([7, null, ''])
})

test('an uncaught error ends the process while work is queued', async () => {
  const { code, errors } = await run(`${WORK}
    const small = device('cpu', { threads: 1, memoryLimit: 64 })
    await zeros([results.length], { device: small }).toArray()`)
  expect(code).toBe(1)
  expect(errors).toContain("code: 'ERR_OUT_OF_MEMORY'")
})

test('a worker may be the only one that loads the addon, and may end before its device is done', async () => {
  const worker = `${loader(folder)}
    ;(async () => {${WORK}
      process.exit(results.length === 200 ? 3 : 4)
    })()`
  const { code, output, errors } = await run(
    `const { Worker } = await import('node:worker_threads')
    const worker = new Worker(process.env.WORKER, { eval: true })
    worker.on('exit', code => setTimeout(() => console.log('the worker ended with', code), 500))`,
    { WORKER: worker },
  )
  expect([code, output.trim(), errors]).toEqual([0, 'the worker ended with 3', ''])
})

test('PACKED_RNN_DEVICE and PACKED_RNN_CPU are read from the environment', async () => {
  const script = `${PACKAGE}
    const { kind, instructions } = device(); console.log(kind, instructions)`
  const portable = await run(script, { PACKED_RNN_DEVICE: 'cpu', PACKED_RNN_CPU: 'portable' })
  expect([portable.code, portable.output.trim()]).toEqual([0, 'cpu portable'])
  const unknown = await run(script, { PACKED_RNN_CPU: 'mmx' })
  expect(unknown.code).toBe(1)
  expect(unknown.errors).toContain('PACKED_RNN_CPU: wanted amx, avx512, avx2 or portable, got mmx')
})
