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

/** What a step of the trainer does to the model; it issues ops and reads nothing. */
export interface StepperOptions<Batch, Carry extends State> {
  model: Module
  task: Task<Batch, Carry>
  optimizer: AnyOptimizer
  scheduler: TrainerScheduler | null
  clip: Clip | null
  onNonFinite: OnNonFinite
}

/** Whose gradients are clipped together, and to which 2-norm. */
export interface Clip {
  parameters: readonly Tensor<'float32'>[]
  maxNorm: number
}

/** A step that was issued. The tensors are the caller's to dispose. */
export interface Issued {
  losses: Scalar[]
  /** Of each batch. */
  sums: Record<string, Sum>[]
  weight: number
  gradNorm: Scalar
  /** What `placeOf` reads. */
  places: string[]
  learningRate: number
}

/** Issues steps: forward and backward of each batch, clipping, and one step of the optimiser. */
export class Stepper<Batch, Carry extends State> {
  readonly #options: StepperOptions<Batch, Carry>
  #carry: Carry | null = null

  constructor(options: StepperOptions<Batch, Carry>) {
    this.#options = options
  }

  /** What the next batch is given. */
  get carry(): Carry | null {
    return this.#carry
  }

  /** Another carry, which the stepper owns. */
  set carry(carry: Carry | null) {
    if (this.#carry !== null) disposeState(this.#carry)
    this.#carry = carry
  }

  /**
   * One step on some batches. Where a number of it is not finite it changes nothing, unless `onNonFinite` is 'ignore';
   * `figuresOf` reports it.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a weight that is not above 0; those of the task and of the ops.
   */
  issue(batches: readonly Batch[]): Issued {
    const { model, task, optimizer, scheduler, clip, onNonFinite } = this.#options
    const weight = batches.reduce((sum, batch) => sum + weightOf(task, batch), 0)
    return scope(() => {
      const one = (batch: Batch) => this.#accumulate(task.step(batch, this.#carry), weight)
      // Several in turn: what one batch leaves is freed before the next.
      const results = batches.length === 1 ? batches.map(one) : batches.map(batch => scope(() => one(batch)))
      const losses = results.map(({ loss }) => loss)
      const places = onNonFinite === 'ignore' ? [] : refuseNonFinite(model, ...losses)
      const gradNorm = clipGradNorm(clip?.parameters ?? model.parameters(), clip?.maxNorm ?? LARGEST_FLOAT)
      const learningRate = optimizer.groups[0]!.lr
      optimizer.step()
      scheduler?.step?.()
      model.zeroGrad()
      return { losses, sums: results.map(({ sums }) => sums), weight, gradNorm, places, learningRate }
    })
  }

  /** Adds ∇loss / weight to the gradients, and keeps the carry. */
  #accumulate({ loss, sums, carry }: StepResult<Carry>, weight: number): Omit<StepResult<Carry>, 'carry'> {
    // A rejection is reported when the step's numbers are awaited; after an earlier failure nothing awaits them.
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

/** The numbers of a step on the host. */
export interface StepFigures {
  /** Summed over its batches, `loss` and `weight` among them. */
  sums: Record<string, number>
  gradNorm: number
  /** Where a number was not finite, if that is why the step was left out. */
  skipped: string | null
}

/**
 * Reads a step's numbers and frees its tensors. All are asked for before the first is there, so the device's queue waits once.
 * @param name of the step, for messages.
 * @throws PackedRnnError (rejects) ERR_NON_FINITE naming the step and the place, unless it is to be skipped; with the failure
 * of an op.
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

/** The sums of some batches, on the host; what is read is asked for before the first await. */
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

/** Why a step was left out. @throws PackedRnnError, unless its numbers are the reason and it is to be skipped. */
function refused(step: string, error: unknown, places: readonly string[], onNonFinite: OnNonFinite): string {
  const what = `${step}: wanted finite numbers, got others in ${placeOf(error, places)}`
  if (onNonFinite === 'skip') return what
  throw new PackedRnnError('ERR_NON_FINITE', `fit: ${what}`, { cause: error })
}
