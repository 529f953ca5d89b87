import { noGrad } from '../autograd.js'
import { PackedRnnError } from '../errors.js'
import type { Module } from '../nn/index.js'
import { clipNorm } from '../ops/clip.js'
import { scale } from '../ops/elementwise.js'
import type { Scalar, Tensor } from '../tensor.js'

/** What a trainer does if a loss or a gradient is NaN or infinite; see `TrainerOptions`. */
export type OnNonFinite = 'throw' | 'skip' | 'ignore'
export const nonFiniteRules = ['throw', 'skip', 'ignore'] as const satisfies readonly OnNonFinite[]

/** The largest float32. Clipping gradients to this norm does not change them. */
export const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127

/**
 * Marks the gradients of a module as failed if one of them or a loss is not finite. A step then changes nothing, and reading the
 * gradients or their norm rejects. This is one op, and the host does not wait for it.
 * @returns descriptions of the tensors, for `placeOf`.
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
    // A copy, because the loss itself is read later.
    values.push(noGrad(() => scale(loss, 1)))
    places.push('the loss')
  }
  clipNorm(values, LARGEST_FLOAT, { normType: Number.POSITIVE_INFINITY, errorIfNonfinite: true })
  return places
}

/** Returns which tensor was not finite. @throws `error` if it has another cause. */
export function placeOf(error: unknown, places: readonly string[]): string {
  const found = error instanceof PackedRnnError && error.code === 'ERR_NON_FINITE'
  const index = found ? /with values\[(\d+)\]$/.exec(error.message)?.[1] : undefined
  const place = places[Number(index)]
  if (place === undefined) throw error
  return place
}
