import { checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { outlive } from '../scope.js'
import { type Float, Tensor } from '../tensor.js'

/** A tensor that is trained: `backward()` adds its gradient to `grad`. */
export type Parameter = Tensor<'float32'>

const kinds = new WeakMap<Tensor, 'parameter' | 'buffer'>()

function registered<T extends Float>(op: string, tensor: T, kind: 'parameter' | 'buffer'): T {
  checkTensor(op, 'tensor', tensor, { dtype: 'float32' })
  if (tensor.node !== null)
    throw badArgument(op, 'tensor', 'a tensor without a history', 'the result of an op')
  kinds.set(tensor, kind)
  tensor.requiresGrad = kind === 'parameter'
  return outlive(tensor)
}

/**
 * Marks a tensor as a parameter, as torch.nn.Parameter. A module registers it when you assign it to a property. The tensor then
 * requires a gradient, and no `scope` disposes it.
 *
 * @returns the same tensor.
 * @throws PackedRnnError if the tensor is the result of a recorded op. Detach it first.
 * @example
 * ```ts
 * import { mul, nn, tensor, type Vector } from 'packed-rnn'
 *
 * class Scale extends nn.Module {
 *   weight = nn.parameter(tensor([1, 2, 3]))
 *   forward(x: Vector) {
 *     return mul(x, this.weight)
 *   }
 * }
 * const scale = new Scale()
 * console.log(scale.namedParameters().map(([name]) => name)) // ['weight']
 * ```
 */
export function parameter<T extends Float>(tensor: T): T {
  return registered('nn.parameter', tensor, 'parameter')
}

/**
 * Marks a tensor as a buffer: state that is saved and moved with a module but not trained, such as a running mean. A module
 * registers it when you assign it to a property, as `register_buffer` does in PyTorch.
 *
 * @returns the same tensor.
 * @throws PackedRnnError if the tensor is the result of a recorded op. Detach it first.
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * class Counter extends nn.Module {
 *   seen = nn.buffer(zeros([1]))
 * }
 * const counter = new Counter()
 * console.log(counter.namedBuffers().length, counter.parameters().length) // 1 0
 * ```
 */
export function buffer<T extends Float>(tensor: T): T {
  return registered('nn.buffer', tensor, 'buffer')
}

/** Whether a value is a tensor that was marked as a parameter or as a buffer. @internal */
export function isMarked(value: unknown, kind: 'parameter' | 'buffer'): value is Float {
  return value instanceof Tensor && kinds.get(value) === kind
}
