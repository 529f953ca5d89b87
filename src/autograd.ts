import { AsyncLocalStorage } from 'node:async_hooks'
import { checkTensor } from './check.js'
import { applyFunction, copyOf } from './elements.js'
import { PackedRnnError } from './errors.js'
import { outlive } from './scope.js'
import type { Storage } from './storage.js'
import type { DType, Float, TapeNode, Tensor } from './tensor.js'

/** A gradient for each of several tensors; null where there is none. */
export type Gradients = readonly (Float | null)[]

const recording = new AsyncLocalStorage<boolean>()

/**
 * Runs `fn` without recording on the tape, so nothing is kept for a backward pass, as in PyTorch's
 * `torch.no_grad`. `fn` may be async.
 * @returns the result of `fn`.
 * @example
 * ```ts
 * import { mul, noGrad, PackedRnnError, tensor } from 'packed-rnn'
 *
 * const weight = tensor([2], [1], { requiresGrad: true })
 * const y = noGrad(() => mul(weight, 3))
 * console.log(await y.item()) // 6
 * try {
 *   y.backward()
 * } catch (error) {
 *   console.log(error instanceof PackedRnnError && error.code) // ERR_NO_GRADIENT
 * }
 * ```
 */
export function noGrad<T>(fn: () => T): T {
  return recording.run(false, fn)
}

/** Whether an op on these inputs is recorded on the tape. @internal */
export function isRecorded(inputs: Gradients): boolean {
  return recording.getStore() !== false && inputs.some(wantsGradient)
}

function wantsGradient(input: Float | null): boolean {
  return input != null && (input.requiresGrad || input.node !== null)
}

/**
 * Returns the gradient of each input, given the gradient of each output (null: none). `wanted[i]` says
 * whether input i needs one. The tape owns and disposes the gradients on both sides: to pass one on
 * unchanged, return an alias of it.
 * @internal
 */
export type Backward = (gradients: Gradients, wanted: readonly boolean[]) => Gradients

/** What an op may keep for its backward pass. @internal */
export interface Keeper {
  /**
   * Returns another handle of the tensor, owned by the tape. It stays valid after the caller's `dispose`, and
   * the tape detects changes of its values.
   */
  hold<D extends DType, R extends number>(tensor: Tensor<D, R>): Tensor<D, R>
  /** Keeps `thing` and disposes it after the backward pass. */
  own<T extends { dispose(): void }>(thing: T): T
}

/** Records an op on the tape if one of its inputs needs a gradient; otherwise `keep` is not called. @internal */
export function record(
  op: string,
  inputs: Gradients,
  outputs: readonly Float[],
  keep: (keeper: Keeper) => Backward,
): void {
  if (!isRecorded(inputs)) return
  const node = new Node(op, inputs, outputs, keep)
  for (const output of outputs) output.node = node
}

let recorded = 0

class Node implements TapeNode {
  /** Increases with every node, so a node's inputs have lower numbers. */
  readonly order = recorded++
  readonly op: string
  /** Inputs and outputs are emptied after the node has run, so that keeping a loss doesn't keep all other tensors. */
  inputs: Gradients
  outputs: readonly object[]
  #held: { storage: Storage; version: number; shape: readonly number[] }[] = []
  #owned: { dispose(): void }[] = []
  #backward: Backward | null

  constructor(op: string, inputs: Gradients, outputs: Gradients, keep: (keeper: Keeper) => Backward) {
    this.op = op
    this.inputs = inputs
    this.outputs = outputs.map(output => output ?? {})
    this.#backward = keep({
      hold: tensor => {
        const handle = this.#own(tensor.alias())
        this.#held.push({ storage: handle.storage, version: handle.storage.version, shape: handle.shape })
        return handle
      },
      own: thing => this.#own(thing),
    })
  }

  #own<T extends { dispose(): void }>(thing: T): T {
    this.#owned.push(outlive(thing))
    return thing
  }

  /** @throws PackedRnnError ERR_GRAPH_FREED, ERR_MODIFIED. */
  check(): void {
    if (this.#backward === null) {
      const message = `backward: ${this.op}: the graph was freed by an earlier backward pass`
      throw new PackedRnnError('ERR_GRAPH_FREED', message)
    }
    for (const { storage, version, shape } of this.#held) {
      if (storage.version === version) continue
      const message = `backward: ${this.op}: a tensor [${shape.join(', ')}] that it needs has changed since the forward pass`
      throw new PackedRnnError('ERR_MODIFIED', message)
    }
  }

  run(gradients: Gradients): Gradients {
    const [backward, wanted] = [this.#backward, this.inputs.map(wantsGradient)]
    try {
      return backward === null ? [] : backward(gradients, wanted)
    } finally {
      this.discard()
    }
  }

  discard(): void {
    for (const thing of this.#owned) thing.dispose()
    this.#backward = null
    this.inputs = []
    this.outputs = []
    this.#held = []
    this.#owned = []
  }

  backpropagate(output: object, gradient: Float): void {
    backpropagate([{ node: this, output, gradient }])
  }
}

/**
 * Runs the tape backwards from `from`, tensors with their gradients. Without `places`, gradients are added up
 * in `grad`. With `places`, they are added up there alone; a place stays null if no gradient reaches it.
 * @throws PackedRnnError ERR_GRAPH_FREED, ERR_MODIFIED; what `unused` throws for a place that nothing was
 * computed from. @internal
 */
export function backpropagate(
  from: readonly { node: TapeNode | null; output: object; gradient: Float }[],
  places?: Map<Float, Float | null>,
  unused: (place: Float) => void = () => {},
): void {
  const nodes = reachable(from.flatMap(({ node }) => (node instanceof Node ? [node] : [])))
  // All nodes are checked before the first runs, so that an error leaves every gradient unchanged.
  for (const node of nodes) node.check()
  if (places === undefined) {
    for (const { inputs } of nodes) for (const input of inputs) if (input?.grad) checkGrad(input, input.grad)
  } else {
    const read = new Set(nodes.flatMap(({ inputs }) => inputs))
    for (const place of places.keys()) if (!read.has(place)) unused(place)
  }
  const pending = new Map<Node, (Float | null)[]>()
  try {
    for (const { node, output, gradient } of from) {
      if (node instanceof Node) addTo(pending, node, output, gradient.alias())
    }
    for (const node of nodes) runNode(node, pending, places)
  } catch (error) {
    // The backward function of a customGrad may throw.
    for (const gradients of pending.values()) for (const one of gradients) one?.dispose()
    throw error
  }
}

/** Checks that `grad`, which callers can set, fits its tensor. */
function checkGrad(leaf: Float, grad: Float): void {
  if (grad.disposed || !leaf.requiresGrad || leaf.node !== null) return
  const { shape, device } = leaf
  checkTensor('backward', 'grad', grad, { dtype: 'float32', shape, device })
}

function runNode(
  node: Node,
  pending: Map<Node, (Float | null)[]>,
  places: Map<Float, Float | null> | undefined,
): void {
  const given = pending.get(node)
  if (given === undefined) return
  const { inputs } = node
  const gradients = node.run(given)
  pending.delete(node)
  for (const one of given) one?.dispose()
  inputs.forEach((input, i) => {
    const gradient = gradients[i] ?? null
    if (gradient === null) return
    if (input != null && places?.has(input))
      places.set(input, plus(places.get(input) ?? null, gradient.alias()))
    if (input?.node instanceof Node) addTo(pending, input.node, input, gradient)
    else if (input?.requiresGrad && places === undefined) accumulate(input, gradient)
    else gradient.dispose()
  })
}

/** Returns these nodes and all that they were computed from, the latest first. */
function reachable(last: readonly Node[]): Node[] {
  const found = new Set(last)
  for (const node of found) {
    for (const input of node.inputs) if (input?.node instanceof Node) found.add(input.node)
  }
  return [...found].sort((a, b) => b.order - a.order)
}

function addTo(pending: Map<Node, (Float | null)[]>, node: Node, output: object, gradient: Float): void {
  let gradients = pending.get(node)
  if (gradients === undefined) {
    gradients = node.outputs.map(() => null)
    pending.set(node, gradients)
  }
  const i = node.outputs.indexOf(output)
  gradients[i] = plus(gradients[i] ?? null, gradient)
}

function plus(sum: Float | null, gradient: Float): Float {
  if (sum === null) return gradient
  const total = applyFunction('add', sum.device, sum.shape, sum, gradient)
  sum.dispose()
  gradient.dispose()
  return total
}

/** Adds to `grad`, in memory that no other tensor shares: clipping changes gradients in place. */
function accumulate(leaf: Float, gradient: Float): void {
  let total = plus(leaf.grad?.disposed ? null : leaf.grad, gradient)
  if (total.storage.shared) {
    const own = copyOf(total)
    total.dispose()
    total = own
  }
  leaf.grad = outlive(total)
}
