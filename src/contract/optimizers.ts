// Made by `npm run generate` from native/ops/optimizers.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface SgdOptions {
  learningRate: number
  momentum: number
  dampening: number
  weightDecay: number
  nesterov: boolean
  maximize: boolean
}

export interface SgdStep {
  /** float32, updated. */
  parameters: readonly (NativeBuffer | null)[]
  /** float32, read. */
  gradients: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  steps: readonly (NativeBuffer | null)[]
  /** One a tensor. */
  options: readonly SgdOptions[]
  /** float32, updated. */
  momenta: readonly (NativeBuffer | null)[]
}

export function sgdStep(device: NativeDevice, of: SgdStep): void {
  raw.sgdStep(
    device,
    of.parameters,
    of.gradients,
    of.steps,
    new Float64Array(
      of.options.flatMap(one => [
        one.learningRate,
        one.momentum,
        one.dampening,
        one.weightDecay,
        one.nesterov ? 1 : 0,
        one.maximize ? 1 : 0,
      ]),
    ),
    of.momenta,
  )
}

export interface AdamOptions {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  decoupled: boolean
  amsgrad: boolean
  maximize: boolean
}

export interface AdamStep {
  /** One a tensor. */
  columns: readonly number[]
  /** One a tensor. */
  tableRows: readonly number[]
  /** int32, read. */
  ids: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  parameters: readonly (NativeBuffer | null)[]
  /** float32, read. */
  gradients: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  steps: readonly (NativeBuffer | null)[]
  /** One a tensor. */
  options: readonly AdamOptions[]
  /** float32, updated. */
  means: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  variances: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  maxima: readonly (NativeBuffer | null)[]
  /** float32, read. */
  rests: readonly (NativeBuffer | null)[]
  /** int32, updated. */
  missed: readonly (NativeBuffer | null)[]
}

export function adamStep(device: NativeDevice, of: AdamStep): void {
  raw.adamStep(
    device,
    new Float64Array(of.columns),
    new Float64Array(of.tableRows),
    of.ids,
    of.parameters,
    of.gradients,
    of.steps,
    new Float64Array(
      of.options.flatMap(one => [
        one.learningRate,
        one.beta1,
        one.beta2,
        one.epsilon,
        one.weightDecay,
        one.decoupled ? 1 : 0,
        one.amsgrad ? 1 : 0,
        one.maximize ? 1 : 0,
      ]),
    ),
    of.means,
    of.variances,
    of.maxima,
    of.rests,
    of.missed,
  )
}

export interface AdamCatchUp {
  rows: number
  columns: number
  count: number
  /** float32 [rows, columns], updated if it has memory. */
  parameter: NativeBuffer
  /** float32 [rows, columns], updated if it has memory. */
  mean: NativeBuffer
  /** float32 [rows, columns], updated if it has memory. */
  variance: NativeBuffer
  /** float32 [rows, columns], updated if it has memory. */
  maximum: NativeBuffer | null
  /** int32 [words], updated if it has memory. */
  missed: NativeBuffer
  /** int32 [count], read. */
  ids: NativeBuffer | null
}

export function adamCatchUp(device: NativeDevice, of: AdamCatchUp): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.count
  raw.adamCatchUp(device, of.parameter, of.mean, of.variance, of.maximum, of.missed, of.ids)
}

export interface AsgdOptions {
  learningRate: number
  lambda: number
  alpha: number
  t0: number
  weightDecay: number
  maximize: boolean
}

export interface AsgdStep {
  /** float32, updated. */
  parameters: readonly (NativeBuffer | null)[]
  /** float32, read. */
  gradients: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  steps: readonly (NativeBuffer | null)[]
  /** One a tensor. */
  options: readonly AsgdOptions[]
  /** float32, updated. */
  averages: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  rates: readonly (NativeBuffer | null)[]
}

export function asgdStep(device: NativeDevice, of: AsgdStep): void {
  raw.asgdStep(
    device,
    of.parameters,
    of.gradients,
    of.steps,
    new Float64Array(
      of.options.flatMap(one => [
        one.learningRate,
        one.lambda,
        one.alpha,
        one.t0,
        one.weightDecay,
        one.maximize ? 1 : 0,
      ]),
    ),
    of.averages,
    of.rates,
  )
}

export interface AdagradOptions {
  learningRate: number
  rateDecay: number
  epsilon: number
  weightDecay: number
  keep: number
  add: number
  initial: number
  momentum: number
  centered: boolean
  maximize: boolean
}

export interface AdagradStep {
  /** float32, updated. */
  parameters: readonly (NativeBuffer | null)[]
  /** float32, read. */
  gradients: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  steps: readonly (NativeBuffer | null)[]
  /** One a tensor. */
  options: readonly AdagradOptions[]
  /** float32, updated. */
  sums: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  averages: readonly (NativeBuffer | null)[]
  /** float32, updated. */
  momenta: readonly (NativeBuffer | null)[]
}

export function adagradStep(device: NativeDevice, of: AdagradStep): void {
  raw.adagradStep(
    device,
    of.parameters,
    of.gradients,
    of.steps,
    new Float64Array(
      of.options.flatMap(one => [
        one.learningRate,
        one.rateDecay,
        one.epsilon,
        one.weightDecay,
        one.keep,
        one.add,
        one.initial,
        one.momentum,
        one.centered ? 1 : 0,
        one.maximize ? 1 : 0,
      ]),
    ),
    of.sums,
    of.averages,
    of.momenta,
  )
}
