import { describe, expect, test } from 'vitest'
import { LanguageModel } from '../../src/models/index.js'
import * as optim from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { LanguageModeling, StreamLoader } from '../../src/tasks/index.js'
import { evaluate, predict, Trainer } from '../../src/training/index.js'
import { expectClose, expectSameBits } from '../suite/compare.js'
import { bitsOf } from '../training/short.js'

const tokens = Int32Array.from({ length: 103 }, (_, i) => i)

describe('StreamLoader', () => {
  test('streams are read from their beginning to their end, each token once', () => {
    const loader = new StreamLoader(tokens, { batchSize: 5, window: 6 })
    const { batches, tokens: count, from } = loader.epoch(0)
    // 20 tokens in each stream, 19 with a next one.
    expect([batches, count]).toEqual([4, 95])
    const windows = [...loader.epoch(0).from(0)]
    expect(windows.map(({ batch }) => batch.ids.sequences.length(0))).toEqual([6, 6, 6, 1])
    expect(windows.map(({ batch }) => batch.scale)).toEqual([1, 1, 1, 1])
    for (let b = 0; b < 5; b++) {
      const read = windows.flatMap(({ batch }) => {
        const { offsets } = batch.ids.sequences
        return [...batch.ids.ids.subarray(offsets[b]!, offsets[b + 1]!)]
      })
      expect(read).toEqual(Array.from({ length: 19 }, (_, t) => 20 * b + t))
    }
    for (const { batch } of windows) expect([...batch.next]).toEqual([...batch.ids.ids].map(id => id + 1))
    expect([...from.call(loader.epoch(0), 2)].map(({ batch }) => [...batch.next])).toEqual(
      windows.slice(2).map(({ batch }) => [...batch.next]),
    )
  })

  test('variable windows differ between epochs and are the same for the same one', () => {
    const text = new Int32Array(4 * 3001)
    const lengths = (epoch: number) => {
      const loader = new StreamLoader(text, { batchSize: 4, window: 30, variable: true, seed: 3 })
      return [...loader.epoch(epoch).from(0)].map(({ batch }) => batch.ids.sequences.length(0))
    }
    const loader = new StreamLoader(text, { batchSize: 4, window: 30, variable: true, seed: 3 })
    for (const { batch } of loader.epoch(0).from(0)) {
      expect(batch.scale).toBe(batch.ids.sequences.length(0) / 30)
    }
    const first = lengths(0)
    expect(lengths(0)).toEqual(first)
    expect(lengths(1)).not.toEqual(first)
    expect(first.reduce((sum, n) => sum + n, 0)).toBe(3000)
    const whole = first.slice(0, -1)
    expect(Math.min(...whole)).toBeGreaterThanOrEqual(5)
    // 0.95 · 30 + 0.05 · 15, less a half that is cut off; four standard deviations of the mean.
    const mean = whole.reduce((sum, n) => sum + n, 0) / whole.length
    expect(Math.abs(mean - 28.75)).toBeLessThan((4 * 6) / Math.sqrt(whole.length))
  })

  test('too few tokens are an error', () => {
    expect(() => new StreamLoader([1, 2, 3], { batchSize: 2, window: 5 })).toThrow(
      'StreamLoader: tokens: wanted at least 4 tokens, got 3',
    )
    expect(() => new StreamLoader([1, 2, 3], { batchSize: 1, window: 0 })).toThrow('StreamLoader: window')
    for (const wrong of [0.5, -1, 2 ** 31]) {
      expect(() => new StreamLoader([1, wrong, 3], { batchSize: 1, window: 2 })).toThrow(
        'StreamLoader: tokens[1]',
      )
    }
  })
})

describe('LanguageModeling', () => {
  const sizes = { vocabularySize: 6, embeddingDim: 4, hiddenSize: 12 }
  const newModel = () => new LanguageModel({ ...sizes, generator: new Generator(2) })
  /** A text in which the token before the last one decides the next. */
  const text = Array.from({ length: 600 }, (_, i) => [0, 1, 2, 3, 2, 1, 0, 4, 5][i % 9]!)

  test('evaluation returns the mean of −log p, whatever the windows', async () => {
    using model = newModel()
    const task = new LanguageModeling(model)
    const found = []
    for (const window of [7, 50, 1000]) {
      const loader = new StreamLoader(text, { batchSize: 3, window })
      found.push((await evaluate(task, loader)).metrics)
    }
    for (const { loss, perplexity, bits } of found) {
      expect(loss).toBeCloseTo(found[0]!.loss!, 5)
      expect(perplexity).toBeCloseTo(Math.exp(loss!), 4)
      expect(bits).toBeCloseTo(loss! / Math.log(2), 6)
    }
    const whole = new StreamLoader(text, { batchSize: 3, window: 1000 })
    const losses: number[] = []
    for await (const answers of predict(
      task,
      [...whole.epoch(0).from(0)].map(({ batch }) => batch),
    )) {
      losses.push(...[answers].flat().flatMap(each => [...each]))
    }
    expect(losses).toHaveLength(3 * 199)
    expect(losses.reduce((sum, x) => sum + x, 0) / losses.length).toBeCloseTo(found[2]!.loss!, 5)
  })

  test('predictions of a large vocabulary, whose logits are computed in blocks, have the loss of an evaluation', async () => {
    using model = new LanguageModel({ vocabularySize: 2 ** 20, embeddingDim: 1, hiddenSize: 1 })
    const task = new LanguageModeling(model)
    // A block has eight rows.
    const loader = new StreamLoader(tokens.subarray(0, 22), { batchSize: 1, window: 30 })
    const batches = [...loader.epoch(0).from(0)].map(({ batch }) => batch)
    const losses: number[] = []
    for await (const answers of predict(task, batches)) {
      losses.push(...[answers].flat().flatMap(each => [...each]))
    }
    expect(losses).toHaveLength(21)
    const { metrics } = await evaluate(task, loader)
    expect(losses.reduce((sum, x) => sum + x, 0) / 21).toBeCloseTo(metrics.loss!, 4)
  })

  test('a step of streams has the gradient of tokens, times the tokens of a stream', async () => {
    const changes = []
    for (const reduction of ['tokens', 'streams'] as const) {
      using model = newModel()
      const before = await model.output.weight.toArray()
      const task = new LanguageModeling(model, { reduction })
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 })
      const trainer = new Trainer({ model, task, optimizer })
      const loader = new StreamLoader(text.slice(0, 82), { batchSize: 2, window: 40 })
      for await (const event of trainer.fit(loader, { epochs: 1 })) {
        if (event.event === 'epoch') expect(event.record.metrics.loss).toBeCloseTo(Math.log(6), 0)
      }
      changes.push((await model.output.weight.toArray()).map((x, i) => x - before[i]!))
    }
    expectClose(
      changes[1]!,
      changes[0]!.map(x => 40 * x),
      1e-4,
    )
  })

  test("a step's learning rate is multiplied by the relative length of its window", async () => {
    const loader = new StreamLoader(text, { batchSize: 2, window: 20, variable: true })
    const [first] = [...loader.epoch(0).from(0)]
    const { batch } = first!
    expect(batch.scale).not.toBe(1)
    const stepOf = async (scale: number, lr: number) => {
      using model = newModel()
      const optimizer = new optim.SGD(model.parameters(), { lr })
      const trainer = new Trainer({ model, task: new LanguageModeling(model), optimizer })
      trainer.step({ ...batch, scale }).dispose()
      expect(optimizer.groups[0]!.lr).toBe(lr)
      return model.output.weight.toArray()
    }
    expectSameBits(await stepOf(0.5, 0.5), await stepOf(1, 0.25))
  })

  test('penalties are those of Merity et al., in training alone', async () => {
    using model = new LanguageModel({ ...sizes, generator: new Generator(2), dropout: { output: 0.5 } })
    await scope(async () => {
      const [window] = [...new StreamLoader(text, { batchSize: 2, window: 5 }).epoch(0).from(0)]
      const { batch } = window!
      /** Every pass drops the same. */
      const again = <T>(run: () => T): T => {
        for (const [, masks] of model.namedMasks()) masks.step = 0
        return run()
      }
      const lossOf = (options = {}) =>
        again(() => new LanguageModeling(model, options).step(batch, null)).loss.item()
      const plain = await lossOf()
      const found = again(() => model.forward(batch.ids))
      const dropped = [...(await found.features.data.toArray())]
      const rows = [...(await found.undropped.data.toArray())]
      expect(dropped.filter(x => x === 0).length).toBeGreaterThan(20)
      const square = (values: readonly number[]) => values.reduce((sum, x) => sum + x * x, 0) / values.length
      const changes = rows.flatMap((x, i) => {
        const row = Math.floor(i / 12)
        return row % 5 === 4 ? [] : [rows[i + 12]! - x]
      })
      expectClose([await lossOf({ activation: 2 })], [plain + 2 * 10 * square(dropped)], 1e-5)
      expectClose([await lossOf({ temporal: 3 })], [plain + 3 * 10 * square(changes)], 1e-5)
      model.eval()
      expect(await lossOf({ activation: 2, temporal: 3 })).toBe(await lossOf())
    })
  })

  test('a model learns a text, and a resumed epoch has the same bits', async () => {
    const make = () => {
      const model = new LanguageModel({
        ...{ ...sizes, generator: new Generator(2), dropout: { weights: 0.1, output: 0.1 } },
      })
      const task = new LanguageModeling(model, { activation: 0.1, temporal: 0.1 })
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 })
      const trainer = new Trainer({
        model,
        task,
        optimizer,
        clip: { parameters: model.parameters(), maxNorm: 1 },
      })
      const loader = new StreamLoader(text, { batchSize: 4, window: 10, variable: true })
      return { model, task, trainer, loader }
    }
    const { model, task, trainer, loader } = make()
    let steps = 0
    let state: Awaited<ReturnType<typeof trainer.state>> | null = null
    for await (const event of trainer.fit(loader, { epochs: 12 })) {
      if (event.event === 'step' && ++steps === 40) state = await trainer.state()
    }
    const { metrics } = await evaluate(task, new StreamLoader(text, { batchSize: 2, window: 50 }))
    expect(metrics.perplexity).toBeLessThan(1.2)
    const other = make()
    other.trainer.restore(state!)
    for await (const _ of other.trainer.fit(other.loader, { epochs: 12 })) {
    }
    expect(bitsOf(await other.trainer.state())).toBe(bitsOf(await trainer.state()))
    model.dispose()
    other.model.dispose()
  })
})
