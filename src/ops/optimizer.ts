import { checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { type NativeAdamRows, type NativeBuffer, type NativeSteppedGroup, native } from '../native.js'
import type { Storage } from '../storage.js'
import type { Tensor } from '../tensor.js'
import { MissedSteps } from './missedSteps.js'

type Float = Tensor<'float32'>

/**
 * One step of all groups of an optimiser, in place: every parameter, its state and its counter change or, where one
 * gradient cannot be read, none. `src/optim` checks the options and keeps the state; native/cells.h has the rules.
 */

/** The parameters of a group that have a gradient, at least one. The other lists are as long. */
export interface SteppedGroup {
  parameters: readonly Float[]
  gradients: readonly Float[]
  /** How many steps each has taken, of no dimensions. The device counts, so that a step that fails does not. */
  steps: readonly Float[]
  lr: number
  weightDecay: number
}

export interface SgdGroup extends SteppedGroup {
  /** b; none, like `steps`, where momentum is 0. */
  momenta: readonly Float[]
  momentum: number
  dampening: number
  nesterov: boolean
}

/** b = μ b + (1 − τ) g, the first time g; p −= lr b, with Nesterov lr (g + μ b), without momentum lr g. */
export function sgdStep(groups: readonly SgdGroup[]): void {
  step('sgdStep', groups, (device, check) => {
    native.sgdStep(device.queue, {
      groups: groups.map((group, i) => {
        const optional = group.momentum === 0
        const momenta = buffers(check.like(i, 'momenta', group.momenta, optional))
        return { ...group, ...check.stepped(i, optional), momenta }
      }),
    })
  })
}

export interface AdamGroup extends SteppedGroup {
  /** m */
  means: readonly Float[]
  /** v */
  variances: readonly Float[]
  /** The largest v so far; none without AMSGrad. */
  maxima: readonly Float[]
  beta1: number
  beta2: number
  eps: number
  amsgrad: boolean
  /** Whether weight decay shrinks the parameter, p *= 1 − lr λ, instead of growing the gradient. */
  decoupled: boolean
}

/**
 * m += (1 − β₁)(g − m), v = β₂ v + (1 − β₂) g², p −= lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε); AMSGrad takes the
 * largest v so far.
 */
export function adamStep(groups: readonly AdamGroup[]): void {
  step('adamStep', groups, (device, check) => {
    native.adamStep(device.queue, {
      groups: groups.map((group, i) => {
        const parameters = check.like(i, 'parameters', group.parameters)
        const gradients = check.like(i, 'gradients', group.gradients)
        const steps = check.scalars(i, 'steps', group.steps)
        const means = check.like(i, 'means', group.means)
        const variances = check.like(i, 'variances', group.variances)
        const maxima = check.like(i, 'maxima', group.maxima, !group.amsgrad)
        const rows = gradients.map(({ storage }, j) => {
          const state = [parameters, means, variances, maxima].flatMap(list => list[j]?.storage ?? [])
          return adamRows(device, storage, state)
        })
        // Memory that a step in rows leaves behind is up to date again when it is read, and not here.
        const memory = (values: readonly Float[]) =>
          values.map(({ storage }, j) => (gradients[j]!.storage.rows ? storage.unsettled : storage.buffer))
        return {
          ...group,
          parameters: memory(parameters),
          gradients: memory(gradients),
          steps: buffers(steps),
          means: memory(means),
          variances: memory(variances),
          maxima: memory(maxima),
          rows,
        }
      }),
    })
  })
}

/** What Adam is told of a gradient in rows, and nothing of a dense one; `state` are the table, m, v and the largest v. */
function adamRows(device: Device, { rows }: Storage, state: readonly Storage[]): NativeAdamRows {
  if (rows === null) return { tableRows: 0, columns: 0, ids: null, rest: null, missed: null }
  return {
    tableRows: rows.tableRows,
    columns: rows.columns,
    ids: rows.ids.buffer,
    rest: rows.rest.buffer,
    missed: MissedSteps.of(device, state, rows).issue(),
  }
}

export interface AsgdGroup extends SteppedGroup {
  averages: readonly Float[]
  /** η of the next step, of no dimensions. */
  rates: readonly Float[]
  lambda: number
  alpha: number
  t0: number
}

/** p = (1 − λ η) p − η g, a += μ (p − a); then η = lr / (1 + λ lr t)^α and μ = 1 / max(1, t − t₀). */
export function asgdStep(groups: readonly AsgdGroup[]): void {
  step('asgdStep', groups, (device, check) => {
    native.asgdStep(device.queue, {
      groups: groups.map((group, i) => ({
        ...group,
        ...check.stepped(i),
        averages: buffers(check.like(i, 'averages', group.averages)),
        rates: buffers(check.scalars(i, 'rates', group.rates)),
      })),
    })
  })
  for (const { averages } of groups) changed(averages)
}

export interface AdagradGroup extends SteppedGroup {
  sums: readonly Float[]
  lrDecay: number
  eps: number
  keep: number
  add: number
  /** What every sum holds before the first step. */
  initialAccumulator: number
}

/** s = keep s + add g², p −= lr / (1 + (t − 1) lrDecay) · g / (√s + ε). */
export function adagradStep(groups: readonly AdagradGroup[]): void {
  step('adagradStep', groups, (device, check) => {
    native.adagradStep(device.queue, {
      groups: groups.map((group, i) => ({
        ...group,
        ...check.stepped(i),
        sums: buffers(check.like(i, 'sums', group.sums)),
      })),
    })
  })
}

/** Runs `submit` on the device of the first parameter, then counts the change of all parameters. */
function step(
  op: string,
  groups: readonly SteppedGroup[],
  submit: (device: Device, check: Check) => void,
): void {
  const device = groups[0]?.parameters[0]?.device
  if (device === undefined) return
  submit(device, new Check(op, groups, device))
  for (const { parameters } of groups) changed(parameters)
}

function buffers(values: readonly Float[]): NativeBuffer[] {
  return values.map(value => value.buffer)
}

function changed(values: readonly Float[]): void {
  for (const value of values) value.storage.version++
}

/** Checks the lists of a group, and gives them back. */
class Check {
  readonly #op: string
  readonly #groups: readonly SteppedGroup[]
  readonly #device: Device

  constructor(op: string, groups: readonly SteppedGroup[], device: Device) {
    this.#op = op
    this.#groups = groups
    this.#device = device
  }

  /** What every rule reads, ready for the op. */
  stepped(group: number, uncounted = false): NativeSteppedGroup {
    const { parameters, gradients, steps } = this.#groups[group]!
    return {
      parameters: buffers(this.like(group, 'parameters', parameters)),
      gradients: buffers(this.like(group, 'gradients', gradients)),
      steps: buffers(this.scalars(group, 'steps', steps, uncounted)),
    }
  }

  /** One tensor for each parameter, of its shape. */
  like(group: number, name: string, values: readonly Float[], optional = false): readonly Float[] {
    return this.#checked(group, name, values, optional, parameter => parameter.shape)
  }

  scalars(group: number, name: string, values: readonly Float[], optional = false): readonly Float[] {
    return this.#checked(group, name, values, optional, () => [])
  }

  #checked(
    group: number,
    name: string,
    values: readonly Float[],
    optional: boolean,
    shapeFor: (parameter: Float) => readonly number[],
  ): readonly Float[] {
    const { parameters } = this.#groups[group]!
    const argument = `groups[${group}].${name}`
    const count = optional && values.length === 0 ? 0 : parameters.length
    if (values.length !== count) throw badArgument(this.#op, argument, `${count} tensors`, values.length)
    values.forEach((value, i) => {
      const shape = shapeFor(parameters[i]!)
      checkTensor(this.#op, `${argument}[${i}]`, value, { dtype: 'float32', shape, device: this.#device })
    })
    return values
  }
}
