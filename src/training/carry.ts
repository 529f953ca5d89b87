import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { outlive } from '../scope.js'
import { isList, mapState, type State } from '../state.js'
import { Tensor, tensor } from '../tensor.js'

/** A state on the host: its structure, which JSON can hold, and the values of its leaves by path. */
export interface SavedCarry {
  tree: CarryTree
  tensors: Map<string, CarryLeaf>
}

/** A tensor's values on the host, row-major. */
export type CarryLeaf =
  | { dtype: 'float32'; shape: readonly number[]; data: Float32Array }
  | { dtype: 'int32'; shape: readonly number[]; data: Int32Array }

/** The structure of a state. Each leaf is replaced by its path. */
export type CarryTree = null | string | CarryTree[] | { [part: string]: CarryTree }

/**
 * Returns a state of the same structure with `f` applied to each leaf.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if it contains anything but tensors, null, arrays and objects.
 */
export function mapCarry<S extends State>(state: S, f: (leaf: Tensor) => Tensor): S {
  return mapState('Trainer', 'carry', state, f)
}

/** Copies a state to the host after the ops issued so far. */
export async function saveCarry(state: State): Promise<SavedCarry> {
  const leaves: Promise<[string, CarryLeaf]>[] = []
  const tree = treeOf(state, 'carry', (path, leaf) => leaves.push(readLeaf(path, leaf)))
  return { tree, tensors: new Map(await Promise.all(leaves)) }
}

async function readLeaf(path: string, leaf: Tensor): Promise<[string, CarryLeaf]> {
  const { shape } = leaf
  const data = await leaf.toArray()
  return [
    path,
    data instanceof Int32Array ? { dtype: 'int32', shape, data } : { dtype: 'float32', shape, data },
  ]
}

function treeOf(state: State, path: string, found: (path: string, leaf: Tensor) => void): CarryTree {
  if (state === null) return null
  if (state instanceof Tensor) {
    found(path, state)
    return path
  }
  if (isList(state)) return state.map((part, i) => treeOf(part, `${path}.${i}`, found))
  return Object.fromEntries(
    Object.entries(state).map(([name, part]) => [name, treeOf(part, `${path}.${name}`, found)]),
  )
}

/**
 * Copies a state that `saveCarry` returned to a device. No scope disposes the tensors.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if a leaf is missing.
 */
export function restoreCarry({ tree, tensors }: SavedCarry, device?: Device): State {
  if (tree === null) return null
  if (typeof tree === 'string') {
    const leaf = tensors.get(tree)
    if (leaf === undefined) throw badArgument('restore', 'state.carry', `values of ${tree}`, undefined)
    const on = device === undefined ? {} : { device }
    return leaf.dtype === 'int32'
      ? outlive(tensor<number>(leaf.data, leaf.shape, on))
      : outlive(tensor<number>(leaf.data, leaf.shape, on))
  }
  const part = (each: CarryTree) => restoreCarry({ tree: each, tensors }, device)
  if (Array.isArray(tree)) return tree.map(part)
  return Object.fromEntries(Object.entries(tree).map(([name, each]) => [name, part(each)]))
}
