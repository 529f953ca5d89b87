import { checkNumber, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { empty, type Tensor } from '../tensor.js'

type Float = Tensor<'float32'>

/**
 * Steps in place over many tensors at once: all of them change or, where one cannot be read, none. `src/optim` keeps
 * the state that they need.
 */

function check(op: string, name: string, values: readonly Float[], like: readonly Float[]): void {
  if (values.length !== like.length) throw badArgument(op, name, `${like.length} tensors`, values.length)
  values.forEach((value, i) => {
    const { shape, device } = like[i]!
    checkTensor(op, `${name}[${i}]`, value, { dtype: 'float32', shape, device })
  })
}

function changed(values: readonly Float[]): void {
  for (const value of values) value.storage.version++
}

const buffers = (values: readonly Float[]) => values.map(value => value.buffer)

/** Multiplies by min(1, maxNorm / (norm + 1e-6)) and returns the 2-norm over all that was. */
export function clipNorm(values: readonly Float[], maxNorm: number): Tensor<'float32', 0> {
  const op = 'clipGradNorm'
  const first = values[0]
  if (first === undefined) throw badArgument(op, 'values', 'at least one tensor', values)
  checkNumber(op, 'maxNorm', maxNorm, 0, Number.MAX_VALUE)
  values.forEach((value, i) => {
    checkTensor(op, `values[${i}]`, value, { dtype: 'float32', device: first.device })
  })
  const total = empty<0>(first.device, [])
  native.clipNorm(first.device.queue, { maxNorm, values: buffers(values), total: total.buffer })
  changed(values)
  return total
}

export interface SgdStep {
  parameters: readonly Float[]
  gradients: readonly Float[]
  /** Momentum buffers; none where momentum is 0. */
  momenta: readonly Float[]
  /** Where the momentum buffer starts as the gradient. */
  firstSteps: readonly boolean[]
  learningRate: number
  momentum: number
}

/** buf = μ buf + g (the first time g), p −= lr buf; without momentum p −= lr g. */
export function sgdStep(step: SgdStep): void {
  const { parameters, gradients, momenta, firstSteps, learningRate, momentum } = step
  const first = parameters[0]
  if (first === undefined) return
  check('sgdStep', 'parameters', parameters, parameters)
  check('sgdStep', 'gradients', gradients, parameters)
  if (momentum !== 0) check('sgdStep', 'momenta', momenta, parameters)
  native.sgdStep(first.device.queue, {
    learningRate,
    momentum,
    parameters: buffers(parameters),
    gradients: buffers(gradients),
    momenta: buffers(momenta),
    firstSteps: firstSteps.map(Number),
  })
  changed([...parameters, ...momenta])
}

export interface AdamStep {
  parameters: readonly Float[]
  gradients: readonly Float[]
  /** m */
  means: readonly Float[]
  /** v */
  variances: readonly Float[]
  /** t of this step for each parameter, from 1. */
  steps: readonly number[]
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
}

/** m += (1 − β₁)(g − m), v = β₂ v + (1 − β₂) g², p −= lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε). */
export function adamStep(step: AdamStep): void {
  const { parameters, gradients, means, variances, steps, learningRate, beta1, beta2, epsilon } = step
  const first = parameters[0]
  if (first === undefined) return
  check('adamStep', 'parameters', parameters, parameters)
  check('adamStep', 'gradients', gradients, parameters)
  check('adamStep', 'means', means, parameters)
  check('adamStep', 'variances', variances, parameters)
  native.adamStep(first.device.queue, {
    learningRate,
    beta1,
    beta2,
    epsilon,
    parameters: buffers(parameters),
    gradients: buffers(gradients),
    means: buffers(means),
    variances: buffers(variances),
    steps: [...steps],
  })
  changed([...parameters, ...means, ...variances])
}
