import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { instructionSets } from '../../src/device.js'
import { type PresetName, presets } from '../../src/models/presets.js'
import { PackedIds } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { expectClose } from '../suite/compare.js'
import { bitsOf, data, shortClassifier } from '../training/short.js'
import { compiledPackage, loader } from '../worker/compiled.js'
import { long, many } from './length.js'

/** The same seed, the same bits. */

describe.each(Object.keys(presets) as PresetName[])('%s', name => {
  test('an epoch has the same bits in each run and with any number of threads', async () => {
    const run = async (threads: number) => {
      const model = shortClassifier(name, { threads })
      const trainer = new Trainer(model, { ...presets[name], batchSize: 16 })
      for await (const _ of trainer.fit(data, { epochs: 1, shuffleSeed: 2 }));
      const state = await trainer.state()
      const { loss, accuracy, gradNorm } = trainer.history[0]!
      return { bits: bitsOf(state), loss, accuracy, gradNorm }
    }
    const first = await run(1)
    for (const threads of long ? [1, 2, 3, 4, 5, 8] : [1, 2]) expect(await run(threads)).toEqual(first)
  })

  test("a document's result depends on neither its position nor its neighbours", async () => {
    const model = shortClassifier(name).eval()
    const logitsOf = async (places: readonly number[]) => {
      const logits = model.forward(new PackedIds(places.map(place => data.documents[place]!)))
      const [, classes] = logits.shape
      const values = await logits.toArray()
      return new Map(places.map((place, i) => [place, values.slice(i * classes, (i + 1) * classes)]))
    }
    const all = data.documents.map((_, place) => place)
    const together = await logitsOf(all)
    const generator = new Generator(4)
    for (let round = 0; round < many(4, 100); round++) {
      const places = all.filter(() => generator.below(round + 2) === 0)
      places.sort(() => generator.below(3) - 1)
      if (places.length === 0) continue
      for (const [place, logits] of await logitsOf(places)) expect(logits).toEqual(together.get(place))
    }
  })
})

describe('instruction sets', () => {
  let folder: string
  beforeAll(() => {
    folder = compiledPackage()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** They differ in how many products are added at once, and whether a product is rounded: some roundings a step. */
  const LOSS = 1e-5

  function losses(set: string): Promise<number[]> {
    const source = `${loader(folder)}
      const { device } = await load('device.js')
      const { Generator } = await load('random.js')
      const { Classifier } = await load('models/classifier.js')
      const { presets } = await load('models/presets.js')
      const { Trainer } = await load('compat/training.js')
      const cpu = device('cpu', { threads: 1 })
      const preset = presets['bilstm128x2-adam']
      const model = new Classifier({ preset, device: cpu, generator: new Generator(3), vocabularySize: 50, classes: 5,
        embeddingDim: 20 })
      const random = new Generator(5)
      const documents = Array.from({ length: 32 }, () => Int32Array.from({ length: random.below(30) }, () => random.below(50)))
      const data = { documents, labels: Int32Array.from(documents, () => random.below(5)) }
      const trainer = new Trainer(model, { ...preset, batchSize: 8 })
      const losses = []
      for await (const { stepLoss } of trainer.fit(data, { epochs: 2 })) losses.push(stepLoss)
      console.log(JSON.stringify({ set: cpu.instructions, losses }))`
    const env = { ...process.env, PACKED_RNN_CPU: set }
    return new Promise((resolve, reject) => {
      execFile(process.execPath, ['--input-type=module', '--eval', source], { env }, (error, stdout) => {
        if (error !== null) return reject(error)
        const found: { set: string; losses: number[] } = JSON.parse(stdout)
        expect(found.set).toBe(set)
        resolve(found.losses)
      })
    })
  }

  test(`agree in the losses of two epochs within ${LOSS}`, async () => {
    const expected = await losses('portable')
    expect(expected).toHaveLength(8)
    for (const set of instructionSets()) expectClose(await losses(set), expected, LOSS, set)
  })
})
