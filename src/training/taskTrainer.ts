import { checkInteger, checkNumber, checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import type { Module } from '../nn/index.js'
import { div } from '../ops/elementwise.js'
import { scope } from '../scope.js'
import type { Scalar } from '../tensor.js'
import type { Callback } from './callbacks.js'
import { restoreCarry, saveCarry } from './carry.js'
import { evaluateTask, metricsOf } from './evaluation.js'
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

/** Steps whose figures are not awaited yet: enough to keep the device busy, few enough to keep its queue short. */
const STEPS_AHEAD = 3

/** Trains any task: steps, epochs, tests and records, and a state that resumes with the same bits. */
export class TaskTrainer<Batch, Carry extends State, Answer, Model extends Module> {
  readonly model: Model
  readonly task: Task<Batch, Carry, Answer>
  readonly optimizer: AnyOptimizer
  readonly #scheduler: TrainerScheduler | null
  readonly #accumulate: number
  readonly #onNonFinite: OnNonFinite
  readonly #callbacks: readonly Callback[]
  readonly #stepper: Stepper<Batch, Carry>
  #position: TrainerPosition = newPosition()
  /** Issued, and not part of the position yet. */
  readonly #pending: Pending[] = []
  /** Whether a `fit` has begun and not ended. */
  #fits = false

  /** @internal Use `Trainer`. */
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

  /** The epochs that are over. */
  get history(): readonly EpochRecord[] {
    return this.#position.history
  }

  /** Two would count the same steps, and what is restored would be lost at the next one. */
  protected checkIdle(where: string): void {
    if (this.#fits) throw badArgument(where, 'trainer', 'one that has ended its fit', 'one that is training')
  }

  /** `fit` of any loader. @internal */
  async *run(
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
      // Started anew with each epoch: what happens between two of them is not training.
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
      // A state may have been taken when only an epoch's last figures, or its test, were missing.
      if (position.step === steps) yield await this.#endEpoch(test, signal)
    }
  }

  /** That an epoch which has begun goes on as it began. */
  #begin(loaderWay: string): void {
    const position = this.#position
    const way = this.#accumulate === 1 ? loaderWay : `${loaderWay}, ${this.#accumulate} batches a step`
    if (position.step + this.#pending.length > 0 && position.way !== way) {
      throw badArgument('fit', 'options', `those of the epoch that was begun, ${position.way}`, way)
    }
    position.way = way
  }

  #issue(group: Pick<Pending, 'tokens'> & { batches: Batch[] }): void {
    const { epoch, step } = this.#position
    const name = `epoch ${epoch + 1}, step ${step + this.#pending.length + 1}`
    const issued = this.#stepper.issue(group.batches)
    const figures = figuresOf(issued, name, this.#onNonFinite)
    // Its failure is reported where it is awaited; after an earlier failure nothing awaits it.
    figures.catch(() => {})
    this.#pending.push({ figures, tokens: group.tokens, learningRate: issued.learningRate })
  }

  /** Waits for the oldest step that was issued, and moves the position past it. */
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
    // The epochs to come are taken to be as long as this one.
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

  /** The events after a step; the epoch ends first, so `history` has its record when the last step is reported. */
  async #report(
    progress: TrainingProgress,
    test: TestOptions<Batch, Carry> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TrainingEvent[]> {
    for (const callback of this.#callbacks) await callback.step?.(progress, this)
    const step = { event: 'step' as const, ...progress }
    return progress.step === progress.steps ? [step, await this.#endEpoch(test, signal)] : [step]
  }

  /** Tests the model where that is due, and records the epoch. The position is past its last step. */
  async #endEpoch(
    test: TestOptions<Batch, Carry> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TrainingEvent> {
    const position = this.#position
    const due = test !== undefined && (position.epoch + 1) % (test.every ?? 1) === 0
    const tested = due
      ? await evaluateTask(test.task ?? this.task, test.loader, signal ? { signal } : {})
      : null
    const record = recordEpoch(position, metricsOf(this.task, position.sums.totals), tested?.metrics ?? null)
    this.#scheduler?.epoch?.(record)
    for (const callback of this.#callbacks) await callback.epoch?.(record, this)
    return { event: 'epoch', record }
  }

  /**
   * One step on a batch, apart from `fit`: it is part of no epoch. Where a number of it is not finite it changes nothing, unless
   * `onNonFinite` is 'ignore', and `device.synchronize()` rejects with ERR_NON_FINITE.
   * @returns its loss before the step, divided by its weight.
   * @throws PackedRnnError those of the task and of its ops, as ERR_OUT_OF_RANGE for an id or a label outside.
   */
  step(batch: Batch): Scalar {
    return scope(() => {
      const { losses, weight } = this.#stepper.issue([batch])
      const loss = losses[0]!.detach()
      return weight === 1 ? loss : div(loss, weight)
    })
  }

  /**
   * All that was issued so far, for `restore`. May be asked for between two events of `fit`.
   * @throws PackedRnnError (rejects) with the failure of a step that is part of it.
   */
  async state(): Promise<TrainerState> {
    // What is read here is read in the device's order: after the steps that were issued, before any other.
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
   * Goes back to a state, of a trainer with the same model and options.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT or ERR_SHAPE where it is another's; ERR_INVALID_ARGUMENT where a `fit` has not
   * ended.
   */
  restore({ position, masks, scheduler, carry, model, optimizer }: TrainerState): void {
    this.checkIdle('restore')
    const counters = new Map(this.model.namedMasks())
    for (const path of Object.keys(masks)) {
      if (!counters.has(path)) {
        throw badArgument('restore', 'state.masks', `one of ${[...counters.keys()].join(', ')}`, path)
      }
    }
    // By the caller's word: the state is of a trainer with the same task.
    const carried = restoreCarry(carry, this.model.namedParameters()[0]?.[1].device) as Carry | null
    this.model.loadStateDict(model)
    this.optimizer.loadStateDict(optimizer)
    // After the optimiser: a schedule sets its rates.
    if (this.#scheduler !== null && scheduler !== null) this.#scheduler.loadStateDict(scheduler)
    for (const [path, counter] of counters) counter.step = masks[path] ?? counter.step
    this.#stepper.carry = carried
    this.#position = structuredClone(position)
    this.#pending.length = 0
  }
}
