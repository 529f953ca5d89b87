import { checkInteger, checkNumber } from '../check.js'
import { badArgument } from '../errors.js'
import type { Schedule } from './schedules.js'

/** What a scheduler has to remember; JSON can hold it. */
export interface SchedulerState {
  /** Steps taken. */
  step: number
  /** The own rate of each group, which the schedule starts from. */
  rates: number[]
}

/**
 * Sets the learning rates of an optimiser's groups: when it is made, the rate of step 0, and after every `step()` that
 * of the next. Call `step()` after the optimiser's.
 */
export class Scheduler {
  readonly #groups: readonly { lr: number }[]
  readonly #schedules: readonly Schedule[]
  #rates: number[]
  #step = 0

  /**
   * @param optimizer whose groups' rates, as they are now, the schedule starts from.
   * @param schedule for all groups, or one for each.
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

  /** The rates of the groups are those of the next step. */
  step(): void {
    this.#step++
    this.#set()
  }

  /** A copy of what `loadStateDict` takes. */
  stateDict(): SchedulerState {
    return { step: this.#step, rates: [...this.#rates] }
  }

  /**
   * Goes on where the state was taken, and sets the rates.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for another number of groups, ERR_OUT_OF_RANGE for a bad step or rate.
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
