import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { type Device, device } from '../../src/device.js'
import { PackedRnnError } from '../../src/errors.js'
import { presets } from '../../src/models/presets.js'
import { type Tensor, zeros } from '../../src/tensor.js'
import { Batches } from '../../src/text/batches.js'
import { BLOCK } from '../device/own.js'
import { bitsOf, data, shortClassifier } from '../training/short.js'
import { compiledPackage, loader } from '../worker/compiled.js'
import { many } from './length.js'

let folder: string
beforeAll(() => {
  folder = compiledPackage()
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('many steps of a small model', () => {
  interface Sample {
    step: number
    rss: number
    held: number
  }

  /** Trains in a separate process; a sample after each twentieth of the steps, when all is done and garbage collected. */
  function train(steps: number, dispose: boolean): Promise<Sample[]> {
    const source = `${loader(folder)}
      const { device } = await load('device.js')
      const { LSTM, Linear } = await load('nn/index.js')
      const { Adam, clipGradNorm } = await load('optim/index.js')
      const { crossEntropy } = await load('ops/loss.js')
      const { packSequence } = await load('packed.js')
      const { scope } = await load('scope.js')
      const cpu = device('cpu', { threads: 1 })
      const lstm = new LSTM({ inputSize: 4, hiddenSize: 16, device: cpu })
      const head = new Linear({ inFeatures: 16, outFeatures: 3, device: cpu })
      const parameters = [...lstm.parameters(), ...head.parameters()]
      const adam = new Adam(parameters, { lr: 1e-3 })
      const rows = n => Float32Array.from({ length: 4 * n }, (_, i) => Math.sin(i))
      const step = i => {
        const x = packSequence([rows(1 + i % 7), rows(3), rows(0)], { inputSize: 4, device: cpu })
        const loss = crossEntropy(head.forward(lstm.forward(x).lastHidden()), [0, 1, 2])
        loss.backward()
        clipGradNorm(parameters, 1)
        adam.step()
        if (${dispose}) adam.zeroGrad()
        else for (const parameter of parameters) parameter.grad = null
        return loss
      }
      const turn = () => new Promise(resolve => setImmediate(resolve))
      const samples = []
      for (let i = 1; i <= ${steps}; i++) {
        if (${dispose}) scope(() => void step(i))
        else step(i)
        if (i % 16 === 0) { await cpu.synchronize(); await turn() }
        if (i % ${steps / 20} > 0) continue
        await cpu.synchronize()
        for (let k = 0; k < 4; k++) { gc(); await turn() }
        samples.push({ step: i, rss: process.memoryUsage.rss(), held: cpu.memory().held })
      }
      console.log(JSON.stringify(samples))`
    return new Promise((resolve, reject) => {
      // V8 doubles its space for young objects, up to 16 MiB, whenever enough of them survive: with 1 MiB it is as large as it gets at once.
      const args = ['--expose-gc', '--max-semi-space-size=1', '--input-type=module', '--eval', source]
      execFile(process.execPath, args, (error, stdout) =>
        error ? reject(error) : resolve(JSON.parse(stdout)),
      )
    })
  }

  const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

  test.each([
    ['with', true],
    ['without', false],
  ])('%s dispose: memory does not grow', async (_, dispose) => {
    const steps = many(4_000, 10_000)
    const samples = await train(steps, dispose)
    expect(samples).toHaveLength(20)
    // By then everything is as large as it gets: pages come and go, so medians of five samples are compared.
    const [early, late] = [samples.slice(5, 10), samples.slice(15)]
    const growth = median(late.map(({ rss }) => rss)) - median(early.map(({ rss }) => rss))
    const perStep = growth / (steps / 2)
    const most = (some: Sample[]) => Math.max(...some.map(({ held }) => held))
    console.log(
      `${_} dispose: ${steps} steps, ${(samples.at(-1)!.rss / 2 ** 20).toFixed(1)} MiB, ` +
        `${perStep.toFixed(0)} bytes a step, ${most(late)} bytes on the device`,
    )
    // The last step may still be held, or not. A tensor that is kept would cost a block in each step, and about
    // 1,000 bytes on the host; V8 and malloc keep some megabytes more or less at any moment.
    expect(most(late) - most(early), 'bytes on the device').toBeLessThan((steps / 2) * (BLOCK / 4))
    expect(perStep).toBeLessThan(many(5_000, 1_000))
  })
})

const LIMIT = 2 ** 26

/** Takes all memory but `room` bytes, in powers of two, which the allocator does not round; some are blocks used again. */
async function occupied(on: Device, room: number): Promise<Tensor[]> {
  const hogs: Tensor[] = []
  for (;;) {
    await on.synchronize()
    const left = LIMIT - on.memory().held - room
    if (left < BLOCK) return hogs
    hogs.push(zeros([2 ** Math.floor(Math.log2(left)) / 4], { device: on }))
  }
}

test('without memory, each op of a step fails by name and the model does not change', async () => {
  const preset = presets['bilstm128x2-adam']
  const own = device('cpu', { threads: 1, memoryLimit: LIMIT })
  const trainer = new Trainer(shortClassifier('bilstm128x2-adam', { on: own }), { ...preset, batchSize: 16 })
  const reference = new Trainer(shortClassifier('bilstm128x2-adam', { threads: 1 }), {
    ...preset,
    batchSize: 16,
  })
  const [first, second, third] = [...new Batches(data, { batchSize: 16 }).epoch(0)]
  for (const each of [trainer, reference]) await each.step(first!).item()
  /** Bytes held without packed weights, which an op that finds no memory frees. */
  const settled = async () => {
    using tooLarge = zeros([LIMIT / 4], { device: own })
    await tooLarge.toArray().catch(() => {})
    await own.synchronize()
    return own.memory().held
  }
  const before = await settled()
  const state = await trainer.state()
  const held = await settled()
  expect(held).toBe(before)

  const failures = new Set<string>()
  /** Makes a step beside which so many bytes are left; whether it could. */
  async function stepWithin(room: number): Promise<boolean> {
    const hogs = await occupied(own, room)
    // What failed has drawn its masks, too.
    trainer.model.lstm.masks.step = state.masks['lstm.masks']!
    using loss = trainer.step(second!)
    const errors = await Promise.all(
      [loss.item(), own.synchronize()].map(each =>
        each.then(
          () => null,
          e => e,
        ),
      ),
    )
    const error = errors.find(each => each !== null)
    for (const hog of hogs) hog.dispose()
    if (error === undefined) return true
    expect(error).toBeInstanceOf(PackedRnnError)
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
    const [, name] =
      /^(\w+)\(.*\): wanted \d+ bytes, \d+ of the limit of \d+ are held$/.exec(error.message) ?? []
    expect(name, error.message).toBeDefined()
    failures.add(name!)
    return false
  }

  let room = BLOCK
  const growth = many(1.08, 1.005)
  while (!(await stepWithin(room))) {
    expect(await settled(), `after a failure with ${room} bytes left`).toBeLessThanOrEqual(held)
    room = Math.ceil((room * growth + 1) / BLOCK) * BLOCK
  }
  // What needs no more than those before it cannot be the first that fails.
  expect([...failures]).toEqual(
    expect.arrayContaining(['tensor', 'gatherRows', 'recurrentForward', 'recurrentBackward']),
  )
  // One step was made, of all that were tried, and one more: as where nothing ever failed.
  expect(bitsOf(await trainer.state())).not.toBe(bitsOf(state))
  await reference.step(second!).item()
  for (const each of [trainer, reference]) await each.step(third!).item()
  expect(bitsOf(await trainer.state())).toBe(bitsOf(await reference.state()))
})

test('a reused block counts with its full size', async () => {
  const limit = 2 ** 20
  const own = device('cpu', { threads: 1, memoryLimit: limit })
  // A block of 36 KiB waits, which 32 KiB would be taken from if there were room for it.
  zeros([9 * 1024], { device: own }).dispose()
  const others = [19, 18, 17, 16, 14, 14].map(power => zeros([2 ** power / 4], { device: own }))
  using last = zeros([2 ** 15 / 4], { device: own })
  await own.synchronize()
  expect(own.memory().held).toBe(limit)
  expect(others).toHaveLength(6)
  expect(last.size).toBe(2 ** 13)
})
