import type { Device } from '../../src/device.js'
import { Adagrad, Adam, AdamW, ASGD, type Optimizer, RMSprop, SGD } from '../../src/optim/index.js'
import type { Generator } from '../../src/random.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import type { Rule } from '../reference/optimizers.js'

/** Parameters with given gradients instead of computed ones, and optimisers over them. */

export type Parameter = Tensor<'float32'>

/** Returns a parameter with the values of a vector. */
export function leaf(device: Device, values: ArrayLike<number>): Tensor<'float32', 1> {
  return tensor<1>(Float32Array.from(values), [values.length], { device, requiresGrad: true })
}

export function setGradient(parameter: Parameter, values: ArrayLike<number> | null): void {
  parameter.grad?.dispose()
  parameter.grad =
    values === null
      ? null
      : tensor<number>(Float32Array.from(values), parameter.shape, { device: parameter.device })
}

/** Returns gradients with magnitudes over nine powers of ten. */
export function drawGradient(generator: Generator, length: number): Float32Array {
  return Float32Array.from({ length }, () => generator.normal() * 10 ** (generator.below(10) - 7))
}

/** The optimiser of a rule, over parameters or groups of them. */
export function optimizerOf(
  rule: Rule,
  parameters: Parameter[] | { parameters: Parameter[] }[],
): Optimizer<{ lr: number }, string> {
  switch (rule.optimizer) {
    case 'SGD':
      return new SGD(parameters, rule.options)
    case 'Adam':
      return new Adam(parameters, rule.options)
    case 'AdamW':
      return new AdamW(parameters, rule.options)
    case 'ASGD':
      return new ASGD(parameters, rule.options)
    case 'RMSprop':
      return new RMSprop(parameters, rule.options)
    case 'Adagrad':
      return new Adagrad(parameters, rule.options)
  }
}

/** Every optimiser, with default options and with all options changed. */
export const rules: (Rule & { name: string })[] = [
  { name: 'SGD', optimizer: 'SGD', options: { lr: 0.03 } },
  { name: 'SGD with weight decay', optimizer: 'SGD', options: { lr: 0.03, weightDecay: 0.1 } },
  { name: 'SGD with momentum', optimizer: 'SGD', options: { lr: 0.03, momentum: 0.9 } },
  {
    name: 'SGD with dampening and weight decay',
    optimizer: 'SGD',
    options: { lr: 0.03, momentum: 0.9, dampening: 0.5, weightDecay: 0.1 },
  },
  {
    name: "SGD with Nesterov's momentum",
    optimizer: 'SGD',
    options: { lr: 0.03, momentum: 0.9, nesterov: true, weightDecay: 0.1 },
  },
  { name: 'Adam', optimizer: 'Adam', options: {} },
  {
    name: 'Adam with other options',
    optimizer: 'Adam',
    options: { lr: 0.1, betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.1, amsgrad: true },
  },
  { name: 'AdamW', optimizer: 'AdamW', options: {} },
  {
    name: 'AdamW with other options',
    optimizer: 'AdamW',
    options: { lr: 0.1, betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.1, amsgrad: true },
  },
  { name: 'ASGD', optimizer: 'ASGD', options: {} },
  {
    name: 'ASGD with other options',
    optimizer: 'ASGD',
    options: { lr: 0.03, lambda: 0.1, alpha: 0.6, t0: 2, weightDecay: 0.1 },
  },
  { name: 'RMSprop', optimizer: 'RMSprop', options: {} },
  {
    name: 'RMSprop with other options',
    optimizer: 'RMSprop',
    options: { lr: 0.03, alpha: 0.9, eps: 1e-3, weightDecay: 0.1 },
  },
  { name: 'RMSprop, centred', optimizer: 'RMSprop', options: { centered: true } },
  { name: 'RMSprop with momentum', optimizer: 'RMSprop', options: { lr: 1e-3, momentum: 0.9 } },
  {
    name: 'RMSprop, centred, with momentum, maximising',
    optimizer: 'RMSprop',
    options: {
      ...{ lr: 1e-3, alpha: 0.9, eps: 1e-3, weightDecay: 0.1 },
      ...{ momentum: 0.9, centered: true, maximize: true },
    },
  },
  { name: 'Adagrad', optimizer: 'Adagrad', options: {} },
  {
    name: 'Adagrad with other options',
    optimizer: 'Adagrad',
    options: { lr: 0.1, lrDecay: 0.1, initialAccumulator: 0.5, eps: 1e-3, weightDecay: 0.1 },
  },
  {
    name: 'SGD, maximising',
    optimizer: 'SGD',
    options: { lr: 0.03, momentum: 0.9, weightDecay: 0.1, maximize: true },
  },
  { name: 'Adam, maximising', optimizer: 'Adam', options: { weightDecay: 0.1, maximize: true } },
  { name: 'AdamW, maximising', optimizer: 'AdamW', options: { amsgrad: true, maximize: true } },
  { name: 'ASGD, maximising', optimizer: 'ASGD', options: { t0: 2, weightDecay: 0.1, maximize: true } },
  { name: 'Adagrad, maximising', optimizer: 'Adagrad', options: { weightDecay: 0.1, maximize: true } },
]
