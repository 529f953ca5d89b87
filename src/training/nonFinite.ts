import { noGrad } from '../autograd.js'
import { PackedRnnError } from '../errors.js'
import type { Module } from '../nn/index.js'
import { clipNorm } from '../ops/clip.js'
import { scale } from '../ops/elementwise.js'
import type { Scalar, Tensor } from '../tensor.js'

/** What happens where a loss or a gradient is NaN or infinite; see `TrainerOptions`. */
export type OnNonFinite = 'throw' | 'skip' | 'ignore'
export const nonFiniteRules = ['throw', 'skip', 'ignore'] as const satisfies readonly OnNonFinite[]

/** No finite float32 is larger: gradients that are clipped to this norm stay as they are. */
export const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127

/**
 * Makes the gradients of a module fail where one of them or a loss is not finite, so that a step along them changes nothing
 * and reading them or their norm rejects. One op; the host does not wait for it.
 * @returns what stands at each place that an error may name, for `placeOf`.
 */
export function refuseNonFinite(module: Module, ...losses: readonly Scalar[]): string[] {
  const values: Tensor<'float32'>[] = []
  const places: string[] = []
  for (const [name, { grad }] of module.namedParameters()) {
    if (grad === null) continue
    values.push(grad)
    places.push(`the gradient of ${name}`)
  }
  for (const loss of losses) {
    // A copy: the loss itself is still to be read.
    values.push(noGrad(() => scale(loss, 1)))
    places.push('the loss')
  }
  clipNorm(values, LARGEST_FLOAT, { normType: Number.POSITIVE_INFINITY, errorIfNonfinite: true })
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
