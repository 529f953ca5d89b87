import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { writeSealed } from '../../src/formats/sealed.js'
import { type PresetName, presets } from '../../src/models/presets.js'
import { Generator } from '../../src/random.js'
import { type Loop, type Mode, rulesOf } from '../../src/tasks/rules.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/training/checkpoint.js'
import { bitsOf, data, shortClassifier } from './short.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-resume-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const EPOCHS = 3
const BATCH = 10
const STEPS = Math.ceil(data.documents.length / BATCH)

function newTrainer(preset: PresetName, loop: Loop = 'batched', mode: Mode = 'fixed') {
  const model = shortClassifier(preset, { threads: 1 })
  return new Trainer(model, { ...presets[preset], batchSize: BATCH, rules: rulesOf(loop, mode) })
}

/** Runs on, up to the event before which to stop; what was seen of losses, and whether the end was reached. */
async function run(trainer: Trainer, stopAfter = Number.POSITIVE_INFINITY): Promise<void> {
  let events = 0
  if (stopAfter === 0) return
  const test = { data, every: 2 }
  for await (const _ of trainer.fit(data, { epochs: EPOCHS, shuffleSeed: 9, test })) {
    if (++events === stopAfter) return
  }
}

/** All that must be the same: the parameters, the optimiser's state and the records of the epochs, except the times. */
async function outcome(trainer: Trainer) {
  const state = await trainer.state()
  const records = trainer.history.map(record => ({ ...record, seconds: 0, tokensPerSecond: 0 }))
  return { records, bits: bitsOf(state) }
}

describe.each(Object.keys(presets) as PresetName[])('%s, stopped and resumed', preset => {
  test('has the same bits, wherever it was stopped', async () => {
    const whole = newTrainer(preset)
    await run(whole)
    const expected = await outcome(whole)
    expect(expected.records).toHaveLength(EPOCHS)
    const generator = new Generator(preset.length)
    // The first step, the end of an epoch, the last step, and somewhere.
    for (const stop of [0, 1, STEPS, STEPS * EPOCHS - 1, 1 + generator.below(STEPS * EPOCHS - 1)]) {
      const stopped = newTrainer(preset)
      await run(stopped, stop)
      await saveCheckpoint(folder, await stopped.state(), ['about', stop])
      // What the stopped run does after its checkpoint must not matter.
      await run(stopped, 2)
      const { state, about } = await loadCheckpoint(folder)
      expect(about).toEqual(['about', stop])
      const resumed = newTrainer(preset)
      resumed.restore(state)
      await run(resumed)
      expect(await outcome(resumed), `stopped after ${stop} steps`).toEqual(expected)
    }
  })
})

test('the notebook’s loop over documents can be resumed', async () => {
  const whole = newTrainer('lstm64-adam', 'document', 'notebook')
  await run(whole)
  const stopped = newTrainer('lstm64-adam', 'document', 'notebook')
  await run(stopped, 5)
  const resumed = newTrainer('lstm64-adam', 'document', 'notebook')
  resumed.restore(await stopped.state())
  await run(resumed)
  expect(await outcome(resumed)).toEqual(await outcome(whole))
})

test('a run whose loss became NaN can be resumed', async () => {
  const diverging = () =>
    new Trainer(shortClassifier('lstm64-sgd', { threads: 1 }), {
      ...presets['lstm64-sgd'],
      optimizer: { kind: 'sgd', lr: 1e38, momentum: 0 },
      batchSize: BATCH,
      onNonFinite: 'ignore',
    })
  const [whole, stopped, resumed] = [diverging(), diverging(), diverging()]
  await run(whole)
  expect((await outcome(whole)).records.at(-1)!.loss).toBeNaN()
  await run(stopped, STEPS + 3)
  await saveCheckpoint(folder, await stopped.state(), null)
  resumed.restore((await loadCheckpoint(folder)).state)
  await run(resumed)
  expect(await outcome(resumed)).toEqual(await outcome(whole))
})

describe('an invalid checkpoint', () => {
  test.each<[string, (file: string) => Promise<void>, RegExp]>([
    ['missing', file => rm(file), /checkpoint\.safetensors.*ENOENT/],
    [
      'torn',
      async file => writeFile(file, (await readFile(file)).subarray(0, 500)),
      /checkpoint\.safetensors: wanted/,
    ],
    ['another file', file => writeFile(file, writeSafetensors([])), /wanted format/],
    [
      'altered in one bit of a number',
      async file => {
        const bytes = await readFile(file)
        bytes[bytes.length - 9]! ^= 1
        await writeFile(file, bytes)
      },
      /wanted content of sha256 [0-9a-f]{64}, got [0-9a-f]{64}/,
    ],
    [
      'altered in its metadata',
      async file => {
        const text = await readFile(file, 'latin1')
        await writeFile(file, text.replace('\\"lstm.masks\\":0', '\\"lstm.masks\\":7'), 'latin1')
      },
      /wanted content of sha256/,
    ],
    [
      'of an older version',
      file => writeFile(file, writeSafetensors([], { format: 'packed-rnn checkpoint 1' })),
      /wanted format 'packed-rnn checkpoint 4', got packed-rnn checkpoint 1/,
    ],
    [
      'without a history',
      async file => {
        const { tensors, metadata } = readSafetensors(await readFile(file), file)
        const { sha256: _, ...unsealed } = metadata
        const { position, ...rest } = JSON.parse(metadata.trainer!)
        const trainer = JSON.stringify({ ...rest, position: { ...position, history: undefined } })
        const entries = [...tensors].map(([name, entry]) => ({ name, ...entry }))
        await writeFile(file, writeSealed(entries, { ...unsealed, trainer }))
      },
      /checkpoint\.safetensors: wanted .* in position\.history/,
    ],
  ])('%s', async (_, spoil, message) => {
    const trainer = newTrainer('lstm64-sgd')
    const directory = await mkdtemp(join(folder, 'none-'))
    await saveCheckpoint(directory, await trainer.state(), null)
    await spoil(join(directory, 'checkpoint.safetensors'))
    await expect(loadCheckpoint(directory)).rejects.toThrow(message)
    // With one before it, that one, and the reason.
    await saveCheckpoint(directory, await trainer.state(), 'before')
    await saveCheckpoint(directory, await trainer.state(), 'last')
    expect(await loadCheckpoint(directory)).toMatchObject({ about: 'last', passedOver: null })
    await spoil(join(directory, 'checkpoint.safetensors'))
    const { about, passedOver } = await loadCheckpoint(directory)
    expect(about).toBe('before')
    expect(passedOver!.message).toMatch(message)
  })

  test('of another model', async () => {
    const state = await newTrainer('lstm64-sgd').state()
    expect(() => newTrainer('bilstm64x4-adam').restore(state)).toThrow(/loadStateDict/)
  })
})
