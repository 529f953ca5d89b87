import { checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { type NativeBuffer, native } from '../native.js'
import type { Float } from '../tensor.js'
import { MissedSteps } from './missedSteps.js'

/**
 * One step of all groups of an optimiser, in place. Every parameter, its state and its counter change; if one
 * gradient cannot be read, none do. `src/optim` checks the options and keeps the state; native/cells.h has
 * the rules.
 */

/** The parameters of a group that have a gradient, at least one. The other lists have the same length. */
export interface SteppedGroup {
  parameters: readonly Float[]
  gradients: readonly Float[]
  /** The number of steps each has taken, of no dimensions. The device counts, so that a failed step doesn't. */
  steps: readonly Float[]
  lr: number
  weightDecay: number
  /** Whether the gradient is negated before anything else. */
  maximize: boolean
}

export interface SgdGroup extends SteppedGroup {
  /** b; empty, like `steps`, if momentum is 0. */
  momenta: readonly Float[]
  momentum: number
  dampening: number
  nesterov: boolean
}

/** b = μ b + (1 − τ) g, at the first step g; p −= lr b, with Nesterov lr (g + μ b), without momentum lr g. */
export function sgdStep(groups: readonly SgdGroup[]): void {
  step('sgdStep', groups, (device, check) => {
    const optional = groups.map(group => group.momentum === 0)
    native.sgdStep(device.queue, {
      ...check.stepped(optional),
      options: each(groups, ({ lr, ...options }) => ({ learningRate: lr, ...options })),
      momenta: check.like('momenta', group => group.momenta, optional),
    })
  })
}

export interface AdamGroup extends SteppedGroup {
  /** m */
  means: readonly Float[]
  /** v */
  variances: readonly Float[]
  /** The largest v so far; empty without AMSGrad. */
  maxima: readonly Float[]
  beta1: number
  beta2: number
  eps: number
  amsgrad: boolean
  /** Whether weight decay shrinks the parameter, p *= 1 − lr λ, instead of adding to the gradient. */
  decoupled: boolean
}

/**
 * m += (1 − β₁)(g − m), v = β₂ v + (1 − β₂) g², p −= lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε); AMSGrad uses
 * the largest v so far.
 */
export function adamStep(groups: readonly AdamGroup[]): void {
  step('adamStep', groups, (device, check) => {
    const parameters = check.tensors('parameters', group => group.parameters)
    const gradients = check.tensors('gradients', group => group.gradients)
    const steps = check.scalars('steps', group => group.steps)
    const means = check.tensors('means', group => group.means)
    const variances = check.tensors('variances', group => group.variances)
    const maxima = check.tensors(
      'maxima',
      group => group.maxima,
      groups.map(group => !group.amsgrad),
    )
    const rows = gradients.map(gradient => gradient?.storage.rows ?? null)
    const missed = rows.map((inRows, i) => {
      if (inRows === null) return null
      const state = [parameters, means, variances, maxima].flatMap(list => list[i]?.storage ?? [])
      return MissedSteps.of(device, state, inRows).issue()
    })
    // Rows with a deferred step are brought up to date when they are read, not here.
    const memory = (values: readonly (Float | null)[]) =>
      values.map((value, i) => (rows[i] ? value?.storage.unsettled : value?.buffer) ?? null)
    native.adamStep(device.queue, {
      parameters: memory(parameters),
      gradients: memory(gradients),
      steps,
      options: each(groups, ({ lr, eps, ...options }) => ({ learningRate: lr, epsilon: eps, ...options })),
      means: memory(means),
      variances: memory(variances),
      maxima: memory(maxima),
      columns: rows.map(inRows => inRows?.columns ?? 0),
      tableRows: rows.map(inRows => inRows?.tableRows ?? 0),
      ids: rows.map(inRows => inRows?.ids.buffer ?? null),
      rests: rows.map(inRows => inRows?.rest.buffer ?? null),
      missed,
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
      ...check.stepped(),
      options: each(groups, ({ lr, ...options }) => ({ learningRate: lr, ...options })),
      averages: check.like('averages', group => group.averages),
      rates: check.scalars('rates', group => group.rates),
    })
  })
  for (const { averages } of groups) changed(averages)
}

export interface AdagradGroup extends SteppedGroup {
  /** s */
  sums: readonly Float[]
  /** a; empty if it is not centred. */
  averages: readonly Float[]
  /** b; empty if momentum is 0. */
  momenta: readonly Float[]
  lrDecay: number
  eps: number
  keep: number
  add: number
  /** The initial value of every sum. */
  initialAccumulator: number
  momentum: number
  centered: boolean
}

/**
 * s = keep s + add g², p −= lr / (1 + (t − 1) lrDecay) · g / (√s + ε). Centred, s − a² replaces s, where a =
 * keep a + add g. With momentum, b = μ b + g / (√s + ε) and p −= lr b.
 */
export function adagradStep(groups: readonly AdagradGroup[]): void {
  step('adagradStep', groups, (device, check) => {
    native.adagradStep(device.queue, {
      ...check.stepped(),
      options: each(groups, ({ lr, lrDecay, eps, initialAccumulator, ...options }) => ({
        learningRate: lr,
        rateDecay: lrDecay,
        epsilon: eps,
        initial: initialAccumulator,
        ...options,
      })),
      sums: check.like('sums', group => group.sums),
      averages: check.like(
        'averages',
        group => group.averages,
        groups.map(group => !group.centered),
      ),
      momenta: check.like(
        'momenta',
        group => group.momenta,
        groups.map(group => group.momentum === 0),
      ),
    })
  })
}

/** Returns the options of each group, once for each of its tensors. */
function each<Group extends SteppedGroup, Options>(
  groups: readonly Group[],
  optionsOf: (group: Group) => Options,
): Options[] {
  return groups.flatMap(group => {
    const options = optionsOf(group)
    return group.parameters.map(() => options)
  })
}

/** Runs `submit` on the device of the first parameter, then counts the change of all parameters. */
function step<Group extends SteppedGroup>(
  op: string,
  groups: readonly Group[],
  submit: (device: Device, check: Check<Group>) => void,
): void {
  const device = groups[0]?.parameters[0]?.device
  if (device === undefined) return
  submit(device, new Check(op, groups, device))
  for (const { parameters } of groups) changed(parameters)
}

function buffers(values: readonly (Float | null)[]): (NativeBuffer | null)[] {
  return values.map(value => value?.buffer ?? null)
}

function changed(values: readonly Float[]): void {
  for (const value of values) value.storage.version++
}

/**
 * Checks the lists of all groups and joins them: one entry for each parameter, null for a group without that
 * list.
 */
class Check<Group extends SteppedGroup> {
  readonly #op: string
  readonly #groups: readonly Group[]
  readonly #device: Device

  constructor(op: string, groups: readonly Group[], device: Device) {
    this.#op = op
    this.#groups = groups
    this.#device = device
  }

  /** Returns the arguments of every rule; `uncounted` marks the groups whose steps are not counted. */
  stepped(uncounted?: readonly boolean[]) {
    return {
      parameters: this.like('parameters', group => group.parameters),
      gradients: this.like('gradients', group => group.gradients),
      steps: this.scalars('steps', group => group.steps, uncounted),
    }
  }

  /** Returns one tensor for each parameter, of its shape; `optional` marks the groups that may have none. */
  like(name: string, listOf: (group: Group) => readonly Float[], optional?: readonly boolean[]) {
    return buffers(this.tensors(name, listOf, optional))
  }

  scalars(name: string, listOf: (group: Group) => readonly Float[], optional?: readonly boolean[]) {
    return buffers(this.tensors(name, listOf, optional, () => []))
  }

  tensors(
    name: string,
    listOf: (group: Group) => readonly Float[],
    optional?: readonly boolean[],
    shapeFor: (parameter: Float) => readonly number[] = parameter => parameter.shape,
  ): (Float | null)[] {
    return this.#groups.flatMap((group, g): readonly (Float | null)[] => {
      const { parameters } = group
      const values = listOf(group)
      if (optional?.[g] && values.length === 0) return parameters.map(() => null)
      const argument = `groups[${g}].${name}`
      if (values.length !== parameters.length)
        throw badArgument(this.#op, argument, `${parameters.length} tensors`, values.length)
      values.forEach((value, i) => {
        const shape = shapeFor(parameters[i]!)
        checkTensor(this.#op, `${argument}[${i}]`, value, { dtype: 'float32', shape, device: this.#device })
      })
      return values
    })
  }
}
