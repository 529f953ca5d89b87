/** The optimisers in float64, one parameter at a time, written for reading. */

/** Takes one step on the parameter that it was made for, in place. */
export type Step = (gradient: Float64Array) => void

export interface SgdCase {
  lr: number
  momentum?: number
  dampening?: number
  nesterov?: boolean
  weightDecay?: number
  maximize?: boolean
}

export interface AdamCase {
  lr?: number
  betas?: [number, number]
  eps?: number
  weightDecay?: number
  amsgrad?: boolean
  maximize?: boolean
}

export interface AsgdCase {
  lr?: number
  lambda?: number
  alpha?: number
  t0?: number
  weightDecay?: number
  maximize?: boolean
}

export interface RmspropCase {
  lr?: number
  alpha?: number
  eps?: number
  weightDecay?: number
  momentum?: number
  centered?: boolean
  maximize?: boolean
}

export interface AdagradCase {
  lr?: number
  lrDecay?: number
  initialAccumulator?: number
  eps?: number
  weightDecay?: number
  maximize?: boolean
}

/** An optimiser by name, with its options. */
export type Rule =
  | { optimizer: 'SGD'; options: SgdCase }
  | { optimizer: 'Adam' | 'AdamW'; options: AdamCase }
  | { optimizer: 'ASGD'; options: AsgdCase }
  | { optimizer: 'RMSprop'; options: RmspropCase }
  | { optimizer: 'Adagrad'; options: AdagradCase }

export function optimizerReference(rule: Rule, p: Float64Array): Step {
  const step = descentReference(rule, p)
  // What makes the negative small.
  return rule.options.maximize ? gradient => step(gradient.map(g => -g)) : step
}

function descentReference(rule: Rule, p: Float64Array): Step {
  switch (rule.optimizer) {
    case 'SGD':
      return sgdReference(p, rule.options)
    case 'Adam':
      return adamReference(p, rule.options)
    case 'AdamW':
      return adamWReference(p, rule.options)
    case 'ASGD':
      return asgdReference(p, rule.options)
    case 'RMSprop':
      return rmspropReference(p, rule.options)
    case 'Adagrad':
      return adagradReference(p, rule.options)
  }
}

/** The gradient of the loss with λ/2 |p|² added. */
function decayed(gradient: Float64Array, p: Float64Array, weightDecay: number): Float64Array {
  return gradient.map((g, k) => g + weightDecay * p[k]!)
}

export function sgdReference(p: Float64Array, options: SgdCase): Step {
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options
  let velocity: Float64Array | null = null
  return gradient => {
    const g = decayed(gradient, p, weightDecay)
    // The first step takes the gradient undampened, as PyTorch does.
    velocity = velocity?.map((v, k) => momentum * v + (1 - dampening) * g[k]!) ?? g
    for (const [k, v] of velocity.entries()) {
      const plain = momentum === 0 ? g[k]! : v
      p[k]! -= lr * (nesterov ? g[k]! + momentum * v : plain)
    }
  }
}

export function adamReference(p: Float64Array, options: AdamCase): Step {
  const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0, amsgrad = false } = options
  const [beta1, beta2] = betas
  const m = new Float64Array(p.length)
  const v = new Float64Array(p.length)
  const largest = new Float64Array(p.length)
  let t = 0
  return gradient => {
    t++
    for (const [k, g] of decayed(gradient, p, weightDecay).entries()) {
      m[k] = beta1 * m[k]! + (1 - beta1) * g
      v[k] = beta2 * v[k]! + (1 - beta2) * g * g
      largest[k] = Math.max(largest[k]!, v[k]!)
      const second = amsgrad ? largest[k]! : v[k]!
      p[k]! -= (lr * (m[k]! / (1 - beta1 ** t))) / (Math.sqrt(second / (1 - beta2 ** t)) + eps)
    }
  }
}

/** Adam on a parameter that was shrunk before. */
export function adamWReference(p: Float64Array, options: AdamCase): Step {
  const { lr = 1e-3, weightDecay = 0.01 } = options
  const step = adamReference(p, { ...options, weightDecay: 0 })
  return gradient => {
    p.set(p.map(value => value * (1 - lr * weightDecay)))
    step(gradient)
  }
}

export function asgdReference(p: Float64Array, options: AsgdCase): Step & { average: Float64Array } {
  const { lr = 0.01, lambda = 1e-4, alpha = 0.75, t0 = 1e6, weightDecay = 0 } = options
  const average = new Float64Array(p.length)
  let [t, eta, mu] = [0, lr, 1]
  const step = (gradient: Float64Array) => {
    t++
    for (const [k, g] of decayed(gradient, p, weightDecay).entries()) {
      p[k] = p[k]! * (1 - lambda * eta) - eta * g
      average[k]! += mu * (p[k]! - average[k]!)
    }
    eta = lr / (1 + lambda * lr * t) ** alpha
    mu = 1 / Math.max(1, t - t0)
  }
  return Object.assign(step, { average })
}

export function rmspropReference(p: Float64Array, options: RmspropCase): Step {
  const { lr = 0.01, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = options
  const v = new Float64Array(p.length)
  const mean = new Float64Array(p.length)
  const velocity = new Float64Array(p.length)
  return gradient => {
    for (const [k, g] of decayed(gradient, p, weightDecay).entries()) {
      v[k] = alpha * v[k]! + (1 - alpha) * g * g
      mean[k] = alpha * mean[k]! + (1 - alpha) * g
      const variance = centered ? v[k]! - mean[k]! ** 2 : v[k]!
      velocity[k] = momentum * velocity[k]! + g / (Math.sqrt(variance) + eps)
      p[k]! -= lr * velocity[k]!
    }
  }
}

export function adagradReference(p: Float64Array, options: AdagradCase): Step {
  const { lr = 0.01, lrDecay = 0, initialAccumulator = 0, eps = 1e-10, weightDecay = 0 } = options
  const sum = new Float64Array(p.length).fill(initialAccumulator)
  let t = 0
  return gradient => {
    t++
    for (const [k, g] of decayed(gradient, p, weightDecay).entries()) {
      sum[k]! += g * g
      p[k]! -= (lr * g) / (1 + (t - 1) * lrDecay) / (Math.sqrt(sum[k]!) + eps)
    }
  }
}
