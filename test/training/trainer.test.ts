import { describe, expect, test, vi } from 'vitest'
import { evaluate, Trainer } from '../../src/compat/training.js'
import { Classifier } from '../../src/models/classifier.js'
import { type PresetName, presets } from '../../src/models/presets.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { Adam, clipGradNorm } from '../../src/optim/index.js'
import { rulesOf } from '../../src/tasks/rules.js'
import { memory } from '../../src/tensor.js'
import { Batches, type LabelledDocuments } from '../../src/text/batches.js'
import type { TrainingProgress } from '../../src/training/progress.js'
import { data, labels, shortClassifier, vocabulary } from './short.js'

const model = (preset: PresetName, threads = 2) => shortClassifier(preset, { threads })

async function run(
  preset: PresetName,
  options: { threads?: number; epochs?: number; signal?: AbortSignal } = {},
) {
  const { threads = 2, epochs = 2, signal } = options
  using classifier = model(preset, threads)
  const trainer = new Trainer(classifier, { ...presets[preset], batchSize: 16 })
  const progress: TrainingProgress[] = []
  for await (const event of trainer.fit(data, { epochs, shuffleSeed: 1, ...(signal ? { signal } : {}) })) {
    progress.push(event)
  }
  const state = await classifier.stateDict()
  return { progress, state }
}

describe('a training run', () => {
  test('has the pinned first ten losses', async () => {
    using classifier = model('lstm64-adam')
    const trainer = new Trainer(classifier, { ...presets['lstm64-adam'], batchSize: 16 })
    const losses: number[] = []
    for (let epoch = 0; losses.length < 10; epoch++) {
      for (const batch of new Batches(data, { batchSize: 16 }).epoch(epoch)) {
        using loss = trainer.step(batch)
        losses.push(await loss.item())
      }
    }
    // Pinned on AVX-512; the other instruction sets sum in another order, which ten steps amplify to about 1e-5.
    const pinned = [
      2.162087, 2.205009, 2.20489, 2.213116, 1.889284, 1.990875, 1.978179, 1.996088, 1.636177, 1.747815,
    ]
    expect(losses.slice(0, 10)).toEqual(pinned.map(loss => expect.closeTo(loss, 4)))
  })

  test.each(Object.keys(presets) as PresetName[])(
    '%s learns, with the same bits on one and two threads',
    async preset => {
      const one = await run(preset, { threads: 1 })
      const two = await run(preset, { threads: 2 })
      expect(one.progress.map(({ loss }) => loss)).toEqual(two.progress.map(({ loss }) => loss))
      expect(one.state).toEqual(two.state)
      const epochs = one.progress.filter(({ step, steps }) => step === steps)
      expect(epochs[1]!.loss).toBeLessThan(epochs[0]!.loss)
    },
  )

  test('a tuned embedding has the same losses and bits as with a dense gradient', async () => {
    const train = async (dense: boolean) => {
      using classifier = model('bilstm128x2-adam')
      const trainer = new Trainer(classifier, { ...presets['bilstm128x2-adam'], batchSize: 16 })
      const { optimizer } = trainer
      const step = optimizer.step.bind(optimizer)
      let asked = 0
      optimizer.step = () => {
        // A gradient that was read is a tensor from then on.
        const { grad } = classifier.embedding.weight
        if (dense && grad !== null) asked += grad.storage.buffer ? 1 : 0
        else expect(grad?.storage.rows?.tableRows).toBe(vocabulary.size)
        step()
      }
      const losses: number[] = []
      for await (const { loss } of trainer.fit(data, { epochs: 2, shuffleSeed: 1 })) losses.push(loss)
      const state = await classifier.stateDict()
      const { tensors } = await optimizer.stateDict()
      return { asked, seen: { losses, state, tensors } }
    }
    const [rows, dense] = [await train(false), await train(true)]
    expect([rows.asked, dense.asked]).toEqual([0, 8])
    expect(rows.seen).toEqual(dense.seen)
  })

  test('reports its progress after each step', async () => {
    const { progress } = await run('lstm64-sgd')
    expect(progress.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [2, 3],
      [2, 4],
    ])
    const last = progress.at(-1)!
    expect(last).toMatchObject({ epochs: 2, steps: 4, remainingSeconds: 0 })
    expect(last.tokensPerSecond * last.elapsedSeconds).toBeCloseTo(
      2 * new Batches(data, { batchSize: 1 }).epoch(0).tokens,
      3,
    )
  })

  test('records each epoch: accuracy, the norm of the gradients before clipping, learning rate, test', async () => {
    const clip = 0.01
    const options = { ...presets['lstm64-adam'], batchSize: 16, clip }
    using classifier = model('lstm64-adam')
    const trainer = new Trainer(classifier, options)
    for await (const _ of trainer.fit(data, { epochs: 3, shuffleSeed: 1, test: { data, every: 2 } }));
    const records = trainer.history

    // The same steps by hand.
    using again = model('lstm64-adam')
    const adam = new Adam(again.parameters(), { lr: 0.01 })
    for (const [i, record] of records.entries()) {
      const norms: number[] = []
      let right = 0
      for (const { ids, labels } of new Batches(data, { batchSize: 16, shuffleSeed: 1 }).epoch(i)) {
        const logits = again.forward(ids)
        const rows = await logits.toArray()
        labels.forEach((label, b) => {
          const row = [...rows.subarray(b * 9, (b + 1) * 9)]
          right += row.indexOf(Math.max(...row)) === label ? 1 : 0
        })
        crossEntropy(logits, labels).backward()
        const gradients = await Promise.all(again.lstm.parameters().map(({ grad }) => grad!.toArray()))
        norms.push(Math.sqrt(gradients.flatMap(g => [...g]).reduce((sum, g) => sum + g * g, 0)))
        clipGradNorm(again.lstm.parameters(), clip)
        adam.step()
        again.zeroGrad()
      }
      const { loss, predicted } = await evaluate(again, data)
      const accuracy = predicted.filter((p, b) => p === data.labels[b]).length / 64
      expect(record).toMatchObject({
        epoch: i + 1,
        steps: 4 * (i + 1),
        accuracy: right / 64,
        gradNorm: {
          mean: expect.closeTo(norms.reduce((a, b) => a + b) / 4, 5),
          largest: expect.closeTo(Math.max(...norms), 5),
        },
        learningRate: 0.01,
        test: i === 1 ? { loss, accuracy } : null,
      })
      expect(record.gradNorm.mean).toBeGreaterThan(clip)
      expect(record.seconds * record.tokensPerSecond).toBeCloseTo(64 * 40, 3)
    }
    expect(records).toHaveLength(3)
  })

  test('a test does not change the bits of training, also with dropout, and its time does not count', async () => {
    const train = async (every?: number) => {
      using classifier = model('bilstm64x4-adam')
      const rules = rulesOf('batched', 'notebook')
      const trainer = new Trainer(classifier, { ...presets['bilstm64x4-adam'], batchSize: 16, rules })
      const test = every === undefined ? {} : { test: { data, every } }
      // A clock that is a million seconds later after each change of the mode: at the beginning, and in tests.
      const [now, toMode] = [performance.now.bind(performance), classifier.train.bind(classifier)]
      let [later, changes] = [0, 0]
      vi.spyOn(performance, 'now').mockImplementation(() => now() + later)
      vi.spyOn(classifier, 'train').mockImplementation(mode => {
        later += 1e9
        changes++
        return toMode(mode)
      })
      for await (const _ of trainer.fit(data, { epochs: 2, ...test }));
      vi.restoreAllMocks()
      const seconds = trainer.history.reduce((sum, record) => sum + record.seconds, 0)
      return {
        ...{ state: await classifier.stateDict(), masks: classifier.lstm.masks.step },
        ...{ changes, seconds },
      }
    }
    const [without, tested] = [await train(), await train(1)]
    expect(tested.masks).toBe(without.masks)
    expect(tested.state).toEqual(without.state)
    expect([without.changes, tested.changes > 1]).toEqual([1, true])
    expect(tested.seconds).toBeLessThan(1e6)
  })

  test('an epoch whose test was interrupted is tested when the run resumes', async () => {
    const controller = new AbortController()
    const options = { ...presets['lstm64-sgd'], batchSize: 16 }
    using classifier = model('lstm64-sgd')
    const trainer = new Trainer(classifier, options)
    const test = {
      every: 1,
      get data() {
        controller.abort(new Error('now'))
        return data
      },
    }
    const interrupted = async () => {
      for await (const _ of trainer.fit(data, { epochs: 1, test, signal: controller.signal }));
    }
    await expect(interrupted()).rejects.toThrow('now')
    expect(trainer.history).toEqual([])
    using other = model('lstm64-sgd')
    const resumed = new Trainer(other, options)
    resumed.restore(await trainer.state())
    for await (const _ of resumed.fit(data, { epochs: 1, test: { data, every: 1 } }));
    expect(resumed.history).toMatchObject([{ epoch: 1, steps: 4, test: { loss: expect.any(Number) } }])
  })

  test('makes batches with the requested options', async () => {
    using classifier = model('lstm64-sgd')
    const trainer = new Trainer(classifier, { ...presets['lstm64-sgd'], batchSize: 16 })
    const options = { shuffleSeed: 1, maxTokens: 330, dropLast: true }
    const batches = new Batches(data, { ...options, batchSize: 16 })
    const epochs = [batches.epoch(0), batches.epoch(1)]
    const events: TrainingProgress[] = []
    for await (const event of trainer.fit(data, { ...options, epochs: 2 })) events.push(event)
    const ends = events.filter(({ step, steps }) => step === steps)
    expect(ends.map(({ steps }) => steps)).toEqual(epochs.map(({ steps }) => steps))
    expect(ends.map(({ tokens }) => tokens)).toEqual([
      epochs[0]!.tokens,
      epochs[0]!.tokens + epochs[1]!.tokens,
    ])
    expect(ends[1]!.remainingSeconds).toBe(0)
    const steps = events.slice(0, epochs[0]!.steps)
    const sizes = [...epochs[0]!].map(({ labels }) => labels.length)
    const losses = steps.reduce((sum, { stepLoss }, i) => sum + stepLoss * sizes[i]!, 0)
    expect(ends[0]!.loss).toBeCloseTo(losses / sizes.reduce((a, b) => a + b), 10)
  })

  test('accepts empty documents, also a batch of only empty documents', async () => {
    using classifier = model('bilstm64x4-adam')
    const trainer = new Trainer(classifier, { ...presets['bilstm64x4-adam'], batchSize: 2 })
    const empty = new Int32Array()
    const documents = [empty, empty, Int32Array.of(1, 2, 3), empty]
    const some: LabelledDocuments = { documents, labels: Int32Array.of(0, 1, 2, 3) }
    const losses: number[] = []
    for await (const { loss } of trainer.fit(some, { epochs: 3 })) losses.push(loss)
    expect(losses.every(Number.isFinite)).toBe(true)

    const { probabilities } = await evaluate(classifier, some)
    const row = (i: number) => [...probabilities.subarray(i * 9, (i + 1) * 9)]
    // Their state is h0, zero: the categories follow from the classifier's bias alone.
    const powers = Array.from(await classifier.classifier.bias!.toArray(), Math.exp)
    const sum = powers.reduce((a, b) => a + b)
    expect(row(0)).toEqual(powers.map(power => expect.closeTo(power / sum, 6)))
    expect([row(1), row(3)]).toEqual([row(0), row(0)])
    expect(row(2)).not.toEqual(row(0))
  })

  test('stops if the signal aborts, with its reason', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    using classifier = model('lstm64-sgd')
    const trainer = new Trainer(classifier, { ...presets['lstm64-sgd'], batchSize: 16 })
    let events = 0
    const loop = async () => {
      for await (const _ of trainer.fit(data, { epochs: 1000, signal: controller.signal })) {
        if (++events === 3) controller.abort(reason)
      }
    }
    await expect(loop()).rejects.toBe(reason)
    expect(events).toBe(3)
  })

  test('holds no more memory after a step than before', async () => {
    using classifier = model('bilstm64x4-adam')
    const trainer = new Trainer(classifier, { ...presets['bilstm64x4-adam'], batchSize: 16 })
    const [batch] = new Batches(data, { batchSize: 16 }).epoch(0)
    const held = async () => {
      trainer.step(batch!).dispose()
      await classifier.embedding.weight.device.synchronize()
      return { tensors: memory().tensors, bytes: classifier.embedding.weight.device.memory().held }
    }
    const first = await held()
    for (let i = 0; i < 5; i++) expect(await held()).toEqual(first)
  })

  test('does not change a frozen embedding', async () => {
    const vectors = Float32Array.from({ length: vocabulary.size * 20 }, (_, i) => Math.sin(i))
    const classifier = new Classifier({
      preset: presets['lstm64-adam'],
      vocabularySize: vocabulary.size,
      classes: labels.classes.length,
      embeddingDim: 20,
      vectors,
    })
    const trainer = new Trainer(classifier, { ...presets['lstm64-adam'], batchSize: 16 })
    for (const batch of new Batches(data, { batchSize: 16 }).epoch(0)) trainer.step(batch).dispose()
    expect(await classifier.embedding.weight.toArray()).toEqual(vectors)
    classifier.dispose()
  })
})

describe('evaluate', () => {
  test('returns the loss and predictions of all documents, whatever the batches', async () => {
    using classifier = model('bilstm64x4-adam')
    const small = await evaluate(classifier, data, { batchSize: 7 })
    const large = await evaluate(classifier, data, { batchSize: 64 })
    expect(small.probabilities).toEqual(large.probabilities)
    expect(small.predicted).toEqual(large.predicted)
    expect(small.loss).toBeCloseTo(large.loss, 5)
    for (const [i, predicted] of small.predicted.entries()) {
      const row = small.probabilities.subarray(i * 9, (i + 1) * 9)
      expect(row[predicted]).toBe(Math.max(...row))
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
    }
  })

  test('turns dropout off and restores the mode', async () => {
    using classifier = model('bilstm64x4-adam').train()
    const first = await evaluate(classifier, data)
    expect(classifier.training).toBe(true)
    expect((await evaluate(classifier, data)).probabilities).toEqual(first.probabilities)
  })
})
