import {
  byEpoch,
  DataLoader,
  earlyStopping,
  evaluate,
  keepBest,
  NonMonotonic,
  nonMonotonicStopping,
  Plateau,
  predict,
  Trainer,
} from '../../../src/compat/training.js'
import { AveragedSGD, Scheduler, SGD, stepDecay } from '../../../src/optim/index.js'
import { PackedIds } from '../../../src/packed.js'
import { Classification } from '../../../src/tasks/index.js'
import { directoryOf } from './fileCalls.js'
import type { Call } from './opCalls.js'
import { checkRecord, labelled, newClassifier } from './trainingCalls.js'
import { expectSame, type World } from './world.js'

/** A classifier by its task: loaders, schedules, callbacks, evaluation and answers. */
function byTask(world: World): void {
  const { hostile } = world
  const model = newClassifier(world)
  if (model === null) return
  const task = new Classification(model)
  const data = labelled(world)
  const items = data.documents.map((ids, i) => ({ ids, label: data.labels[i] ?? 0 }))
  const loader = world.attempt('training.DataLoader', () => {
    return new DataLoader(items, {
      collate: some => ({
        ids: new PackedIds(some.map(({ ids }) => ids)),
        labels: Int32Array.from(some, ({ label }) => label),
      }),
      lengthOf: ({ ids }) => ids.length,
      batchSize: hostile.number(1 + hostile.below(4)),
      ...(hostile.once(3) && { shuffle: true, seed: hostile.number(hostile.below(5)) }),
      ...(hostile.once(4) && { maxTokens: hostile.number(1 + hostile.below(9)) }),
      ...(hostile.once(4) && { dropLast: true }),
    })
  })
  const optimizer = new SGD(model.parameters(), { lr: 0.01 })
  const metric = hostile.oneOf(['loss', 'accuracy', 'none'])
  const of = hostile.oneOf(['training', 'test'] as const)
  const patience = hostile.number(1)
  const stopping = world.attempt('training.earlyStopping', () => earlyStopping({ metric, of, patience }))
  const plateau = world.attempt(
    'training.Plateau',
    () => new Plateau(optimizer, { metric, of, patience, factor: hostile.number(0.5) }),
  )
  const schedule = world.attempt('training.byEpoch', () =>
    byEpoch(new Scheduler(optimizer, stepDecay({ stepSize: 1 }))),
  )
  const directory = directoryOf(world)
  const best = world.attempt('training.keepBest', () => keepBest({ metric, of, directory }))
  const epochs = hostile.number(1)
  const averaged = new AveragedSGD(model.parameters(), { lr: 0.01, averages: hostile.once(2) })
  const nonMonotonic = world.attempt(
    'training.NonMonotonic',
    () => new NonMonotonic(averaged, { metric, of, epochs }),
  )
  const ending = world.attempt('training.nonMonotonicStopping', () =>
    nonMonotonicStopping({ metric, of, epochs }),
  )
  const scheduler = hostile.oneOf([plateau, schedule, nonMonotonic])
  const run = async () => {
    if (loader === null) return
    const trainer = new Trainer({
      ...{ model, task, callbacks: [stopping, best, ending].filter(each => each !== null) },
      optimizer: scheduler === nonMonotonic ? averaged : optimizer,
      ...(scheduler !== null && { scheduler }),
      accumulate: 1 + hostile.below(2),
    })
    const fitted = await world.answer('training.Trainer.fit', async () => {
      for await (const event of trainer.fit(loader, { epochs: 2, test: { loader } }))
        if (event.event === 'epoch') checkRecord(event.record, trainer.history.length)
    })
    const found = await world.answer('training.evaluate', () => evaluate(task, loader))
    const answers = await world.answer('training.predict', async () => {
      const some: unknown[] = []
      for await (const answer of predict(task, loader)) some.push(answer)
      return some
    })
    if (fitted === null || found === null || answers === null) return
    expectSame('predict: answers', answers.length, found.sums.documents)
  }
  world.later(() =>
    run().finally(() => {
      optimizer.dispose()
      averaged.dispose()
      model.dispose()
    }),
  )
}

export const slowTaskCalls: Record<string, Call> = { byTask }
