import { rmSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { relu } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { full, zeros } from '../../src/tensor.js'
import { compiledPackage, loader } from './compiled.js'

let folder: string
beforeAll(() => {
  folder = compiledPackage()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs `body`, an async function's, in a worker; `load` imports a module of the package there. */
function start(body: string, workerData: unknown = null): Worker {
  const source = `${loader(folder)}
    const { parentPort, workerData } = require('node:worker_threads')
    ;(async () => {${body}})()`
  return new Worker(source, { eval: true, workerData })
}

/** The first message; rejects if the worker fails or ends before. */
function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`the worker ended with ${code}`)))
  })
}

const exit = (worker: Worker) => new Promise<number>(resolve => worker.once('exit', resolve))

/** Trains a small layer and posts its losses. */
const TRAINING = `
  const { device } = await load('device.js')
  const { tensor, full } = await load('tensor.js')
  const { scope } = await load('scope.js')
  const { packSequence } = await load('packed.js')
  const { lstm } = await load('ops/recurrent.js')
  const { lastHidden } = await load('ops/pooling.js')
  const { crossEntropy } = await load('ops/loss.js')
  const { SGD } = await load('optim/index.js')
  const cpu = device('cpu', { threads: workerData.threads })
  const draw = (seed, shape) => tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(seed + i)),
    shape, { device: cpu, requiresGrad: true })
  const weights = [{ wIh: draw(1, [32, 3]), wHh: draw(2, [32, 8]) }]
  const parameters = Object.values(weights[0])
  const sequences = [5, 0, 9, 2].map(n => Float32Array.from({ length: 3 * n }, (_, i) => Math.cos(i)))
  const sgd = new SGD(parameters, { lr: 0.5 })
  const losses = []
  for (let step = 0; step < 30; step++) {
    losses.push(await scope(async () => {
      const { hN } = lstm(packSequence(sequences, { inputSize: 3, device: cpu }), weights, { hiddenSize: 8 })
      const loss = crossEntropy(lastHidden(hN, 1), [0, 1, 2, 3])
      loss.backward()
      sgd.step()
      sgd.zeroGrad()
      return loss.item()
    }))
  }
  parentPort.postMessage(losses)`

test('four workers train at once, on one device or on several, with the same bits', async () => {
  const workers = [1, 1, 2, 2].map(threads => start(TRAINING, { threads }))
  const ends = workers.map(exit)
  const losses = await Promise.all(workers.map(message))
  const [first] = losses
  expect(first).toHaveLength(30)
  if (!Array.isArray(first)) return
  expect(first.at(-1)).toBeLessThan(first[0])
  for (const other of losses) expect(other).toEqual(first)
  expect(await Promise.all(ends), 'each ends by itself').toEqual([0, 0, 0, 0])
})

test('the worker that awaits a value receives its device error', async () => {
  const worker = start(`
    const { device } = await load('device.js')
    const { zeros } = await load('tensor.js')
    const small = device('cpu', { threads: 1, memoryLimit: 5000 })
    const error = await zeros([10000], { device: small }).toArray().catch(error => error)
    parentPort.postMessage([error.name, error.code])`)
  expect(await message(worker)).toEqual(['PackedRnnError', 'ERR_OUT_OF_MEMORY'])
})

test('synchronize rejects only with failures of the same thread, and no other thread clears them', async () => {
  const options = { threads: 1, memoryLimit: 5001 }
  const worker = start(
    `
    const { device } = await load('device.js')
    const { zeros } = await load('tensor.js')
    const small = device('cpu', workerData)
    const codeOf = promise => promise.then(() => null, error => error.code)
    zeros([10000], { device: small })
    parentPort.once('message', async () => {
      parentPort.postMessage([await codeOf(small.synchronize()), await codeOf(small.synchronize())])
    })
    parentPort.postMessage('issued')`,
    options,
  )
  expect(await message(worker)).toBe('issued')
  const small = device('cpu', options)
  await small.synchronize()
  const mine = zeros([20000], { device: small })
  const answer = new Promise(resolve => worker.once('message', resolve))
  worker.postMessage('synchronize')
  expect(await answer).toEqual(['ERR_OUT_OF_MEMORY', null])
  await expect(small.synchronize()).rejects.toThrow(/^fill\(count 20000\): /)
  expect(mine.disposed).toBe(false)
})

test('a worker can be terminated in the middle of an op, and the device keeps working', async () => {
  const cpu = device('cpu', { threads: 1 })
  for (let round = 0; round < 3; round++) {
    const worker = start(`
      const { device } = await load('device.js')
      const { zeros } = await load('tensor.js')
      const { linearForward } = await load('ops/linear.js')
      const x = zeros([1024, 1024], { device: device('cpu', { threads: 1 }) })
      const results = [1, 2, 3].map(() => linearForward(x, x).toArray())
      parentPort.postMessage('issued')
      await Promise.all(results)
      parentPort.postMessage('done')`)
    expect(await message(worker)).toBe('issued')
    expect(await worker.terminate()).toBe(1)
    // In this thread, on the same queue, behind what the worker left there.
    expect(await sum(relu(full([3], 2, { device: cpu }))).item()).toBe(6)
  }
})

test('a worker can be terminated at any time: late calls and results are ignored', async () => {
  for (let round = 0; round < 12; round++) {
    const worker = start(`
      const { device } = await load('device.js')
      const { zeros } = await load('tensor.js')
      const cpu = device('cpu', { threads: 1, memoryLimit: 6000 })
      let count = 0
      const run = async size => {
        for (;;) {
          const x = zeros([size], { device: cpu })
          await x.toArray().catch(() => null)
          x.dispose()
          if (count++ === 200) parentPort.postMessage('running')
        }
      }
      // Half of them fail, for want of memory.
      for (let i = 0; i < 20; i++) run(i % 2 === 0 ? 16 : 2000)`)
    expect(await message(worker)).toBe('running')
    await new Promise(resolve => setTimeout(resolve, round % 4))
    expect(await worker.terminate()).toBe(1)
  }
})
