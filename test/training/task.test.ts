import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { clipGradNorm, Scheduler, stepDecay } from '../../src/optim/index.js'
import { scope } from '../../src/scope.js'
import { full, memory } from '../../src/tensor.js'
import { earlyStopping, keepBest } from '../../src/training/callbacks.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/training/checkpoint.js'
import { predict } from '../../src/training/evaluation.js'
import { evaluate } from '../../src/training/index.js'
import { byEpoch, Plateau } from '../../src/training/schedule.js'
import type { TrainingEvent } from '../../src/training/trainerOptions.js'
import { type Carry, Fit, type Made, newLoader, newTrainer, on, points, Regression } from './tiny.js'

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-task-'))
afterAll(() => rm(folder, { recursive: true }))

/** Runs a trainer, up to an event before which to stop. */
async function run({ trainer }: Made, epochs: number, stopAfter = Infinity, loader = newLoader().loader) {
  const events: TrainingEvent[] = []
  if (stopAfter === 0) return events
  for await (const event of trainer.fit(loader, { epochs, test: { loader: newLoader().loader } })) {
    events.push(event)
    if (events.length === stopAfter) break
  }
  return events
}

/** What must be the same of two runs. */
async function outcome({ trainer }: Made) {
  const { model, optimizer, masks, scheduler } = await trainer.state()
  const history = trainer.history.map(record => ({ ...record, seconds: 0, tokensPerSecond: 0 }))
  return { model, optimizer, masks, scheduler, history }
}

describe('a custom task', () => {
  test('learns, and its metrics are reported by name', async () => {
    const made = newTrainer()
    const events = await run(made, 5)
    expect(events.map(({ event }) => event).slice(0, 8)).toEqual([...Array(6).fill('step'), 'epoch', 'step'])
    const { history } = made.trainer
    expect(history).toHaveLength(5)
    for (const { metrics, test: tested } of history) {
      expect(Object.keys(metrics)).toEqual(['loss', 'off'])
      expect(Object.keys(tested!)).toEqual(['loss', 'off'])
    }
    expect(history[4]!.metrics.loss).toBeLessThan(0.5 * history[0]!.metrics.loss!)
    // The names of earlier versions.
    expect(history[0]!.loss).toBe(history[0]!.metrics.loss)
    expect(history[0]!.accuracy).toBeNaN()
  })

  test('has the same bits as a loop written by hand', async () => {
    const { model, task, optimizer } = newTrainer()
    const losses: number[] = []
    let carry: Carry | null = null
    for (const { batch } of newLoader().loader.epoch(0).from(0)) {
      const result = task.step(batch, carry)
      result.loss.backward(full([], 1 / batch.length, { device: on }))
      clipGradNorm(model.parameters(), 0.5)
      optimizer.step()
      model.zeroGrad()
      carry = { before: result.carry.before.detach() }
      losses.push((await result.loss.item()) / batch.length)
    }
    const made = newTrainer({}, 0, adam => ({
      clip: { parameters: adam.groups[0]!.parameters, maxNorm: 0.5 },
    }))
    const events = await run(made, 1)
    expect(events.flatMap(event => (event.event === 'step' ? [event.stepLoss] : []))).toEqual(losses)
    expect(await made.model.stateDict()).toEqual(await model.stateDict())
  })

  test('clips only the given parameters', async () => {
    const made = newTrainer({}, 0, adam => ({
      clip: { parameters: adam.groups[0]!.parameters, maxNorm: 0.5 },
    }))
    await run(made, 1)
    expect(made.trainer.history[0]!.gradNorm.largest).toBeGreaterThan(0.5)
    const free = newTrainer()
    await run(free, 1)
    expect(await free.model.stateDict()).not.toEqual(await made.model.stateDict())
  })

  test('starts each epoch and each test without a carry', async () => {
    const made = newTrainer()
    await run(made, 3)
    expect(made.task.starts).toBe(6)
  })

  test('holds no more memory after an epoch than before', async () => {
    const made = newTrainer()
    await run(made, 1)
    await on.synchronize()
    const before = memory().tensors
    await run(made, 3)
    await on.synchronize()
    expect(memory().tensors).toBe(before)
  })
})

describe('accumulation', () => {
  test('divides by the weight of the whole step: ragged batches equal one large batch', async () => {
    // Without the carry, which a large batch has not.
    class Alone extends Fit {
      override step(batch: Parameters<Fit['step']>[0]) {
        return super.step(batch, null)
      }
    }
    const train = async (batchSize: number, accumulate: number) => {
      const made = newTrainer({ accumulate }, 0)
      const task = new Alone(made.model)
      const other = newTrainer({ accumulate, model: made.model, task, optimizer: made.optimizer })
      const events = await run(other, 2, Infinity, newLoader({ batchSize }).loader)
      expect(events.filter(({ event }) => event === 'step')).toHaveLength(2 * Math.ceil(23 / 8))
      return { state: await made.model.stateDict(), losses: other.trainer.history.map(({ loss }) => loss) }
    }
    // 23 points: 8, 8 and 7; in threes, 3 + 3 + 2 is not a step, so in batches of 4 the last step is 4 + 3.
    const [whole, parts] = [await train(8, 1), await train(4, 2)]
    for (const [name, { data }] of whole.state) {
      const found = parts.state.get(name)!.data
      data.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 5)
      })
    }
    parts.losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(whole.losses[i]!, 5)
    })
  })
})

describe('resuming', () => {
  const make = () =>
    newTrainer({ accumulate: 2 }, 0.3, adam => ({
      scheduler: new Scheduler(adam, stepDecay({ stepSize: 2, gamma: 0.5 })),
    }))

  test.each([0, 1, 2, 3, 4, 5, 7, 8, 11])(
    'after %i events has the same bits as a run without interruption',
    async stop => {
      const order = { shuffle: true, batchSize: 4 }
      const whole = make()
      await run(whole, 3, Infinity, newLoader(order).loader)
      const stopped = make()
      await run(stopped, 3, stop, newLoader(order).loader)
      await saveCheckpoint(folder, await stopped.trainer.state(), null)
      await run(stopped, 3, 1, newLoader(order).loader)
      const resumed = make()
      const { state } = await loadCheckpoint(folder)
      resumed.trainer.restore(state)
      const { loader, made } = newLoader(order)
      await run(resumed, 3, Infinity, loader)
      expect(await outcome(resumed)).toEqual(await outcome(whole))
      // What was trained on before is not made again; three steps may have been ahead.
      expect(made.length).toBeLessThanOrEqual(18 - 2 * (state.position.epoch * 3 + state.position.step))
    },
  )

  test('a started epoch does not continue with another number of batches a step', async () => {
    const stopped = make()
    await run(stopped, 1, 1)
    const other = newTrainer({ accumulate: 1 }, 0.3)
    other.trainer.restore({ ...(await stopped.trainer.state()), scheduler: null })
    await expect(run(other, 1)).rejects.toThrow(/fit: options: wanted the batch order of the begun epoch/)
  })

  test('mask counters are restored to the modules that drew the masks', async () => {
    const stopped = make()
    await run(stopped, 1, 2)
    const state = await stopped.trainer.state()
    expect(Object.keys(state.masks)).toEqual(['dropout.masks'])
    expect(state.masks['dropout.masks']).toBeGreaterThan(0)
    const masks = { 'encoder.masks': 1 }
    expect(() => make().trainer.restore({ ...state, masks })).toThrow(
      'restore: state.masks: wanted one of dropout.masks, got encoder.masks',
    )
  })
})

describe('schedules', () => {
  test('byEpoch changes the rate after each epoch', async () => {
    const made = newTrainer({}, 0, adam => ({
      scheduler: byEpoch(new Scheduler(adam, stepDecay({ stepSize: 1, gamma: 0.5 }))),
    }))
    await run(made, 3)
    expect(made.trainer.history.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.05, 0.025])
  })

  test('a Scheduler changes the rate after each step', async () => {
    const made = newTrainer({}, 0, adam => ({
      scheduler: new Scheduler(adam, stepDecay({ stepSize: 4, gamma: 0.5 })),
    }))
    await run(made, 2)
    // Of each epoch's last step, of six.
    expect(made.trainer.history.map(({ learningRate }) => learningRate)).toEqual([0.05, 0.025])
  })

  test('Plateau lowers the rate in the same epochs as PyTorch’s ReduceLROnPlateau', () => {
    const group = { lr: 1 }
    const plateau = new Plateau(
      { groups: [group] },
      { metric: 'loss', patience: 1, factor: 0.5, cooldown: 1 },
    )
    const losses = [1, 0.9, 0.95, 0.91, 0.92, 0.93, 0.94, 0.5, 0.6, Number.NaN, 0.7]
    const rates = losses.map(loss => {
      const record = { metrics: {}, test: { loss } }
      plateau.epoch({ ...emptyRecord, ...record })
      return group.lr
    })
    expect(rates).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125])
  })

  test('a checkpoint has the counters of Plateau', () => {
    const [one, other] = [{ lr: 1 }, { lr: 1 }]
    const make = (group: { lr: number }) => new Plateau({ groups: [group] }, { metric: 'loss', patience: 2 })
    const losses = [1, 2, 2, 2]
    const whole = make(one)
    for (const loss of losses) whole.epoch({ ...emptyRecord, test: { loss } })
    const [first, second] = [make({ lr: 1 }), make(other)]
    for (const loss of losses.slice(0, 2)) first.epoch({ ...emptyRecord, test: { loss } })
    second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())))
    for (const loss of losses.slice(2)) second.epoch({ ...emptyRecord, test: { loss } })
    expect([one.lr, other.lr]).toEqual([0.1, 0.1])
  })
})

const emptyRecord = {
  ...{ epoch: 1, steps: 1, metrics: {}, gradNorm: { mean: 1, largest: 1 }, learningRate: 1, test: null },
  ...{ seconds: 1, tokensPerSecond: 1, loss: 1, accuracy: 1 },
}

describe('callbacks', () => {
  const stopping = earlyStopping({ metric: 'off', of: 'training', mode: 'max', patience: 2 })

  test('early stopping ends a run, and a resumed run in the same epoch', async () => {
    const made = newTrainer({ callbacks: [stopping] })
    await run(made, 10)
    // It gets better from the first epoch on, and the callback wanted a larger error.
    expect(made.trainer.history).toHaveLength(3)
    const resumed = newTrainer({ callbacks: [stopping] })
    resumed.trainer.restore(await made.trainer.state())
    expect(await run(resumed, 10)).toEqual([])
  })

  test('keepBest keeps the best checkpoint', async () => {
    const directory = join(folder, 'best')
    const made = newTrainer({ callbacks: [keepBest({ metric: 'off', mode: 'max', directory })] })
    await run(made, 4)
    const tested = made.trainer.history.map(record => record.test!.off!)
    const best = tested.indexOf(Math.max(...tested))
    const { about, state } = await loadCheckpoint(directory)
    expect(about).toMatchObject({ epoch: best + 1 })
    expect(state.position.history).toHaveLength(best + 1)
  })

  test('are called in order, before the loop’s body', async () => {
    const seen: string[] = []
    const made = newTrainer({
      callbacks: ['a', 'b'].map(name => ({
        step: ({ step }) => void seen.push(`${name} ${step}`),
        epoch: async ({ epoch }) => void seen.push(`${name} epoch ${epoch}`),
      })),
    })
    for await (const { event } of made.trainer.fit(newLoader({ batchSize: 12 }).loader, { epochs: 1 }))
      seen.push(event)
    expect(seen).toEqual(['a 1', 'b 1', 'step', 'a 2', 'b 2', 'a epoch 1', 'b epoch 1', 'step', 'epoch'])
  })
})

describe('evaluate and predict', () => {
  test('use the same task without dropout, and restore mode and mask counters', async () => {
    const { model, task } = newTrainer({}, 0.5)
    const first = await evaluate(task, newLoader({ batchSize: 23 }).loader)
    const again = await evaluate(task, newLoader({ batchSize: 23 }).loader)
    expect(again).toEqual(first)
    expect([model.training, model.dropout.training, model.dropout.masks.step]).toEqual([true, true, 0])
    const answers: number[] = []
    for await (const answer of predict(task, newLoader({ batchSize: 5 }).loader)) answers.push(answer)
    expect(answers).toHaveLength(23)
    const off = answers.reduce((total, answer, i) => total + Math.abs(answer - points[i]!.y), 0)
    expect(first.metrics.off).toBeCloseTo(off / 23, 5)
    expect(first.sums).toMatchObject({ points: 23, weight: 23 })
    expect(model.dropout.masks.step).toBe(0)
  })

  test('a part in evaluation mode stays in evaluation mode', async () => {
    const { model, task } = newTrainer({}, 0.5)
    model.dropout.eval()
    await evaluate(task, newLoader().loader)
    expect([model.training, model.dropout.training]).toEqual([true, false])
  })

  test('counts are added to the sums', async () => {
    class Counting extends Fit {
      async count(batch: readonly unknown[]) {
        return { pairs: batch.length >> 1 }
      }
    }
    const { sums } = await evaluate(new Counting(new Regression()), newLoader().loader)
    // Five batches of four and one of three.
    expect(sums.pairs).toBe(11)
  })

  test('dropout stays on if the task says so', async () => {
    class Noisy extends Fit {
      readonly dropsInEvaluation = true
    }
    const model = new Regression(0.5)
    const [noisy, quiet] = [
      await evaluate(new Noisy(model), newLoader().loader),
      await evaluate(new Fit(model), newLoader().loader),
    ]
    expect(noisy.metrics.loss).not.toBe(quiet.metrics.loss)
  })

  test('stops on a signal', async () => {
    const { task } = newTrainer()
    const options = { signal: AbortSignal.abort(new Error('enough')) }
    await expect(evaluate(task, newLoader().loader, options)).rejects.toThrow('enough')
    await expect(predict(task, newLoader().loader, options).next()).rejects.toThrow('enough')
  })
})

describe('errors', () => {
  test.each([0, -1, Number.NaN])('a weight of %d is rejected', async weight => {
    class Weightless extends Fit {
      override weight() {
        return weight
      }
    }
    const { model, optimizer } = newTrainer()
    const made = newTrainer({ model, optimizer, task: new Weightless(model) })
    await expect(run(made, 1)).rejects.toThrow(/Trainer: task\.weight: wanted a number above 0/)
  })

  test('a step that is not finite is skipped with its sums', async () => {
    const items = points.map((point, i) => (i === 5 ? { ...point, y: Number.NaN } : point))
    const { loader } = newLoader({ items })
    const throwing = newTrainer()
    await expect(run(throwing, 1, Infinity, loader)).rejects.toThrow(/fit: epoch 1, step 2: wanted finite/)
    const skipping = newTrainer({ onNonFinite: 'skip' })
    const steps: (string | null)[] = []
    for await (const event of skipping.trainer.fit(loader, { epochs: 1 }))
      if (event.event === 'step') steps.push(event.skipped)
    expect(steps.map(skipped => skipped !== null)).toEqual([false, true, false, false, false, false])
    expect(skipping.trainer.history[0]!.metrics.loss).toBeGreaterThan(0)
  })

  test('an error in the task ends the run, and another fit can start', async () => {
    class Failing extends Fit {
      fails = true
      override step(batch: Parameters<Fit['step']>[0], carry: Parameters<Fit['step']>[1]) {
        if (this.fails) throw new Error('no')
        return super.step(batch, carry)
      }
    }
    const { model, optimizer } = newTrainer()
    const task = new Failing(model)
    const made = newTrainer({ model, optimizer, task })
    await expect(run(made, 1)).rejects.toThrow('no')
    task.fails = false
    await run(made, 1)
    expect(made.trainer.history).toHaveLength(1)
  })

  test('step() returns the loss divided by the weight, which the caller owns', async () => {
    const { trainer } = newTrainer()
    const [batch] = newLoader().loader.epoch(0).from(0)
    const { task } = newTrainer()
    const wanted = await scope(() => task.step(batch!.batch, null).loss.item())
    using loss = trainer.step(batch!.batch)
    expect(await loss.item()).toBeCloseTo(wanted / 4, 6)
  })
})
