import { badArgument, PackedRnnError } from '../errors.js'
import type { Module } from '../nn/index.js'
import { clipGradNorm } from '../optim/index.js'
import { outlive, scope } from '../scope.js'
import { disposeState } from '../state.js'
import { full, type Scalar, type Tensor } from '../tensor.js'
import { mapCarry } from './carry.js'
import { LARGEST_FLOAT, type OnNonFinite, placeOf, refuseNonFinite } from './nonFinite.js'
import type { TrainerScheduler } from './schedule.js'
import type { State, StepResult, Sum, Task } from './task.js'
import type { AnyOptimizer } from './trainerState.js'

/** The parts of a trainer that a step uses. */
export interface StepperOptions<Batch, Carry extends State> {
  model: Module
  task: Task<Batch, Carry>
  optimizer: AnyOptimizer
  scheduler: TrainerScheduler | null
  clip: Clip | null
  onNonFinite: OnNonFinite
}

/** Gradient clipping: the parameters whose gradients are clipped together, and their largest 2-norm. */
export interface Clip {
  parameters: readonly Tensor<'float32'>[]
  maxNorm: number
}

/** An issued step. The caller owns the tensors. */
export interface Issued {
  losses: Scalar[]
  /** The sums of each batch. */
  sums: Record<string, Sum>[]
  weight: number
  gradNorm: Scalar
  /** Descriptions of tensors, for `placeOf`. */
  places: string[]
  learningRate: number
}

/** Issues steps: forward and backward of each batch, clipping, and one step of the optimiser. It does not read values. */
export class Stepper<Batch, Carry extends State> {
  readonly #options: StepperOptions<Batch, Carry>
  #carry: Carry | null = null

  constructor(options: StepperOptions<Batch, Carry>) {
    this.#options = options
  }

  /** The carry that the next batch receives. */
  get carry(): Carry | null {
    return this.#carry
  }

  /** Replaces the carry. The stepper takes ownership. */
  set carry(carry: Carry | null) {
    if (this.#carry !== null) disposeState(this.#carry)
    this.#carry = carry
  }

  /**
   * Issues one step on some batches. If the loss or a gradient is not finite, the step changes nothing, unless `onNonFinite` is
   * 'ignore', and `figuresOf` reports it.
   * @throws PackedRnnError ERR_OUT_OF_RANGE if the weight is not above 0; errors of the task and its ops.
   */
  issue(batches: readonly Batch[]): Issued {
    const { model, task, optimizer, scheduler, clip, onNonFinite } = this.#options
    const weight = batches.reduce((sum, batch) => sum + weightOf(task, batch), 0)
    return scope(() => {
      const one = (batch: Batch) => this.#accumulate(task.step(batch, this.#carry), weight)
      // Each of several batches has its scope, which frees its memory before the next one.
      const results = batches.length === 1 ? batches.map(one) : batches.map(batch => scope(() => one(batch)))
      const losses = results.map(({ loss }) => loss)
      const places = onNonFinite === 'ignore' ? [] : refuseNonFinite(model, ...losses)
      const gradNorm = clipGradNorm(clip?.parameters ?? model.parameters(), clip?.maxNorm ?? LARGEST_FLOAT)
      const learningRate = optimizer.groups[0]!.lr
      scaled(optimizer.groups, rateOf(task, batches, weight), () => optimizer.step())
      scheduler?.step?.()
      model.zeroGrad()
      return { losses, sums: results.map(({ sums }) => sums), weight, gradNorm, places, learningRate }
    })
  }

  /** Adds ∇loss / weight to the gradients, and stores the carry. */
  #accumulate({ loss, sums, carry }: StepResult<Carry>, weight: number): Omit<StepResult<Carry>, 'carry'> {
    // A rejection is reported when the step's numbers are awaited. After an earlier failure nothing awaits them.
    for (const sum of Object.values(sums)) if (sum instanceof Promise) sum.catch(() => {})
    const next = mapCarry(carry, leaf => outlive(leaf.detach()))
    if (weight === 1) loss.backward()
    else {
      const seed = full([], 1 / weight, { device: loss.device })
      loss.backward(seed)
      seed.dispose()
    }
    this.carry = next
    return { loss, sums }
  }
}

function weightOf<Batch, Carry extends State>(task: Task<Batch, Carry>, batch: Batch): number {
  const weight = task.weight(batch)
  if (Number.isFinite(weight) && weight > 0) return weight
  throw badArgument('Trainer', 'task.weight', 'a number above 0', weight, 'ERR_OUT_OF_RANGE')
}

/** The factor of a step's learning rates. */
function rateOf<Batch, Carry extends State>(
  task: Task<Batch, Carry>,
  batches: readonly Batch[],
  weight: number,
): number {
  if (task.rate === undefined) return 1
  let sum = 0
  for (const batch of batches) {
    const rate = task.rate(batch)
    if (!Number.isFinite(rate) || rate < 0) {
      throw badArgument('Trainer', 'task.rate', 'a number of at least 0', rate, 'ERR_OUT_OF_RANGE')
    }
    sum += rate * (batches.length === 1 ? weight : weightOf(task, batch))
  }
  return sum / weight
}

/** Multiplies the rates during a step. */
function scaled(groups: readonly { lr: number }[], factor: number, step: () => void): void {
  if (factor === 1) {
    step()
    return
  }
  const rates = groups.map(({ lr }) => lr)
  const set = (of: (rate: number) => number) => {
    for (const [i, group] of groups.entries()) group.lr = of(rates[i]!)
  }
  try {
    set(rate => rate * factor)
    step()
  } finally {
    set(rate => rate)
  }
}

/** The numbers of a step on the host. */
export interface StepFigures {
  /** The sums over the step's batches, including `loss` and `weight`. */
  sums: Record<string, number>
  gradNorm: number
  /** If the step was skipped, which number was not finite; else null. */
  skipped: string | null
}

/**
 * Reads the numbers of a step and disposes its tensors. All reads are issued before the first await, so the queue waits once.
 * @param name the name of the step, for messages.
 * @throws PackedRnnError (rejects) ERR_NON_FINITE, naming the step and the tensor, unless the step is to be skipped; the error of
 * an op that failed.
 */
export function figuresOf(issued: Issued, name: string, onNonFinite: OnNonFinite): Promise<StepFigures> {
  const { losses, sums, weight, gradNorm, places } = issued
  const norm = gradNorm.item().then(
    value => ({ gradNorm: value, skipped: null }),
    error => ({ gradNorm: Number.NaN, skipped: refused(name, error, places, onNonFinite) }),
  )
  const all = Promise.all([totalsOf(sums.map((each, i) => ({ loss: losses[i]!, ...each }))), norm])
  for (const tensor of [gradNorm, ...losses, ...tensorsOf(sums)]) tensor.dispose()
  return all.then(([totals, norm]) => ({ sums: { ...totals, weight }, ...norm }))
}

function tensorsOf(sums: readonly Record<string, Sum>[]): Scalar[] {
  return sums.flatMap(each => Object.values(each).flatMap(sum => (isOnHost(sum) ? [] : [sum])))
}

/** Returns the sums over batches on the host. All reads are issued before the first await. */
export async function totalsOf(sums: readonly Record<string, Sum>[]): Promise<Record<string, number>> {
  const entries = sums.flatMap(each => Object.entries(each))
  const values = await Promise.all(entries.map(([, sum]) => (isOnHost(sum) ? sum : sum.item())))
  const totals: Record<string, number> = {}
  for (const [i, [name]] of entries.entries()) totals[name] = (totals[name] ?? 0) + values[i]!
  return totals
}

function isOnHost(sum: Sum): sum is number | Promise<number> {
  return typeof sum === 'number' || sum instanceof Promise
}

/** Returns why a step was skipped. @throws PackedRnnError if the error has another cause or the step must not be skipped. */
function refused(step: string, error: unknown, places: readonly string[], onNonFinite: OnNonFinite): string {
  const what = `${step}: wanted finite numbers, got others in ${placeOf(error, places)}`
  if (onNonFinite === 'skip') return what
  throw new PackedRnnError('ERR_NON_FINITE', `fit: ${what}`, { cause: error })
}
