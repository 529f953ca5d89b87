import { describe, expect, test } from 'vitest'
import { evaluate, Trainer } from '../../src/compat/training.js'
import { poolings } from '../../src/models/pooling.js'
import { presets } from '../../src/models/presets.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { packSequence } from '../../src/packed.js'
import { rulesOf } from '../../src/tasks/rules.js'
import { Batches } from '../../src/text/batches.js'
import { data, shortClassifier } from './short.js'

const preset = presets['lstm64-adam']

test('gradients of single documents add up to the gradient of one packed batch with the summed loss', async () => {
  const together = shortClassifier('bilstm128x2-adam').eval()
  const apart = shortClassifier('bilstm128x2-adam').eval()
  const documents = data.documents.slice(0, 64)
  crossEntropy(together.forward(packSequence(documents)), data.labels.slice(0, 64), {
    reduction: 'sum',
  }).backward()
  documents.forEach((document, i) => {
    crossEntropy(apart.forward(packSequence([document])), [data.labels[i]!], { reduction: 'sum' }).backward()
  })
  const others = new Map(apart.namedParameters())
  for (const [name, parameter] of together.namedParameters()) {
    const [one, other] = [await parameter.grad!.toArray(), await others.get(name)!.grad!.toArray()]
    const largest = (values: Float32Array) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    // Sums of 64 in another order: some units in the last place of the largest.
    const error = largest(one.map((x, i) => x - other[i]!)) / largest(one)
    expect(error, name).toBeLessThan(2e-6)
  }
})

describe('the notebook’s loop over documents', () => {
  const rules = rulesOf('document', 'notebook')

  test('trains only the LSTM and does not change the classifier', async () => {
    const model = shortClassifier('lstm64-adam')
    const before = await model.stateDict()
    const trainer = new Trainer(model, { ...preset, batchSize: 64, rules })
    for await (const _ of trainer.fit(data, { epochs: 1 }));
    const after = await model.stateDict()
    for (const [name, { data: values }] of before) {
      const same = name.startsWith('lstm.')
        ? expect(after.get(name)!.data).not
        : expect(after.get(name)!.data)
      same.toEqual(values)
    }
  })

  test('drops the gradients of left-over documents', async () => {
    const model = shortClassifier('lstm64-adam')
    const trainer = new Trainer(model, { ...preset, batchSize: 40, rules })
    const [first, rest] = [...new Batches(data, { batchSize: 40 }).epoch(0)]
    trainer.step(first!).dispose()
    const before = await model.stateDict()
    trainer.step(rest!).dispose()
    expect(await model.stateDict()).toEqual(before)
    expect(model.namedParameters().every(([, { grad }]) => grad === null)).toBe(true)
  })

  test('reports the mean loss of a document, although gradients are summed', async () => {
    const [batch] = [...new Batches(data, { batchSize: 64 }).epoch(0)]
    const mean = await new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize: 64 })
      .step(batch!)
      .item()
    const trainer = new Trainer(shortClassifier('lstm64-adam'), { ...preset, batchSize: 64, rules })
    for await (const { loss, stepLoss } of trainer.fit(data, { epochs: 1 })) {
      expect(loss).toBeCloseTo(mean, 5)
      expect(stepLoss).toBeCloseTo(mean, 5)
    }
  })
})

test('notebook mode averages the means of batches, and fixed mode the losses of documents', async () => {
  const lossOf = async (mode: 'fixed' | 'notebook') => {
    const model = shortClassifier('lstm64-sgd')
    // Without learning, all losses are those of the first parameters.
    const optimizer = { kind: 'sgd' as const, lr: 0, momentum: 0 }
    const trainer = new Trainer(model, {
      ...preset,
      optimizer,
      batchSize: 60,
      rules: rulesOf('batched', mode),
    })
    const losses: number[] = []
    for await (const { stepLoss } of trainer.fit(data, { epochs: 1 })) losses.push(stepLoss)
    return { losses, epoch: trainer.history[0]!.loss }
  }
  const [fixed, notebook] = [await lossOf('fixed'), await lossOf('notebook')]
  const [large = 0, small = 0] = fixed.losses
  expect(fixed.epoch).toBeCloseTo((60 * large + 4 * small) / 64, 6)
  expect(notebook.epoch).toBeCloseTo((large + small) / 2, 6)
})

test('evaluation with dropout draws masks, as in the notebook', async () => {
  const model = shortClassifier('bilstm64x4-adam')
  const [still, again] = [await evaluate(model, data), await evaluate(model, data)]
  expect(again.probabilities).toEqual(still.probabilities)
  const noisy = await evaluate(model, data, { dropout: true })
  expect(noisy.probabilities).not.toEqual(still.probabilities)
})

describe.each(poolings)('pooling %s', pooling => {
  test('learns, and its linear layer has the width of the pooled vector', async () => {
    const model = shortClassifier('bilstm64x4-adam', { pooling })
    expect(model.classifier.weight.shape).toEqual([9, 128 * (pooling === 'concat' ? 3 : 1)])
    const trainer = new Trainer(model, { ...presets['bilstm64x4-adam'], batchSize: 16 })
    for await (const _ of trainer.fit(data, { epochs: 3, shuffleSeed: 1 }));
    const [first, , last] = trainer.history
    expect(last!.loss).toBeLessThan(first!.loss)
  })
})
