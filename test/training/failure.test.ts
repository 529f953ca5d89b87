import { expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import { Classifier } from '../../src/models/classifier.js'
import { presets } from '../../src/models/presets.js'
import { Linear } from '../../src/nn/index.js'
import { Generator } from '../../src/random.js'
import { data, labels, shortClassifier, vocabulary } from './short.js'

const preset = presets['lstm64-adam']

/** Runs `events` steps of a trainer, or to the end. */
async function run(
  trainer: Trainer,
  options: { epochs?: number; shuffleSeed?: number; events?: number } = {},
) {
  const { epochs = 1, shuffleSeed = 1, events = Number.POSITIVE_INFINITY } = options
  let seen = 0
  for await (const _ of trainer.fit(data, { epochs, shuffleSeed })) if (++seen === events) return
}

test('a failing device rejects once, without unhandled rejections', async () => {
  const unhandled: unknown[] = []
  const hear = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  const model = new Classifier({
    preset,
    device: device('cpu', { threads: 1, memoryLimit: 700_000 }),
    generator: new Generator(1),
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim: 20,
  })
  const trainer = new Trainer(model, { ...preset, batchSize: 16 })
  await expect(run(trainer)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
  await new Promise(resolve => setTimeout(resolve, 50))
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
})

test('restore discards the steps issued before it', async () => {
  const fresh = new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize: 8 })
  const start = await fresh.state()
  await run(fresh)
  const back = new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize: 8 })
  await run(back, { events: 3 })
  back.restore(start)
  await run(back)
  expect(back.history.map(({ loss }) => loss)).toEqual(fresh.history.map(({ loss }) => loss))
})

test.each([
  ['another batch size', 32, 1],
  ['another order', 8, 2],
])('a started epoch does not continue with %s', async (_, batchSize, shuffleSeed) => {
  const stopped = new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize: 8 })
  await run(stopped, { events: 5 })
  const resumed = new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize })
  resumed.restore(await stopped.state())
  await expect(run(resumed, { shuffleSeed })).rejects.toThrow(
    /fit: options: wanted the batch order of the begun epoch/,
  )
})

test.each([
  ['a Float64Array', new Float64Array(3)],
  ['an array', [1, 2, 3]],
])('a state dict of %s is rejected, and nothing changes', async (_, values) => {
  const linear = new Linear({ inFeatures: 2, outFeatures: 3 })
  const before = await linear.stateDict()
  const state = new Map<string, { shape: number[]; data: Float32Array }>([
    ['weight', { shape: [3, 2], data: new Float32Array(6) }],
  ])
  Reflect.apply(Map.prototype.set, state, ['bias', { shape: [3], data: values }])
  expect(() => linear.loadStateDict(state)).toThrow(/loadStateDict: bias: wanted a Float32Array/)
  expect(await linear.stateDict()).toEqual(before)
})
