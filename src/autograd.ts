import { AsyncLocalStorage } from 'node:async_hooks'
import { checkTensor } from './check.js'
import { applyFunction, copyOf } from './elements.js'
import { PackedRnnError } from './errors.js'
import { outlive } from './scope.js'
import type { Storage } from './storage.js'
import type { DType, Float, TapeNode, Tensor } from './tensor.js'

/** A gradient for each of several tensors, null where there is none. */
export type Gradients = readonly (Float | null)[]

const recording = new AsyncLocalStorage<boolean>()

/**
 * Runs `fn` without a tape: nothing is kept for a backward pass, as in PyTorch's `torch.no_grad`. `fn` may be async.
 * @returns what `fn` does.
 */
export function noGrad<T>(fn: () => T): T {
  return recording.run(false, fn)
}

/** Whether a computation from these tensors goes on the tape. @internal */
export function isRecorded(inputs: Gradients): boolean {
  return recording.getStore() !== false && inputs.some(wantsGradient)
}

function wantsGradient(input: Float | null): boolean {
  return input != null && (input.requiresGrad || input.node !== null)
}

/**
 * The gradient in each input, given that in each output (null: none). `wanted[i]` says whether input i needs one. The
 * tape owns what comes back and disposes what it gave: to pass a gradient on, return an alias of it.
 * @internal
 */
export type Backward = (gradients: Gradients, wanted: readonly boolean[]) => Gradients

/** What an op may keep for its backward pass. @internal */
export interface Keeper {
  /** The same tensor in a handle of the tape's: it outlives `dispose`, and the tape knows if its values change. */
  hold<D extends DType, R extends number>(tensor: Tensor<D, R>): Tensor<D, R>
  /** Disposed when the backward pass has run. */
  own<T extends { dispose(): void }>(thing: T): T
}

/** Puts a computation on the tape if one of its inputs wants a gradient; only then is `keep` called. @internal */
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
  /** Rises with every node: the inputs of a node were recorded before it. */
  readonly order = recorded++
  readonly op: string
  /** Inputs and outputs are empty once the node has run, so that a kept loss does not keep the other tensors. */
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
      const message = `backward: ${this.op}: wanted a graph, got one that an earlier backward freed`
      throw new PackedRnnError('ERR_GRAPH_FREED', message)
    }
    for (const { storage, version, shape } of this.#held) {
      if (storage.version === version) continue
      const message = `backward: ${this.op}: wanted the tensor [${shape.join(', ')}] as it was in the forward pass, got one changed since`
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
 * Runs the tape back from tensors on it, given the gradients in them. Gradients are added up in `grad`, or where there are
 * places of their own, in those alone: one for each tensor, which keeps null where no gradient comes.
 * @throws PackedRnnError ERR_GRAPH_FREED, ERR_MODIFIED; ERR_NO_GRADIENT for a place that nothing was computed from, which
 * `unused` allows. @internal
 */
export function backpropagate(
  from: readonly { node: TapeNode | null; output: object; gradient: Float }[],
  places?: Map<Float, Float | null>,
  unused: (place: Float) => void = () => {},
): void {
  const nodes = reachable(from.flatMap(({ node }) => (node instanceof Node ? [node] : [])))
  // All are checked before the first runs, so that a refusal leaves every gradient as it was.
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
    // A gradient of one's own may throw.
    for (const gradients of pending.values()) for (const one of gradients) one?.dispose()
    throw error
  }
}

/** That a gradient is there to be added to: anybody may have put it there. */
function checkGrad(leaf: Float, grad: Float): void {
  if (grad.disposed || !leaf.requiresGrad || leaf.node !== null) return
  const { shape, device } = leaf
  checkTensor<'float32', number>('backward', 'grad', grad, { dtype: 'float32', shape, device })
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

/** All nodes that these were computed from, the latest first. */
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

/** Adds to `grad`, in memory that is this tensor's alone: clipping changes gradients in place. */
function accumulate(leaf: Float, gradient: Float): void {
  let total = plus(leaf.grad?.disposed ? null : leaf.grad, gradient)
  if (total.storage.shared) {
    const own = copyOf(total)
    total.dispose()
    total = own
  }
  leaf.grad = outlive(total)
}
