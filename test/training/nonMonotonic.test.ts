import { describe, expect, test } from 'vitest'
import { Linear } from '../../src/nn/index.js'
import { mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { AveragedSGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { type Matrix, tensor } from '../../src/tensor.js'
import {
  DataLoader,
  evaluate,
  NonMonotonic,
  nonMonotonicStopping,
  type Task,
  Trainer,
} from '../../src/training/index.js'
import { type EpochRecord, recordOf } from '../../src/training/record.js'
import { bitsOf } from './short.js'

const recordsOf = (losses: readonly (number | null)[]): EpochRecord[] =>
  losses.map((loss, i) =>
    recordOf({
      ...{ epoch: i + 1, steps: i + 1, metrics: { loss: 0 }, gradNorm: { mean: 0, largest: 0 } },
      ...{ learningRate: 1, test: loss === null ? null : { loss }, seconds: 1, tokensPerSecond: 1 },
    }),
  )

const model = new Linear({ inFeatures: 1, outFeatures: 1 })

/** The epoch after which averaging starts; null if it does not. */
function startOf(losses: readonly (number | null)[], epochs: number): number | null {
  const optimizer = new AveragedSGD(model.parameters(), { lr: 1 })
  const scheduler = new NonMonotonic(optimizer, { metric: 'loss', epochs })
  const records = recordsOf(losses)
  for (const record of records) {
    scheduler.epoch(record)
    if (!optimizer.groups[0]!.averages) continue
    const stops = nonMonotonicStopping({ metric: 'loss', epochs })
    expect(stops.stops?.(records.slice(0, record.epoch - 1))).toBe(false)
    expect(stops.stops?.(records.slice(0, record.epoch))).toBe(true)
    return record.epoch
  }
  return null
}

describe('NonMonotonic', () => {
  test.each<[number | null, (number | null)[]]>([
    [null, [9, 8, 7, 6, 5, 4, 3]],
    // Worse than the epoch before it, and better than the best of all but the last two.
    [null, [9, 8, 5, 6, 6]],
    [5, [9, 6, 5, 6, 7]],
    [6, [9, 6, 5, 5.5, 5.2, 5.1]],
    [6, [9, null, 6, 5, 6, 7]],
    [6, [9, Number.NaN, 6, 5, 6, 7]],
    [null, [1, 2, 3]],
    [4, [1, 2, 3, 4]],
  ])('starts after epoch %s of the losses %j, with n = 2', (epoch, losses) => {
    expect(startOf(losses, 2)).toBe(epoch)
  })

  test('a restored state continues', () => {
    const make = () => {
      const optimizer = new AveragedSGD(model.parameters(), { lr: 1 })
      return { optimizer, scheduler: new NonMonotonic(optimizer, { metric: 'loss', epochs: 2 }) }
    }
    const [one, other] = [make(), make()]
    const records = recordsOf([1, 2, 3, 4])
    for (const record of records.slice(0, 3)) one.scheduler.epoch(record)
    other.scheduler.loadStateDict(JSON.parse(JSON.stringify(one.scheduler.stateDict())))
    other.scheduler.epoch(records[3]!)
    expect(other.optimizer.groups[0]!.averages).toBe(true)
    expect(() => other.scheduler.loadStateDict({ values: ['a'] })).toThrow(
      'NonMonotonic.loadStateDict: state',
    )
  })
})

test('a trainer tests the averages and trains the parameters; a resumed one has the same bits', async () => {
  const items = [1, 2, 3, 4, 5, 6]
  const loader = new DataLoader(items, {
    collate: some => tensor(some, [some.length, 1]),
    batchSize: 2,
  })
  const make = () => {
    const model = new Linear({ inFeatures: 1, outFeatures: 1, generator: new Generator(1) })
    const task: Task<Matrix, null, number> = {
      model,
      weight: x => x.shape[0],
      metrics: () => ({}),
      predict: async () => [],
      step: x => ({ loss: sum(mul(model.forward(x), model.forward(x))), sums: {}, carry: null }),
    }
    const optimizer = new AveragedSGD(model.parameters(), { lr: 0.01, averages: true })
    const trainer = new Trainer({ model, task, optimizer })
    return { model, task, optimizer, trainer }
  }
  const { model, task, optimizer, trainer } = make()
  const half: Awaited<ReturnType<typeof trainer.state>>[] = []
  for await (const event of trainer.fit(loader, { epochs: 3, test: { loader } })) {
    if (event.event === 'step') {
      if (half.length === 0 && event.step === 2) half.push(await trainer.state())
      continue
    }
    const plain = (await evaluate(task, loader)).metrics.loss
    optimizer.swapAverages()
    const averaged = (await evaluate(task, loader)).metrics.loss
    optimizer.swapAverages()
    expect(event.record.test!.loss).toBe(averaged)
    expect(averaged).not.toBe(plain)
  }
  const other = make()
  other.trainer.restore(half[0]!)
  for await (const _ of other.trainer.fit(loader, { epochs: 3, test: { loader } })) {
  }
  expect(bitsOf(await other.trainer.state())).toBe(bitsOf(await trainer.state()))
  expect(other.trainer.history.map(({ test }) => test)).toEqual(trainer.history.map(({ test }) => test))
  model.dispose()
  other.model.dispose()
})

test('an invalid factor of the learning rate is rejected', () => {
  const task: Task<Matrix> = {
    model,
    weight: () => 1,
    rate: () => -1,
    metrics: () => ({}),
    predict: async () => [],
    step: x => ({ loss: sum(model.forward(x)), sums: {}, carry: null }),
  }
  const trainer = new Trainer({ model, task, optimizer: new AveragedSGD(model.parameters(), { lr: 1 }) })
  expect(() => trainer.step(tensor([1], [1, 1]))).toThrow(
    'Trainer: task.rate: wanted a number of at least 0, got -1',
  )
})
