import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import { presets } from '../../src/models/presets.js'
import { ownDevice } from '../device/own.js'
import { bitsOf, data, shortClassifier } from '../training/short.js'
import { compiledPackage, loader } from '../worker/compiled.js'
import { many } from './length.js'

/** Several who compute at once, and those who stop in the middle. */

let folder: string
beforeAll(() => {
  folder = compiledPackage()
})
afterAll(() => rmSync(folder, { recursive: true }))

const preset = { ...presets['lstm64-adam'], batchSize: 8 }
const trainerOn = (on = device('cpu', { threads: 2 })) =>
  new Trainer(shortClassifier('lstm64-adam', { on }), preset)

async function train(trainer: Trainer, epochs: number) {
  for await (const _ of trainer.fit(data, { epochs }));
  return bitsOf(await trainer.state())
}

test('two trainers on one device compute the same bits as each alone', async () => {
  const epochs = many(1, 20)
  const alone = await train(trainerOn(), epochs)
  const [one, other] = await Promise.all([train(trainerOn(), epochs), train(trainerOn(), epochs)])
  expect(one).toBe(alone)
  expect(other).toBe(alone)
})

test('an aborted epoch leaves no work and no memory, and resumes with the same bits', async () => {
  const expected = await train(trainerOn(), 1)
  const own = ownDevice()
  // The last step's end is the epoch's.
  const last = Math.ceil(data.documents.length / preset.batchSize) - 1
  for (let stop = 1; stop <= Math.min(many(3, 8), last); stop++) {
    const trainer = trainerOn(own)
    await trainer.state()
    const abort = new AbortController()
    const reason = new Error('enough')
    let steps = 0
    const stopped = (async () => {
      for await (const _ of trainer.fit(data, { epochs: 1, signal: abort.signal }))
        if (++steps === stop) abort.abort(reason)
    })()
    await expect(stopped).rejects.toBe(reason)
    expect(steps).toBe(stop)
    expect(await train(trainer, 1)).toBe(expected)
    trainer.optimizer.dispose()
    trainer.model.dispose()
    await own.synchronize()
    expect(own.memory().held).toBe(0)
  }
})

/** Trains in a process or a worker, for `epochs`, and then has its losses as `losses`. */
const training = (epochs: number, threads: string) => `
  const { device } = await load('device.js')
  const { Generator } = await load('random.js')
  const { Classifier } = await load('models/classifier.js')
  const { presets } = await load('models/presets.js')
  const { Trainer } = await load('compat/training.js')
  const preset = presets['lstm64-adam']
  const model = new Classifier({ preset, device: device('cpu', { threads: ${threads} }), generator: new Generator(3),
    vocabularySize: 50, classes: 5, embeddingDim: 20 })
  const documents = Array.from({ length: 40 }, (_, i) => Int32Array.from({ length: i % 9 }, (_, t) => (i * 7 + t) % 50))
  const data = { documents, labels: Int32Array.from(documents, (_, i) => i % 5) }
  const trainer = new Trainer(model, { ...preset, batchSize: 8 })
  const losses = []
  const run = async () => {
    for await (const { stepLoss } of trainer.fit(data, { epochs: ${epochs} })) losses.push(stepLoss)
  }`

interface Ended {
  code: number | string | null | undefined
  signal: string | null | undefined
  output: string
  errors: string
}

function run(body: string): Promise<Ended> {
  const args = ['--input-type=module', '--eval', `${loader(folder)}\n${body}`]
  return new Promise(resolve => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, output, errors) =>
      resolve({ code: error ? error.code : 0, signal: error?.signal, output: output.trim(), errors }),
    )
  })
}

test('eight workers that train at once, on one device or on several, compute the same bits', async () => {
  const worker = `${loader(folder)}
    ;(async () => {
      const { parentPort, workerData } = await import('node:worker_threads')
      ${training(many(3, 100), 'workerData')}
      await run()
      parentPort.postMessage(losses)
    })()`
  const { code, output, errors } = await run(`
    const { Worker } = await import('node:worker_threads')
    const all = [1, 1, 1, 2, 2, 2, 3, 3].map(threads => new Promise((resolve, reject) => {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: threads })
      worker.once('message', resolve)
      worker.once('error', reject)
    }))
    const losses = (await Promise.all(all)).map(each => JSON.stringify(each))
    console.log(losses.length, JSON.parse(losses[0]).length, new Set(losses).size)`)
  expect({ code, output, errors }).toEqual({ code: 0, output: `8 ${many(3, 100) * 5} 1`, errors: '' })
})

test.each([
  ['process.exit', 'setTimeout(() => process.exit(7), 100)', 7, ''],
  ['an error that nobody catches', "setTimeout(() => { throw new Error('mine') }, 100)", 1, 'mine'],
  ['a rejection that nobody handles', "setTimeout(() => Promise.reject(new Error('mine')), 100)", 1, 'mine'],
])('%s in the middle of training ends the process at once', async (_, end, expected, message) => {
  for (let round = 0; round < many(2, 25); round++) {
    const { code, signal, errors } = await run(`${training(1_000_000, '2')}
      run()
      ${end.replace('100', String(10 + 17 * round))}`)
    expect([code, signal]).toEqual([expected, null])
    expect(errors).toContain(message)
  }
})
