import { noGrad } from '../autograd.js'
import { PackedRnnError } from '../errors.js'
import type { Module } from '../nn/index.js'
import { clipNorm } from '../ops/clip.js'
import { scale } from '../ops/elementwise.js'
import type { Tensor } from '../tensor.js'

/** What happens where a loss or a gradient is NaN or infinite; see `TrainingOptions`. */
export type OnNonFinite = 'throw' | 'skip' | 'ignore'
export const nonFiniteRules = ['throw', 'skip', 'ignore'] as const satisfies readonly OnNonFinite[]

/** No finite number is larger, so gradients stay as they are. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127

/**
 * Fails the gradients of a module where one of them or the loss is not finite, so that a step along them changes nothing,
 * and whoever reads them or their norm hears of it. One op, which nobody waits for.
 * @returns what stands at each place that `placeOf` may be told of.
 */
export function refuseNonFinite(module: Module, loss: Tensor<'float32', 0>): string[] {
  const values: Tensor<'float32'>[] = []
  const places: string[] = []
  for (const [name, { grad }] of module.namedParameters()) {
    if (grad === null) continue
    values.push(grad)
    places.push(`the gradient of ${name}`)
  }
  // A copy: the loss itself is still to be told.
  values.push(noGrad(() => scale(loss, 1)))
  places.push('the loss')
  clipNorm(values, LARGEST, { normType: Number.POSITIVE_INFINITY, errorIfNonfinite: true })
  return places
}

/** Where the number was that gradients were refused for. @throws `error` where that is another one. */
export function placeOf(error: unknown, places: readonly string[]): string {
  const found = error instanceof PackedRnnError && error.code === 'ERR_NON_FINITE'
  const index = found ? /with values\[(\d+)\]$/.exec(error.message)?.[1] : undefined
  const place = places[Number(index)]
  if (place === undefined) throw error
  return place
}
