import { checkInteger, checkNumber, checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import type { Module } from '../nn/index.js'
import { div } from '../ops/elementwise.js'
import { scope } from '../scope.js'
import type { Scalar } from '../tensor.js'
import type { Callback } from './callbacks.js'
import { restoreCarry, saveCarry } from './carry.js'
import { evaluate, metricsOf } from './evaluation.js'
import type { Loader } from './loader.js'
import { nonFiniteRules, type OnNonFinite } from './nonFinite.js'
import { countStep, groupsOf, newPosition, type Pending, recordEpoch } from './position.js'
import type { TrainingProgress } from './progress.js'
import type { EpochRecord } from './record.js'
import type { TrainerScheduler } from './schedule.js'
import { figuresOf, type StepFigures, Stepper } from './stepper.js'
import type { State, Task } from './task.js'
import {
  type EpochsOptions,
  epochsNames,
  type TestOptions,
  type TrainerOptions,
  type TrainingEvent,
  testNames,
  trainerNames,
} from './trainerOptions.js'
import type { AnyOptimizer, TrainerPosition, TrainerState } from './trainerState.js'

/** The steps issued before the first one is awaited: enough to keep the device busy, few enough to keep its queue short. */
const STEPS_AHEAD = 3

/**
 * Trains a model for a task, in steps and epochs, with tests and records. A run can resume from its state with the same bits. See
 * `Task` for how the parts work together.
 *
 * @example
 * ```ts
 * import { type Matrix, mul, nn, optim, sum, tensor } from 'packed-rnn'
 * import { DataLoader, type Task, Trainer } from 'packed-rnn/training'
 *
 * const model = new nn.Linear({ inFeatures: 1, outFeatures: 1 })
 * const task: Task<Matrix, null, number> = {
 *   model, weight: x => x.shape[0], metrics: () => ({}), predict: async x => [...(await model.forward(x).toArray())],
 *   step: x => ({ loss: sum(mul(model.forward(x), model.forward(x))), sums: {}, carry: null }),
 * }
 * const loader = new DataLoader([1, 2], { collate: some => tensor(some, [some.length, 1]), batchSize: 2 })
 * const trainer = new Trainer({ model, task, optimizer: new optim.SGD(model.parameters(), { lr: 0.01 }) })
 * for await (const { event } of trainer.fit(loader, { epochs: 1 }))
 *   console.log(event) // step
 * ```
 */
export class Trainer<Batch, Carry extends State, Answer, Model extends Module> {
  readonly model: Model
  readonly task: Task<Batch, Carry, Answer>
  readonly optimizer: AnyOptimizer
  readonly #scheduler: TrainerScheduler | null
  readonly #accumulate: number
  readonly #onNonFinite: OnNonFinite
  readonly #callbacks: readonly Callback[]
  readonly #stepper: Stepper<Batch, Carry>
  #position: TrainerPosition = newPosition()
  /** Steps that were issued but are not part of the position yet. */
  readonly #pending: Pending[] = []
  /** Whether a `fit` is running. */
  #fits = false

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a number is out of range; ERR_INVALID_ARGUMENT if the model is invalid, or a word or
   * an option is unknown.
   */
  constructor(options: TrainerOptions<Batch, Carry, Answer, Model>) {
    const op = 'Trainer'
    checkOptions<object>(op, options, trainerNames)
    const { model, task, optimizer, scheduler, clip, accumulate = 1, onNonFinite = 'throw' } = options
    if (clip !== undefined) {
      checkOptions(op, clip, { parameters: true, maxNorm: true }, 'options.clip')
      checkNumber(op, 'clip.maxNorm', clip.maxNorm, 0)
    }
    checkInteger(op, 'accumulate', accumulate, 1)
    checkWord(op, 'onNonFinite', onNonFinite, nonFiniteRules)
    this.model = model
    this.task = task
    this.optimizer = optimizer
    this.#scheduler = scheduler ?? null
    this.#accumulate = accumulate
    this.#onNonFinite = onNonFinite
    this.#callbacks = options.callbacks ?? []
    const rest = { scheduler: this.#scheduler, clip: clip ?? null, onNonFinite }
    this.#stepper = new Stepper({ model, task, optimizer, ...rest })
  }

  /** The records of the completed epochs. */
  get history(): readonly EpochRecord[] {
    return this.#position.history
  }

  /**
   * Throws while a `fit` is running. Two of them would count the same steps, and the next step would overwrite a restored state.
   * @internal
   */
  protected checkIdle(where: string): void {
    if (this.#fits) throw badArgument(where, 'trainer', 'no running fit', 'one that is running')
  }

  /**
   * Trains until `epochs` epochs are complete, and yields an event after each step and each epoch. After `restore` it continues from
   * there. The event loop stays free while the device works.
   *
   * Only one `fit` can run at a time. It ends with its `for await` loop, also after a `break`. If you call `next()` yourself, call
   * `return()` to end it early.
   *
   * @throws PackedRnnError errors of the loader, the task and the device; ERR_NON_FINITE; ERR_INVALID_ARGUMENT if another `fit` is
   * running or an option is unknown; the signal's reason if it aborts.
   */
  async *fit(
    loader: Loader<Batch>,
    options: EpochsOptions<Batch, Carry>,
  ): AsyncGenerator<TrainingEvent, void, void> {
    this.checkIdle('fit')
    checkOptions<object>('fit', options, epochsNames)
    if (options.test !== undefined) checkOptions<object>('fit', options.test, testNames, 'options.test')
    this.#fits = true
    try {
      yield* this.#train(loader, options)
    } finally {
      this.#fits = false
    }
  }

  async *#train(
    loader: Loader<Batch>,
    { epochs, test, signal }: EpochsOptions<Batch, Carry>,
  ): AsyncGenerator<TrainingEvent, void, void> {
    checkInteger('fit', 'epochs', epochs, 1)
    if (test?.every !== undefined) checkInteger('fit', 'test.every', test.every, 1)
    const position = this.#position
    this.#begin(loader.way)
    this.model.train()
    while (position.epoch < epochs && !this.#callbacks.some(each => each.stops?.(position.history))) {
      // Restarted for each epoch, because the time between epochs is not training time.
      const start = performance.now() - position.seconds * 1000
      const epoch = loader.epoch(position.epoch)
      const steps = Math.ceil(epoch.batches / this.#accumulate)
      const advance = async (): Promise<TrainingEvent[]> => {
        const figures = await this.#advance()
        position.seconds = (performance.now() - start) / 1000
        const progress = this.#progress(figures.sums, { epochs, steps, tokens: epoch.tokens })
        return this.#report({ ...progress, skipped: figures.skipped }, test, signal)
      }
      const done = position.step + this.#pending.length
      if (done === 0) this.#stepper.carry = null
      for (const group of groupsOf(epoch.from(done * this.#accumulate), this.#accumulate)) {
        signal?.throwIfAborted()
        this.#issue(group)
        if (this.#pending.length > STEPS_AHEAD) for (const event of await advance()) yield event
      }
      while (this.#pending.length > 0) {
        signal?.throwIfAborted()
        for (const event of await advance()) yield event
      }
      // True for a state that was taken after the last step of an epoch but before its test.
      if (position.step === steps) yield await this.#endEpoch(test, signal)
    }
  }

  /** @throws PackedRnnError if a started epoch would continue with another order of batches. */
  #begin(loaderWay: string): void {
    const position = this.#position
    const way = this.#accumulate === 1 ? loaderWay : `${loaderWay}, ${this.#accumulate} batches a step`
    if (position.step + this.#pending.length > 0 && position.way !== way) {
      throw badArgument('fit', 'options', `the batch order of the begun epoch, ${position.way}`, way)
    }
    position.way = way
  }

  #issue(group: Pick<Pending, 'tokens'> & { batches: Batch[] }): void {
    const { epoch, step } = this.#position
    const name = `epoch ${epoch + 1}, step ${step + this.#pending.length + 1}`
    const issued = this.#stepper.issue(group.batches)
    const figures = figuresOf(issued, name, this.#onNonFinite)
    // A failure is reported when the figures are awaited. After an earlier failure nothing awaits them.
    figures.catch(() => {})
    this.#pending.push({ figures, tokens: group.tokens, learningRate: issued.learningRate })
  }

  /** Awaits the oldest issued step and moves the position past it. */
  async #advance(): Promise<StepFigures> {
    const [oldest] = this.#pending
    try {
      const figures = await oldest!.figures
      this.#pending.shift()
      countStep(this.#position, oldest!, figures)
      return figures
    } catch (error) {
      // Steps issued after one that failed do not count either.
      this.#pending.length = 0
      throw error
    }
  }

  #progress(
    stepSums: Record<string, number>,
    { epochs, steps, tokens }: { epochs: number; steps: number; tokens: number },
  ): Omit<TrainingProgress, 'skipped'> {
    const position = this.#position
    // Assumes that the remaining epochs are as long as this one.
    const remaining = position.epochStart.tokens + (epochs - position.epoch) * tokens - position.tokens
    return {
      epoch: position.epoch + 1,
      epochs,
      step: position.step,
      steps,
      stepLoss: metricsOf(this.task, stepSums).loss ?? Number.NaN,
      loss: metricsOf(this.task, position.sums.totals).loss ?? Number.NaN,
      tokens: position.tokens,
      tokensPerSecond: position.tokens / position.seconds,
      elapsedSeconds: position.seconds,
      remainingSeconds: (remaining * position.seconds) / position.tokens,
    }
  }

  /** Returns the events after a step. The epoch ends first, so `history` has its record when the last step is reported. */
  async #report(
    progress: TrainingProgress,
    test: TestOptions<Batch, Carry> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TrainingEvent[]> {
    for (const callback of this.#callbacks) await callback.step?.(progress, this)
    const step = { event: 'step' as const, ...progress }
    return progress.step === progress.steps ? [step, await this.#endEpoch(test, signal)] : [step]
  }

  /** Tests the model if a test is due, and records the epoch. The position is past its last step. */
  async #endEpoch(
    test: TestOptions<Batch, Carry> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TrainingEvent> {
    const position = this.#position
    const due = test !== undefined && (position.epoch + 1) % (test.every ?? 1) === 0
    const tested = due ? await this.#test(test, signal) : null
    // The next epoch begins without a carry.
    this.#stepper.carry = null
    const record = recordEpoch(position, metricsOf(this.task, position.sums.totals), tested?.metrics ?? null)
    this.#scheduler?.epoch?.(record)
    for (const callback of this.#callbacks) await callback.epoch?.(record, this)
    return { event: 'epoch', record }
  }

  /** Tests the model, with the averages of its parameters if the optimiser keeps them. */
  async #test({ task, loader }: TestOptions<Batch, Carry>, signal: AbortSignal | undefined) {
    this.optimizer.swapAverages?.()
    try {
      return await evaluate(task ?? this.task, loader, signal ? { signal } : {})
    } finally {
      this.optimizer.swapAverages?.()
    }
  }

  /**
   * Makes one step on a batch, outside `fit`: it does not count towards an epoch. If the loss or a gradient is not finite, the step
   * changes nothing and `device.synchronize()` rejects with ERR_NON_FINITE, unless `onNonFinite` is 'ignore'.
   *
   * @returns the loss before the step, divided by the batch's weight.
   * @throws PackedRnnError if the task or one of its ops throws, such as ERR_OUT_OF_RANGE for an id that is out of range.
   */
  step(batch: Batch): Scalar {
    return scope(() => {
      const { losses, weight } = this.#stepper.issue([batch])
      const loss = losses[0]!.detach()
      return weight === 1 ? loss : div(loss, weight)
    })
  }

  /**
   * Returns the state after the steps issued so far, for `restore` and `saveCheckpoint`. You may call it between two events of
   * `fit`.
   * @throws PackedRnnError (rejects) if one of these steps failed.
   */
  async state(): Promise<TrainerState> {
    // Reads are queued here: they run after the steps issued so far and before any later step.
    const pending = [...this.#pending]
    const position = structuredClone(this.#position)
    const masks = Object.fromEntries(this.model.namedMasks().map(([path, { step }]) => [path, step]))
    const scheduler = structuredClone(this.#scheduler?.stateDict() ?? null)
    const [model, optimizer, carry, figures] = await Promise.all([
      this.model.stateDict(),
      this.optimizer.stateDict(),
      saveCarry(this.#stepper.carry),
      Promise.all(pending.map(step => step.figures)),
    ])
    for (const [i, step] of pending.entries()) countStep(position, step, figures[i]!)
    return { position, masks, scheduler, carry, model, optimizer }
  }

  /**
   * Restores a state of a trainer with the same model and options.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT or ERR_SHAPE if the state does not fit; ERR_INVALID_ARGUMENT while a `fit` is
   * running.
   */
  restore({ position, masks, scheduler, carry, model, optimizer }: TrainerState): void {
    this.checkIdle('restore')
    const counters = new Map(this.model.namedMasks())
    for (const path of Object.keys(masks)) {
      if (!counters.has(path)) {
        throw badArgument('restore', 'state.masks', `one of ${[...counters.keys()].join(', ')}`, path)
      }
    }
    // The caller vouches that the state is of a trainer with the same task.
    const carried = restoreCarry(carry, this.model.namedParameters()[0]?.[1].device) as Carry | null
    this.model.loadStateDict(model)
    this.optimizer.loadStateDict(optimizer)
    // After the optimiser, because a scheduler sets its rates.
    if (this.#scheduler !== null && scheduler !== null) this.#scheduler.loadStateDict(scheduler)
    for (const [path, counter] of counters) counter.step = masks[path] ?? counter.step
    this.#stepper.carry = carried
    this.#position = structuredClone(position)
    this.#pending.length = 0
  }
}
