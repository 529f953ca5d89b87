import { badArgument } from './errors.js'
import { PackedSequence } from './packed.js'
import { outlive } from './scope.js'
import { Tensor } from './tensor.js'

/** Nested tensors; axis 0 of every leaf is the sequence or hypothesis. */
export type State = Tensor | null | readonly State[] | { readonly [part: string]: State }

/**
 * Returns a state of the same structure, with each leaf replaced. A leaf's path begins with `name`: `state.h`,
 * `state.0.c`.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for anything else than nested tensors and null. @internal
 */
export function mapState<S extends State>(
  op: string,
  name: string,
  state: S,
  f: (leaf: Tensor, path: string) => Tensor,
): S
export function mapState(
  op: string,
  name: string,
  state: State,
  f: (leaf: Tensor, path: string) => Tensor,
): State {
  if (state === null) return null
  if (state instanceof Tensor) return f(state, name)
  if (typeof state !== 'object' || state instanceof PackedSequence) {
    throw badArgument(op, name, 'nested tensors or null', state)
  }
  if (isList(state)) return state.map((part, i) => mapState<State>(op, `${name}.${i}`, part, f))
  return Object.fromEntries(
    Object.entries(state).map(([part, value]) => [part, mapState<State>(op, `${name}.${part}`, value, f)]),
  )
}

/** @internal */
export function isList(state: State): state is readonly State[] {
  return Array.isArray(state)
}

/** Frees the leaves. @internal */
export function disposeState(state: State): void {
  mapState('dispose', 'state', state, leaf => {
    leaf.dispose()
    return leaf
  })
}

/** Keeps the leaves beyond the scope they were made in. @internal */
export function outliveState<S extends State>(state: S): S {
  return mapState('outlive', 'state', state, outlive)
}
