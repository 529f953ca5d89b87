import { checkInteger, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { add, exp, log, maximum, mul, scale, sub } from '../ops/elementwise.js'
import { cat, narrow } from '../ops/join.js'
import { matmul } from '../ops/products.js'
import { softmax, sum } from '../ops/reduce.js'
import { transpose } from '../ops/shape.js'
import { outlive } from '../scope.js'
import { type Float, type Matrix, tensor } from '../tensor.js'

/** Options of the continuous cache (Grave, Joulin and Usunier 2017). */
export interface CacheOptions {
  /** W, the number of tokens before the current one that the cache holds. */
  window: number
  /** θ, which sharpens the cache's distribution. */
  theta: number
  /** λ, the weight of the cache, below 1. */
  lambda: number
}

const names: OptionNames<CacheOptions> = { window: true, theta: true, lambda: true }

/** @throws PackedRnnError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT. */
export function checkCache(op: string, cache: CacheOptions): void {
  checkOptions(op, cache, names, 'cache')
  checkInteger(op, 'cache.window', cache.window, 1)
  checkNumber(op, 'cache.theta', cache.theta, 0)
  checkNumber(op, 'cache.lambda', cache.lambda, 0, 1 - 2 ** -53)
}

/** Added to the score of a token that the cache does not hold. */
const HIDDEN = -1e30

/**
 * The features of the last tokens of one text, and the token after each. Token t has the probability
 * λ Σᵢ softmax(θ hᵢ·h_t) [xᵢ₊₁ = xₜ₊₁] + (1 − λ) p, over the W tokens i before t. Before the second token it is p.
 */
export class TokenCache {
  readonly #options: CacheOptions
  #features: Matrix | null = null
  #next: number[] = []

  constructor(options: CacheOptions) {
    this.#options = options
  }

  /**
   * Returns −log of the mixed probabilities [T] of the next tokens of a window.
   * @param features [T, F]
   * @param losses −log p of the model alone [T]
   */
  mixed(features: Matrix, losses: Float, next: Int32Array): Float {
    const { window, theta, lambda } = this.#options
    const before = this.#next.length
    const states = this.#features === null ? features : cat([this.#features, features])
    const tokens = [...this.#next, ...next]
    const scores = scale(matmul(features, transpose(states, 0, 1)), theta)
    const [held, equal] = [new Float32Array(scores.size).fill(HIDDEN), new Float32Array(scores.size)]
    for (let t = 0; t < next.length; t++) {
      const end = before + t
      for (let i = Math.max(0, end - window); i < end; i++) {
        const at = t * tokens.length + i
        held[at] = 0
        if (tokens[i] === next[t]) equal[at] = 1
      }
    }
    const of = (values: Float32Array, shape: readonly number[]) =>
      tensor(values, shape, { device: scores.device })
    const attention = softmax(add(scores, of(held, scores.shape)))
    const cached = sum(mul(attention, of(equal, scores.shape)), { dim: 1 })
    // Nothing is held before the second token.
    const share = Float32Array.from(next, (_, t) => (before + t === 0 ? 0 : lambda))
    const weights = of(share, [next.length])
    // As logarithms: e to the model's may be too small for a number.
    const model = sub(log(sub(1, weights)), losses)
    const fromCache = log(mul(weights, cached))
    const larger = maximum(model, fromCache)
    const mixed = add(larger, log(add(exp(sub(model, larger)), exp(sub(fromCache, larger)))))
    this.#keep(states, tokens)
    return scale(mixed, -1)
  }

  #keep(states: Matrix, tokens: number[]): void {
    const { window } = this.#options
    const kept = Math.min(window, tokens.length)
    const features = outlive(narrow(states, 0, tokens.length - kept, kept).detach())
    this.#features?.dispose()
    this.#features = features
    this.#next = tokens.slice(-kept)
  }

  dispose(): void {
    this.#features?.dispose()
    this.#features = null
  }
}
