import { checkInteger, checkNumber } from '../check.js'
import { badArgument } from '../errors.js'
import type { Schedule } from './schedules.js'

/** A scheduler's state, serialisable as JSON. */
export interface SchedulerState {
  /** Steps taken. */
  step: number
  /** The initial rate of each group. */
  rates: number[]
}

/**
 * Sets the learning rates of an optimiser's groups: the constructor sets the rate of step 0, and each `step()` sets that of
 * the next step. Call `step()` after the optimiser's.
 * @example
 * ```ts
 * import { optim, tensor } from 'packed-rnn'
 *
 * using optimizer = new optim.SGD([tensor([1], [1], { requiresGrad: true })], { lr: 0.5 })
 * const scheduler = new optim.Scheduler(optimizer, optim.stepDecay({ stepSize: 1, gamma: 0.5 }))
 * optimizer.step()
 * scheduler.step()
 * console.log(optimizer.groups[0]!.lr) // 0.25
 * ```
 */
export class Scheduler {
  readonly #groups: readonly { lr: number }[]
  readonly #schedules: readonly Schedule[]
  #rates: number[]
  #step = 0

  /**
   * @param optimizer the current rates of its groups are the initial rates.
   * @param schedule one for all groups, or one for each group.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for another number of schedules than groups.
   */
  constructor(optimizer: { groups: readonly { lr: number }[] }, schedule: Schedule | readonly Schedule[]) {
    const { groups } = optimizer
    const schedules = typeof schedule === 'function' ? groups.map(() => schedule) : schedule
    if (schedules.length !== groups.length) {
      throw badArgument(
        'optim.Scheduler',
        'schedule',
        `one for each of ${groups.length} groups`,
        schedules.length,
      )
    }
    this.#groups = groups
    this.#schedules = schedules
    this.#rates = groups.map(({ lr }) => lr)
    this.#set()
  }

  /** Sets the rates of the groups to those of the next step. */
  step(): void {
    this.#step++
    this.#set()
  }

  /** Returns a copy of the state, for `loadStateDict`. */
  stateDict(): SchedulerState {
    return { step: this.#step, rates: [...this.#rates] }
  }

  /**
   * Loads the state, and sets the rates of its step.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for another number of groups; ERR_OUT_OF_RANGE for an invalid step or rate.
   */
  loadStateDict({ step, rates }: SchedulerState): void {
    const op = 'optim.Scheduler.loadStateDict'
    if (rates.length !== this.#groups.length) {
      throw badArgument(op, 'rates', `${this.#groups.length} numbers`, rates.length)
    }
    checkInteger(op, 'step', step, 0, Number.MAX_SAFE_INTEGER)
    rates.forEach((rate, i) => {
      checkNumber(op, `rates[${i}]`, rate, 0)
    })
    this.#step = step
    this.#rates = [...rates]
    this.#set()
  }

  #set(): void {
    this.#groups.forEach((group, i) => {
      group.lr = this.#schedules[i]!(this.#step, this.#rates[i]!)
    })
  }
}
