import { checkInteger, checkList, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { oneCycle, type Schedule } from './schedules.js'

/** Options of `OneCycle`. */
export interface OneCycleOptions {
  /** The number of steps of the cycle. */
  steps: number
  /** The largest momentum, at both ends, and the smallest one, at the highest rate; default [0.95, 0.85]. */
  momentums?: readonly [number, number]
  /** The share of the steps before the highest rate; default 0.3. */
  pctStart?: number
  /** The highest rate divided by the first one; default 25. */
  divFactor?: number
  /** The first rate divided by the last one; default 10⁴. */
  finalDivFactor?: number
}

const names: OptionNames<OneCycleOptions> = {
  steps: true,
  momentums: true,
  pctStart: true,
  divFactor: true,
  finalDivFactor: true,
}

/** A group with the momentum of Adam, or of SGD. */
export type CycledGroup = { lr: number } & ({ betas: readonly [number, number] } | { momentum: number })

/**
 * One cycle of the learning rate, and of the momentum in the opposite direction, as fast.ai's `fit_one_cycle` (Smith 2018). The rate
 * rises to its highest value and falls, both along half a cosine, while the momentum falls and rises. The rates of the groups when it is
 * made are the highest ones. It steps once for each step of the optimiser, as `Scheduler`.
 *
 * @example
 * ```ts
 * import { nn, optim } from 'packed-rnn'
 *
 * const { weight, bias } = new nn.Linear({ inFeatures: 1, outFeatures: 1 })
 * const adam = new optim.AdamW([weight, bias!], { lr: 0.1 })
 * const cycle = new optim.OneCycle(adam, { steps: 10 })
 * console.log(adam.groups[0]!.lr.toFixed(3), adam.groups[0]!.betas[0]) // 0.004 0.95
 * for (let step = 0; step < 2; step++) cycle.step()
 * console.log(adam.groups[0]!.lr, adam.groups[0]!.betas[0]) // 0.1 0.85
 * ```
 */
export class OneCycle {
  readonly #groups: readonly CycledGroup[]
  readonly #options: Required<Pick<OneCycleOptions, 'steps' | 'momentums' | 'pctStart'>>
  readonly #schedule: Schedule
  #rates: number[]
  #step = 0

  /** @throws PackedRnnError ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option. */
  constructor(optimizer: { groups: readonly CycledGroup[] }, options: OneCycleOptions) {
    const op = 'optim.OneCycle'
    checkOptions(op, options, names)
    const { steps, momentums = [0.95, 0.85], pctStart = 0.3, ...factors } = options
    checkInteger(op, 'steps', steps, 1)
    checkList(op, 'momentums', momentums, 'two numbers')
    if (momentums.length !== 2) throw badArgument(op, 'momentums', 'two numbers', momentums)
    for (const [i, momentum] of [momentums[0], momentums[1]].entries()) {
      checkNumber(op, `momentums[${i}]`, momentum, 0, 1)
    }
    const { momentums: _, ...rates } = options
    this.#schedule = oneCycle({ ...factors, ...rates })
    this.#options = { steps, momentums, pctStart }
    this.#groups = optimizer.groups
    this.#rates = optimizer.groups.map(({ lr }) => lr)
    this.#set()
  }

  /** Sets rates and momentums of the next step. */
  step(): void {
    this.#step++
    this.#set()
  }

  /** Returns a copy of the state, for `loadStateDict`. */
  stateDict(): { step: number; rates: number[] } {
    return { step: this.#step, rates: [...this.#rates] }
  }

  /** Loads a state. @throws PackedRnnError ERR_INVALID_ARGUMENT if it is not one for as many groups. */
  loadStateDict(state: unknown): void {
    const some: { step?: unknown; rates?: unknown } = typeof state === 'object' && state !== null ? state : {}
    const { step, rates } = some
    const known = Array.isArray(rates) && rates.length === this.#groups.length
    if (typeof step !== 'number' || !known || rates.some((rate: unknown) => typeof rate !== 'number')) {
      throw badArgument('optim.OneCycle.loadStateDict', 'state', 'step and a rate for each group', state)
    }
    this.#step = step
    this.#rates = [...rates]
    this.#set()
  }

  #set(): void {
    const momentum = this.#momentum()
    for (const [i, group] of this.#groups.entries()) {
      group.lr = this.#schedule(this.#step, this.#rates[i]!)
      if ('betas' in group) group.betas = [momentum, group.betas[1]]
      else group.momentum = momentum
    }
  }

  /** From the largest to the smallest one and back, along the rate's half cosines. */
  #momentum(): number {
    const { steps, momentums, pctStart } = this.#options
    const [high, low] = momentums
    const peak = pctStart * steps - 1
    const last = steps - 1
    const at = Math.min(this.#step, last)
    const between = (from: number, to: number, part: number) =>
      to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2
    if (peak > 0 && at <= peak) return between(high, low, at / peak)
    return at < last ? between(low, high, (at - peak) / (last - peak)) : high
  }
}
