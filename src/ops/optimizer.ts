import { checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { type NativeBuffer, type NativeSteppedGroup, native } from '../native.js'
import type { Tensor } from '../tensor.js'

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
        const momenta = check.like(i, 'momenta', group.momenta, optional)
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
      groups: groups.map((group, i) => ({
        ...group,
        ...check.stepped(i),
        means: check.like(i, 'means', group.means),
        variances: check.like(i, 'variances', group.variances),
        maxima: check.like(i, 'maxima', group.maxima, !group.amsgrad),
      })),
    })
  })
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
        averages: check.like(i, 'averages', group.averages),
        rates: check.scalars(i, 'rates', group.rates),
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
        sums: check.like(i, 'sums', group.sums),
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

function changed(values: readonly Float[]): void {
  for (const value of values) value.storage.version++
}

/** Checks the lists of a group, and gives their buffers. */
class Check {
  readonly #op: string
  readonly #groups: readonly SteppedGroup[]
  readonly #device: Device

  constructor(op: string, groups: readonly SteppedGroup[], device: Device) {
    this.#op = op
    this.#groups = groups
    this.#device = device
  }

  stepped(group: number, uncounted = false): NativeSteppedGroup {
    const { parameters, gradients, steps } = this.#groups[group]!
    return {
      parameters: this.like(group, 'parameters', parameters),
      gradients: this.like(group, 'gradients', gradients),
      steps: this.scalars(group, 'steps', steps, uncounted),
    }
  }

  /** One tensor for each parameter, of its shape. */
  like(group: number, name: string, values: readonly Float[], optional = false): NativeBuffer[] {
    return this.#buffers(group, name, values, optional, parameter => parameter.shape)
  }

  scalars(group: number, name: string, values: readonly Float[], optional = false): NativeBuffer[] {
    return this.#buffers(group, name, values, optional, () => [])
  }

  #buffers(
    group: number,
    name: string,
    values: readonly Float[],
    optional: boolean,
    shapeFor: (parameter: Float) => readonly number[],
  ): NativeBuffer[] {
    const { parameters } = this.#groups[group]!
    const argument = `groups[${group}].${name}`
    const count = optional && values.length === 0 ? 0 : parameters.length
    if (values.length !== count) throw badArgument(this.#op, argument, `${count} tensors`, values.length)
    return values.map((value, i) => {
      const shape = shapeFor(parameters[i]!)
      checkTensor(this.#op, `${argument}[${i}]`, value, { dtype: 'float32', shape, device: this.#device })
      return value.buffer
    })
  }
}
